# SPDX-License-Identifier: Apache-2.0
"""Probabilities of classes along the slices: curves with and without context, and a map."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ..utils import InputError, atomic_path
from .checks import check_presence
from .colors import Color

_FLAG = (0.55, 0.0, 0.0)  # dark red, as a shape of its own: readers need not tell the colour


def draw_score_curves(
    path: str | PathLike,
    alone: np.ndarray,
    context: np.ndarray,
    *,
    class_names: Sequence[str],
    thresholds: Sequence[float] | np.ndarray,
    colors: Sequence[Color],
    flagged: np.ndarray | None = None,
    label: np.ndarray | None = None,
    dpi: int = 150,
) -> Path:
    """Draw each class's probability along the slices, of the slice alone and with its neighbours.

    Args:
        path: PNG file to write.
        alone: (R, D) probabilities of each slice alone, 0-1.
        context: (R, D) probabilities with context, 0-1.
        class_names: names of the R rows.
        thresholds: (R,), the dotted lines.
        colors: RGB of the rows.
        flagged: (R, D) bool, marked by triangles: called alone, not with context.
        label: (R, D) ground truth; slices with 1 are shaded, NaN is unknown.
        dpi: dots per inch of the figure, which is 7 inches wide.

    Returns:
        ``path``.

    Raises:
        InputError: arrays that do not fit, or probabilities outside 0-1.
    """
    rows, depth = len(class_names), alone.shape[-1]
    _check(alone, context, rows=rows, depth=depth, others=(flagged, label))
    figure = Figure(figsize=(7, 0.72 * rows + 0.75), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: no display and no figure kept alive
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    numbers = np.arange(1, depth + 1)
    for row, axis in enumerate(axes):
        color = 0.75 * np.array(colors[row]) / 255
        if label is not None:
            _shade(axis, label[row] == 1)
        axis.fill_between(numbers, context[row], step="mid", color=color, alpha=0.25, linewidth=0)
        axis.step(numbers, context[row], where="mid", color=color, linewidth=1.8)
        axis.step(numbers, alone[row], where="mid", color="0.15", linewidth=0.9)
        axis.axhline(thresholds[row], color="0.35", linewidth=0.8, linestyle=":")
        _flag(axis, flagged, row, alone[row])
        axis.set(xlim=(0.5, depth + 0.5), ylim=(-0.04, 1.16), yticks=(0, 1))
        axis.set_ylabel(class_names[row], rotation=0, ha="right", va="center")
        axis.spines[["top", "right"]].set_visible(False)
    _finish(figure, axes, flagged=flagged is not None and bool(flagged.any()), shaded=label is not None)
    return _save(figure, path)


def draw_score_map(
    path: str | PathLike,
    probability: np.ndarray,
    *,
    class_names: Sequence[str],
    thresholds: Sequence[float] | np.ndarray,
    flagged: np.ndarray | None = None,
    label: np.ndarray | None = None,
    dpi: int = 150,
) -> Path:
    """Draw probabilities as a map, a column a slice and a row a class, in a colour-blind-safe scale.

    Dots mark values at or above the threshold, triangles flagged slices, frames the ground truth.

    Args:
        path: PNG file to write.
        probability: (R, D), 0-1.
        class_names: names of the R rows.
        thresholds: (R,).
        flagged: (R, D) bool.
        label: (R, D) ground truth, NaN unknown.
        dpi: dots per inch of the figure, which is 7 inches wide.

    Returns:
        ``path``.

    Raises:
        InputError: arrays that do not fit, or probabilities outside 0-1.
    """
    rows, depth = len(class_names), probability.shape[-1]
    _check(probability, rows=rows, depth=depth, others=(flagged, label))
    figure = Figure(figsize=(7, 0.26 * rows + 0.85), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    extent = (0.5, depth + 0.5, rows - 0.5, -0.5)
    drawn = axis.imshow(
        probability, vmin=0, vmax=1, cmap="Blues", aspect="auto", extent=extent, interpolation="nearest"
    )
    limits = np.asarray(thresholds, probability.dtype)[:, None]
    size = float(np.clip(260 / depth, 2, 6))
    _dots(axis, probability >= limits, "o", size, "at or above the threshold")
    if flagged is not None and flagged.any():
        _dots(axis, flagged, "^", size, "only without context")
    if label is not None:
        for row, index in np.argwhere(label == 1):
            axis.add_patch(Rectangle((index + 0.56, row - 0.44), 0.88, 0.88, fill=False, edgecolor="black"))
    axis.set_yticks(range(rows), class_names)
    axis.tick_params(axis="y", length=0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_xlabel("Slice" + (" (frames: class in the reference)" if label is not None else ""))
    figure.colorbar(drawn, ax=axis, ticks=(0, 0.5, 1), pad=0.01, label="probability")
    if axis.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper right", ncols=2, fontsize="small", frameon=False)
    return _save(figure, path)


def _check(*probabilities: np.ndarray, rows: int, depth: int, others: Sequence[np.ndarray | None]) -> None:
    for values in probabilities:
        check_presence(values, rows, depth)
    for one in others:
        if one is not None and one.shape != (rows, depth):
            raise InputError(f"flags or labels of shape {one.shape} where {(rows, depth)} is expected")


def _shade(axis: Axes, positive: np.ndarray) -> None:
    for index in np.flatnonzero(positive):
        axis.axvspan(index + 0.5, index + 1.5, color="0.86", linewidth=0, zorder=0)


def _flag(axis: Axes, flagged: np.ndarray | None, row: int, values: np.ndarray) -> None:
    if flagged is None or not flagged[row].any():
        return
    places = np.flatnonzero(flagged[row])
    axis.plot(places + 1, values[places] + 0.09, "v", color=_FLAG, markersize=4, clip_on=False)


def _finish(figure: Figure, axes: Sequence[Axes], *, flagged: bool, shaded: bool) -> None:
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[-1].set_xlabel("Slice" + (" (shaded: class in the reference)" if shaded else ""))
    # Drawn anew: with context is a line in each class's own colour.
    entries = [
        Line2D([], [], color="0.45", linewidth=1.8, label="with context"),
        Line2D([], [], color="0.15", linewidth=0.9, label="slice alone"),
        Line2D([], [], color="0.35", linewidth=0.8, linestyle=":", label="threshold"),
        Line2D([], [], color=_FLAG, marker="v", markersize=4, linestyle="none", label="called alone only"),
    ]
    shown = entries if flagged else entries[:-1]
    figure.legend(handles=shown, loc="outside upper right", ncols=4, fontsize="small", frameon=False)


def _dots(axis: Axes, where: np.ndarray, marker: str, size: float, label: str) -> None:
    row, index = np.nonzero(where)
    if row.size:
        axis.plot(
            index + 1,
            row,
            marker,
            markersize=size,
            markerfacecolor="white",
            markeredgecolor="black",
            markeredgewidth=0.6,
            linestyle="none",
            label=label,
        )


def _save(figure: Figure, path: str | PathLike) -> Path:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)
