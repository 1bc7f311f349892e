# SPDX-License-Identifier: Apache-2.0
"""What the plots have in common: a figure without a window, saved whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..utils import InputError, atomic_path
from .colors import CLASS_COLORS

# Darker than on gray slices: thin lines on white paper; told apart by their marks too.
SCORES = {
    "surface_dice": ("Surface Dice", (0.0, 0.35, 0.55), "o"),
    "dice": ("Dice", (0.84, 0.37, 0.0), "s"),
    "cldice": ("clDice", (0.53, 0.0, 0.94), "D"),
    "precision": ("Precision", (0.0, 0.5, 0.38), "^"),
    "recall": ("Recall", (0.65, 0.35, 0.5), "v"),
    "centre_line_recall": ("Recall of the centre line", (0.35, 0.35, 0.35), "x"),
}
SKY = tuple(part / 255 for part in CLASS_COLORS[0])


def new_plot(*, size: tuple[float, float] = (7, 4), dpi: int = 150) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes; pyplot is not used: no display and no figure kept alive."""
    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def save_plot(figure: Figure, path: str | PathLike) -> Path:
    """Write a figure as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)


def column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return one value of each row as float64; NaN where it is missing or None.

    Raises:
        InputError: no row has it.
    """
    if not any(name in row for row in rows):
        raise InputError(f"no row of the table holds {name!r}")
    values = [row.get(name) for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def present_scores(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Return the scores among ``names`` that the rows hold.

    Raises:
        InputError: none of them.
    """
    found = [name for name in names if any(name in row for row in rows)]
    if not found:
        raise InputError(f"the table holds none of {', '.join(names)}")
    return found
