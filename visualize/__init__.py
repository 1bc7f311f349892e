# SPDX-License-Identifier: Apache-2.0
"""Pictures of volumes, masks and presence probabilities."""

from .animations import draw_animation
from .colors import CLASS_COLORS, colors_for
from .contact_sheets import draw_contact_sheet
from .heat_maps import blend_heat, resize_heat, scale_heat
from .key_slice_sheets import compose_key_slices
from .key_slices import KeySlice, choose_key_slices
from .orientation import AxialView
from .overlays import draw_overlays, overlay
from .presence_strips import draw_presence_strip
from .score_pictures import draw_score_curves, draw_score_map
from .selection import choose_slices, count_pixels
from .windows import robust_window, to_gray

__all__ = [
    "CLASS_COLORS",
    "AxialView",
    "KeySlice",
    "blend_heat",
    "choose_key_slices",
    "choose_slices",
    "colors_for",
    "compose_key_slices",
    "count_pixels",
    "draw_animation",
    "draw_contact_sheet",
    "draw_overlays",
    "draw_presence_strip",
    "draw_score_curves",
    "draw_score_map",
    "overlay",
    "resize_heat",
    "robust_window",
    "scale_heat",
    "to_gray",
]
