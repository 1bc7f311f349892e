# SPDX-License-Identifier: Apache-2.0
"""Panels of one slice side by side with titles and a legend: a picture for a training's log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ..utils import InputError
from .colors import Color
from .panels import GAP, PAPER, Legend, draw_titles, line_height, paste_panel, wrap_text


def compose_panels(
    panels: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    class_names: Sequence[str] = (),
    class_colors: Sequence[Color] | None = None,
    text: int = 12,
) -> np.ndarray:
    """Put panels beside each other, a title above each, the classes' colours below.

    Args:
        panels: (h, w, 3) uint8 pictures of one size.
        titles: one a panel.
        class_names: names of classes 1..K, for the legend; none leaves it out.
        class_colors: RGB of classes 1..K; None takes the colour-blind-safe ``CLASS_COLORS``.
        text: font size in pixels.

    Returns:
        (H, W, 3) uint8.

    Raises:
        InputError: no panel, panels of different sizes, or not a title for each.
    """
    if not panels or len({panel.shape for panel in panels}) != 1 or len(panels) != len(titles):
        shapes = [panel.shape for panel in panels]
        raise InputError(f"panels of shapes {shapes} with {len(titles)} titles do not make a row")
    height, width = panels[0].shape[:2]
    lefts = [GAP + place * (width + GAP) for place in range(len(panels))]
    wrapped = [wrap_text(title, width, text) for title in titles]
    top = GAP + max(map(len, wrapped)) * line_height(text) + GAP // 2
    total = lefts[-1] + width + GAP
    legend = Legend(class_names, text, class_colors)
    below = legend.height(total - 2 * GAP) + GAP if class_names else 0
    canvas = Image.new("RGB", (total, top + height + GAP + below), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw_titles(draw, wrapped, lefts, width, top - GAP // 2, text)
    for left, panel in zip(lefts, panels, strict=True):
        paste_panel(canvas, panel, left, top)
    if class_names:
        legend.draw(draw, GAP, top + height + GAP, total - 2 * GAP)
    return np.asarray(canvas)
