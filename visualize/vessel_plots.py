# SPDX-License-Identifier: Apache-2.0
"""Plots of vessel tables: length by radius, scores by radius, scores along the slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..utils import InputError
from .plots import SCORES, SKY, column, new_plot, present_scores, save_plot

_BAND_SCORES = ("surface_dice", "dice", "centre_line_recall")
_SLAB_SCORES = ("surface_dice", "dice", "cldice")


def draw_radius_histogram(path: str | PathLike, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Draw the length of vessels of each radius.

    Args:
        path: PNG file to write.
        rows: bins with "radius_from_um", "radius_to_um", "length_mm"; or, without a voxel size,
            "radius_from_voxels", "radius_to_voxels", "length_voxels". No rows: no vessel, said so.

    Returns:
        ``path``.

    Raises:
        InputError: rows without these columns.
    """
    in_um = not rows or "radius_from_um" in rows[0]
    unit, length_unit = ("um", "mm") if in_um else ("voxels", "voxels")
    figure, axis = new_plot(size=(7, 3.2))
    if rows:
        low, high = column(rows, f"radius_from_{unit}"), column(rows, f"radius_to_{unit}")
        lengths = np.nan_to_num(column(rows, f"length_{length_unit}"))
        bars = {"align": "edge", "color": SKY, "edgecolor": "0.25", "linewidth": 0.6}
        axis.bar(low, lengths, width=high - low, **bars)
    else:
        axis.text(0.5, 0.5, "no vessel", ha="center", va="center", transform=axis.transAxes)
    axis.set(xlabel=f"Radius ({unit})", ylabel=f"Length of vessels ({length_unit})")
    return save_plot(figure, path)


def draw_band_scores(path: str | PathLike, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Draw scores of each band of vessel radius as bars; a band without score says so.

    Args:
        path: PNG file to write.
        rows: bands, thin vessels first: "band" (its name) and some of "surface_dice", "dice",
            "centre_line_recall", 0-1 or NaN; "reference_voxels", where given, stand below the name.

    Returns:
        ``path``.

    Raises:
        InputError: no rows, or rows without scores.
    """
    _check_rows(rows)
    names = present_scores(rows, _BAND_SCORES)
    figure, axis = new_plot()
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        label, color, _ = SCORES[name]
        values = column(rows, name)
        lefts = np.arange(len(rows)) + (place - (len(names) - 1) / 2) * width
        hatch = ("", "///", "...")[place]  # told apart without colour too
        options = {"color": color, "alpha": 0.85, "hatch": hatch, "edgecolor": "white", "label": label}
        axis.bar(lefts, np.nan_to_num(values), width=0.92 * width, **options)
        for left, value in zip(lefts, values, strict=True):
            text = "none" if np.isnan(value) else f"{value:.2f}"
            axis.text(left, np.nan_to_num(value) + 0.01, text, ha="center", va="bottom", fontsize="x-small")
    axis.set_xticks(range(len(rows)), [_band_name(row) for row in rows], fontsize="small")
    counted = any("reference_voxels" in row for row in rows)
    radius = "Vessel radius (n: voxels of the reference)" if counted else "Vessel radius"
    axis.set(xlabel=radius, ylabel="Score", ylim=(0, 1.08))
    figure.legend(loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    return save_plot(figure, path)


def draw_slab_scores(path: str | PathLike, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Draw scores along the slices of a volume, a step a slab.

    Args:
        path: PNG file to write.
        rows: slabs in order: "first_slice", "last_slice" (from 0, inclusive) and some of "surface_dice",
            "dice", "cldice", 0-1; NaN leaves a gap.

    Returns:
        ``path``.

    Raises:
        InputError: no rows, or rows without slices or scores.
    """
    _check_rows(rows)
    starts, stops = column(rows, "first_slice"), column(rows, "last_slice") + 1
    figure, axis = new_plot(size=(7, 3.2))
    for name in present_scores(rows, _SLAB_SCORES):
        label, color, mark = SCORES[name]
        values = column(rows, name)
        axis.hlines(values, starts, stops, color=color, linewidth=2)
        middles = (starts + stops) / 2
        options = {"color": color, "marker": mark, "markersize": 4, "linewidth": 0.8, "label": label}
        axis.plot(middles, values, **options)
    axis.set(xlabel="Slice", ylabel="Score", xlim=(starts.min(), stops.max()), ylim=(-0.02, 1.02))
    figure.legend(loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    return save_plot(figure, path)


def _check_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        raise InputError("a table without rows cannot be drawn")


def _band_name(row: Mapping[str, Any]) -> str:
    voxels = row.get("reference_voxels")
    return str(row["band"]) if voxels is None else f"{row['band']}\nn = {voxels:,}"
