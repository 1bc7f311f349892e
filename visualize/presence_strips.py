# SPDX-License-Identifier: Apache-2.0
"""Presence probability along the slices, one small axis a class, the reference as a shaded band."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..utils import InputError, atomic_path
from .checks import check_presence
from .colors import Color, colors_for


def draw_presence_strip(
    path: str | PathLike,
    presence: np.ndarray,
    *,
    class_names: Sequence[str],
    reference: np.ndarray | None = None,
    class_colors: Sequence[Color] | None = None,
    threshold: float = 0.5,
    title: str | None = None,
    dpi: int = 200,
) -> Path:
    """Draw the probability that each class is in each slice.

    Args:
        path: PNG file to write.
        presence: (K, D) probabilities 0-1.
        class_names: names of classes 1..K.
        reference: (K, D) bool, true where the ground truth has the class: the shaded slices.
        class_colors: RGB of classes 1..K; None takes the colour-blind-safe ``CLASS_COLORS``.
        threshold: probability at which a dotted line is drawn, 0-1.
        title: text above the figure.
        dpi: dots per inch of the figure, which is 6 inches wide.

    Returns:
        ``path``.

    Raises:
        InputError: presence is not (K, D) within 0-1, or the reference has another shape.
    """
    num_classes, depth = len(class_names), presence.shape[-1]
    check_presence(presence, num_classes, depth)
    if reference is not None and reference.shape != presence.shape:
        raise InputError(
            f"reference of shape {reference.shape}, presence of shape {presence.shape}", path=path
        )
    figure = Figure(figsize=(6, 0.75 * num_classes + 0.7), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: no display and no figure kept alive
    axes = figure.subplots(num_classes, 1, sharex=True, squeeze=False)[:, 0]
    for row, (axis, name, color) in enumerate(
        zip(axes, class_names, colors_for(num_classes, class_colors), strict=True)
    ):
        shade = None if reference is None else reference[row].astype(bool)
        _draw_class(axis, presence[row], shade, np.array(color) / 255)
        axis.axhline(threshold, color="0.4", linewidth=0.6, linestyle=":")
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[-1].set_xlabel("Slice (shaded: class in the reference)" if reference is not None else "Slice")
    if title:
        figure.suptitle(title, fontsize="medium")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)


def _draw_class(axis: Axes, values: np.ndarray, shade: np.ndarray | None, color: np.ndarray) -> None:
    if shade is not None:
        for start, stop in _runs(shade):
            axis.axvspan(start + 0.5, stop + 0.5, color=color, alpha=0.35, linewidth=0)
    axis.stairs(values, np.arange(len(values) + 1) + 0.5, baseline=None, color=0.6 * color, linewidth=1.2)
    axis.set(xlim=(0.5, len(values) + 0.5), ylim=(-0.04, 1.04), yticks=(0, 1))
    axis.spines[["top", "right"]].set_visible(False)


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return (start, stop) of each run of true values, 0-based, stop excluded."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
