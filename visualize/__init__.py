# SPDX-License-Identifier: Apache-2.0
"""Pictures of volumes, masks and presence probabilities."""

from .animations import draw_animation
from .colors import CLASS_COLORS, colors_for
from .contact_sheets import draw_contact_sheet
from .overlays import draw_overlays, overlay
from .presence_strips import draw_presence_strip
from .selection import choose_slices, count_pixels
from .windows import robust_window, to_gray

__all__ = [
    "CLASS_COLORS",
    "choose_slices",
    "colors_for",
    "count_pixels",
    "draw_animation",
    "draw_contact_sheet",
    "draw_overlays",
    "draw_presence_strip",
    "overlay",
    "robust_window",
    "to_gray",
]
