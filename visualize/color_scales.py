# SPDX-License-Identifier: Apache-2.0
"""A colour scale as a bar with a word at either end."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from .panels import GAP, INK, font, text_width

BAR = 128  # pixels of the bar


def draw_scale(
    canvas: ImageDraw.ImageDraw, ends: tuple[str, str], colors: np.ndarray, left: int, top: int, *, size: int
) -> None:
    """Draw a scale with its upper left corner at (left, top).

    Args:
        canvas: to draw on.
        ends: text before and behind the bar.
        colors: (N, 3) uint8 from the one end to the other.
        left: column.
        top: row.
        size: font size in pixels, and height of the bar.
    """
    canvas.text((left, top), ends[0], fill=INK, font=font(size))
    left += text_width(ends[0], size) + GAP
    for place in range(BAR):
        color = tuple(colors[place * len(colors) // BAR].tolist())
        canvas.line((left + place, top + 2, left + place, top + 2 + size), fill=color)
    canvas.text((left + BAR + GAP, top), ends[1], fill=INK, font=font(size))


def scale_width(ends: tuple[str, str], *, size: int) -> int:
    """Return the width of a scale in pixels."""
    return sum(text_width(end, size) for end in ends) + BAR + 2 * GAP
