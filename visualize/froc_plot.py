# SPDX-License-Identifier: Apache-2.0
"""Sensitivity against false positives per scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..utils import InputError
from .colors import CLASS_COLORS
from .plots import SKY, new_plot, save_plot

Curve = tuple[NDArray, NDArray]

_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_MARKS = "osD^vPX"
# of the class colours those that are dark enough for lines on white
_COLORS = tuple(tuple(0.85 * part / 255 for part in CLASS_COLORS[place]) for place in (1, 3, 6, 5, 4, 7))


def draw_froc(
    path: str | PathLike,
    curves: Mapping[str, Curve],
    *,
    rates: Sequence[float] = _RATES,
    band: tuple[NDArray, NDArray, NDArray] | None = None,
    title: str = "",
) -> Path:
    """Draw FROC curves on a logarithmic axis, marked at the rates that are scored.

    Args:
        path: PNG file to write.
        curves: name -> false positives per scan (rising) and sensitivity (0-1, NaN leaves the curve out). The
            first is the main one, drawn thick; at most six others. No curve: no nodule, said so.
        rates: false positives per scan, rising; the axis runs from the first to the last.
        band: false positives per scan, lower and upper bound around the main curve; NaN leaves it out.
        title: above the plot.

    Returns:
        ``path``.

    Raises:
        InputError: too many curves, rates that do not rise from above 0, arrays that differ in length.
    """
    _check(curves, rates, band)
    figure, axis = new_plot(size=(7, 4.6))
    grid = np.geomspace(rates[0], rates[-1], 2000)
    if band is not None and np.isfinite(band[1]).any():
        axis.fill_between(*band, color=SKY, alpha=0.35, linewidth=0, label="95 % of samples of scans")
    for place, (name, curve) in enumerate(curves.items()):
        _draw_curve(axis, curve, name, place=place, grid=grid, rates=rates)
    if not curves:
        axis.text(0.5, 0.5, "no nodule", ha="center", va="center", transform=axis.transAxes)
    axis.set_xscale("log", base=2)
    axis.set_xticks(rates, [_fraction(rate) for rate in rates])
    axis.minorticks_off()
    axis.grid(color="0.9", linewidth=0.6)
    axis.set(xlabel="False positives per scan", ylabel="Sensitivity", title=title)
    axis.set(xlim=(rates[0], rates[-1]), ylim=(-0.02, 1.02))
    if curves:
        figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    return save_plot(figure, path)


def _draw_curve(
    axis: Axes, curve: Curve, name: str, *, place: int, grid: NDArray, rates: Sequence[float]
) -> None:
    """The curve as it is scored: linear between its points, level beyond its end."""
    color, width = ("black", 2.2) if place == 0 else (_COLORS[place - 1], 1.2)
    axis.plot(grid, np.interp(grid, *curve), color=color, linewidth=width, zorder=3 if place == 0 else 2)
    style = {"color": color, "marker": _MARKS[place], "markersize": 5 if place == 0 else 4}
    values = np.interp(rates, *curve)
    axis.plot(rates, values, linestyle="", clip_on=False, zorder=4, **style)
    axis.plot([], [], linewidth=width, label=name, **style)  # line and mark in the legend


def _check(curves: Mapping[str, Curve], rates: Sequence[float], band: tuple | None) -> None:
    if len(curves) > len(_MARKS):
        raise InputError(f"{len(curves)} curves in one plot", remedy=f"give at most {len(_MARKS)}")
    if len(rates) < 2 or rates[0] <= 0 or (np.diff(rates) <= 0).any():
        raise InputError(f"rates {list(rates)}", remedy="give rising false positives per scan above 0")
    for name, arrays in [*curves.items(), *([] if band is None else [("the band", band)])]:
        if len({len(values) for values in arrays}) > 1 or not len(arrays[0]):
            raise InputError(f"arrays of {name} differ in length or are empty")


def _fraction(rate: float) -> str:
    return f"1/{1 / rate:g}" if rate < 1 and (1 / rate).is_integer() else f"{rate:g}"
