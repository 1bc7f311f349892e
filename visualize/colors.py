# SPDX-License-Identifier: Apache-2.0
"""Colours of classes that stay apart on gray scans and for colour-blind readers."""

from __future__ import annotations

from collections.abc import Sequence

from ..utils import InputError

Color = tuple[int, int, int]

ALPHA = 0.35  # opacity of tints: texture stays visible, and dark fluid still shows its colour

# The seven chromatic colours of Okabe and Ito (Color Universal Design, 2008) and a violet, RGB 0-255. The
# order is ours: the first three and four are those that lie farthest apart in CIELAB, by the smallest
# distance in normal sight and simulated protanopia, deuteranopia and tritanopia (Machado et al. 2009,
# doi:10.1109/TVCG.2009.113).
CLASS_COLORS: tuple[Color, ...] = (
    (86, 180, 233),  # sky blue
    (213, 94, 0),  # vermilion
    (240, 228, 66),  # yellow
    (0, 114, 178),  # blue
    (230, 159, 0),  # orange
    (204, 121, 167),  # reddish purple
    (0, 158, 115),  # bluish green
    (135, 0, 240),  # violet
)


def colors_for(num_classes: int, class_colors: Sequence[Color] | None = None) -> tuple[Color, ...]:
    """Return one RGB colour a class, background left out.

    Args:
        num_classes: number K of foreground classes.
        class_colors: at least K own colours, each three integers 0-255; None takes ``CLASS_COLORS``.

    Raises:
        InputError: fewer colours than classes, or something that is not an RGB colour.
    """
    colors = [tuple(color) for color in (CLASS_COLORS if class_colors is None else class_colors)]
    for color in colors:
        if len(color) != 3 or not all(isinstance(part, int) and 0 <= part <= 255 for part in color):
            raise InputError(f"{color} is not an RGB colour", remedy="give three integers from 0 to 255")
    if len(colors) < num_classes:
        raise InputError(
            f"{len(colors)} colours for {num_classes} classes",
            remedy="give class_colors with one RGB colour for each foreground class",
        )
    return tuple(colors[:num_classes])
