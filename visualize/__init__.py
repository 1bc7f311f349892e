# SPDX-License-Identifier: Apache-2.0
"""Pictures of volumes, masks and presence probabilities."""

from .animations import draw_animation
from .attention_maps import draw_attention_maps
from .colors import CLASS_COLORS, colors_for
from .contact_sheets import draw_contact_sheet
from .froc_plot import draw_froc
from .heat_maps import blend_heat, resize_heat, scale_heat
from .key_slice_sheets import compose_key_slices
from .key_slices import KeySlice, choose_key_slices
from .nodule_overview import compose_lung_slices, compose_marked_slices, compose_projections
from .nodule_page import write_nodule_page
from .nodule_planes import NoduleMark
from .nodule_sheets import compose_nodule_card, compose_nodule_sheet, nodule_panels
from .orientation import AxialView
from .overlays import draw_overlays, overlay
from .ply import write_ply
from .prediction_panels import compose_panels
from .presence_strips import draw_presence_strip
from .projection_pictures import draw_projections
from .score_pictures import draw_score_curves, draw_score_map
from .selection import choose_slices, count_pixels
from .surface_tools import color_by_component, color_by_radius, simplify_surface, smooth_surface
from .surfaces import Surface, extract_surface
from .threshold_plot import draw_threshold_sweep
from .vessel_page import surface_for_view, write_vessel_page
from .vessel_plots import draw_band_scores, draw_radius_histogram, draw_slab_scores
from .vessel_slices import draw_slices
from .windows import robust_window, to_gray

__all__ = [
    "CLASS_COLORS",
    "AxialView",
    "KeySlice",
    "NoduleMark",
    "Surface",
    "blend_heat",
    "choose_key_slices",
    "choose_slices",
    "color_by_component",
    "color_by_radius",
    "colors_for",
    "compose_key_slices",
    "compose_lung_slices",
    "compose_marked_slices",
    "compose_nodule_card",
    "compose_nodule_sheet",
    "compose_panels",
    "compose_projections",
    "count_pixels",
    "draw_animation",
    "draw_attention_maps",
    "draw_band_scores",
    "draw_contact_sheet",
    "draw_froc",
    "draw_overlays",
    "draw_presence_strip",
    "draw_projections",
    "draw_radius_histogram",
    "draw_score_curves",
    "draw_score_map",
    "draw_slab_scores",
    "draw_slices",
    "draw_threshold_sweep",
    "extract_surface",
    "nodule_panels",
    "overlay",
    "resize_heat",
    "robust_window",
    "scale_heat",
    "simplify_surface",
    "smooth_surface",
    "surface_for_view",
    "to_gray",
    "write_nodule_page",
    "write_ply",
    "write_vessel_page",
]
