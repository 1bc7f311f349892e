# SPDX-License-Identifier: Apache-2.0
"""Scores against the threshold of the probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .plots import SCORES, SKY, column, new_plot, present_scores, save_plot

WITHIN = 0.01  # of the best score: the plateau


def draw_threshold_sweep(
    path: str | PathLike,
    rows: Sequence[Mapping[str, Any]],
    *,
    chosen: float | None = None,
    plateau: tuple[float, float] | None = None,
    score: str = "surface_dice",
) -> Path:
    """Draw surface Dice, Dice, precision and recall against the threshold, the plateau shaded.

    Args:
        path: PNG file to write.
        rows: "threshold" and the scores, each 0-1 or NaN; scores that no row holds are left out.
        chosen: threshold in use, a dotted line.
        plateau: thresholds from which to which ``score`` is about the best; None finds those around the best
            that lose at most 0.01.
        score: the score that is to be high.

    Returns:
        ``path``.

    Raises:
        InputError: no rows, or rows without thresholds or scores.
    """
    thresholds = column(rows, "threshold")
    order = np.argsort(thresholds)
    thresholds, rows = thresholds[order], [rows[place] for place in order]
    figure, axis = new_plot()
    for name in present_scores(rows, ("surface_dice", "dice", "precision", "recall")):
        label, color, mark = SCORES[name]
        width = 2.0 if name == score else 1.1
        options = {"color": color, "marker": mark, "markersize": 3.5, "linewidth": width, "label": label}
        axis.plot(thresholds, column(rows, name), **options)
    _shade(axis, plateau or _plateau(thresholds, column(rows, score)))
    if chosen is not None:
        axis.axvline(chosen, color="0.2", linestyle=":", linewidth=1.2, label=f"in use: {chosen:g}")
    axis.set(xlabel="Threshold of the probability", ylabel="Score", ylim=(-0.02, 1.02))
    figure.legend(loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    return save_plot(figure, path)


def _plateau(thresholds: np.ndarray, values: np.ndarray) -> tuple[float, float] | None:
    """Return the thresholds around the best value that lose at most ``WITHIN``."""
    if not np.isfinite(values).any():
        return None
    low = high = int(np.nanargmax(values))
    good = values >= values[low] - WITHIN
    while low > 0 and good[low - 1]:
        low -= 1
    while high < len(values) - 1 and good[high + 1]:
        high += 1
    return float(thresholds[low]), float(thresholds[high])


def _shade(axis: Axes, plateau: tuple[float, float] | None) -> None:
    if plateau is None:
        return
    low, high = plateau
    label = f"best within {WITHIN:g}: {low:g}-{high:g}" if high > low else f"best: {low:g}"
    axis.axvspan(low, high, color=SKY, alpha=0.3, linewidth=0 if high > low else 2, label=label)
