# SPDX-License-Identifier: Apache-2.0
"""Class activation as heat from 0 to 1, brought to the slice's grid and drawn over it.

MONAI's ``GradCAM`` rescales each map to 0-1 by its own extremes, so that a slice without any finding glows as
brightly as one with; here heat never exceeds the slice's probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from ..utils import InputError
from .colors import Color
from .overlays import class_edges

HEAT_ALPHA = 0.4  # opacity of the tint at heat 1: blood stays visible under it
_CONTOUR_SHARE = 0.5  # of the slice's peak


def scale_heat(cam: np.ndarray, probability: np.ndarray, threshold: float) -> np.ndarray:
    """Scale the activation of one class in one study to heat.

    heat = min(cam / c, 1) * p, with p the slice's probability and c the study's highest activation among the
    slices at or above the threshold (among all where none is). So heat never exceeds the probability: slices
    that are called negative stay dark, however strong the activation; and a slice that is called by its
    neighbours' evidence alone stays dark too.

    Args:
        cam: (h, w, D) activation, at least 0 after ReLU; lower values count as 0.
        probability: (D,) probability of the class in each slice, 0-1.
        threshold: probability from which the class is called, 0-1.

    Returns:
        (h, w, D) float32, 0-1; zeros where no activation is positive.

    Raises:
        InputError: arrays that do not fit, NaN or infinite activation, or probabilities outside 0-1.
    """
    if cam.ndim != 3 or probability.shape != cam.shape[-1:]:
        raise InputError(f"activation of shape {cam.shape} and probability of shape {probability.shape}")
    if not np.isfinite(cam).all():
        raise InputError("activation holds NaN or infinite values")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise InputError("probabilities outside 0-1 or NaN")
    peaks = cam.max(axis=(0, 1))
    called = probability >= np.asarray(threshold, probability.dtype)
    reference = peaks[called if called.any() else slice(None)].max(initial=0)
    if reference <= 0:
        return np.zeros(cam.shape, np.float32)
    return (np.clip(cam / reference, 0, 1) * probability).astype(np.float32)


def resize_heat(heat: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Bring the heat of one slice to a grid over the same field of view, bilinear, edges held.

    Args:
        heat: (h, w) float.
        rows: rows H of the grid.
        columns: columns W of the grid.

    Returns:
        (H, W) float32 within the range of ``heat``.
    """
    picture = Image.fromarray(np.ascontiguousarray(heat, dtype=np.float32))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR))


def blend_heat(
    slice_gray: np.ndarray, heats: Mapping[int, np.ndarray], *, colors: Sequence[Color]
) -> np.ndarray:
    """Tint a slice by the heat of some classes, and outline each class at half of its peak in the slice.

    Args:
        slice_gray: (H, W) uint8.
        heats: class (from 0) -> (H, W) heat, 0-1; drawn in this order. A map of zeros leaves no trace.
        colors: RGB of the classes.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: a map of another shape than the slice.
    """
    drawn = np.repeat(slice_gray[..., None], 3, axis=2).astype(np.float32)
    outlines = np.zeros(slice_gray.shape, np.uint8)
    for k, heat in heats.items():
        if heat.shape != slice_gray.shape:
            raise InputError(f"heat of shape {heat.shape} and slice of shape {slice_gray.shape} do not fit")
        opacity = HEAT_ALPHA * heat[..., None]
        drawn = (1 - opacity) * drawn + opacity * np.array(colors[k], np.float32)
        if heat.max() > 0:
            outlines[class_edges((heat >= _CONTOUR_SHARE * heat.max()).astype(np.uint8))] = k + 1
    drawn = drawn.round().astype(np.uint8)
    drawn[outlines > 0] = np.array(colors, np.uint8)[outlines[outlines > 0] - 1]
    return drawn
