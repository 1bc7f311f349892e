# SPDX-License-Identifier: Apache-2.0
"""A head-CT baseline without learning: how much of the brain is as bright as blood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

BONE_HU = 300.0
BLOOD_HU = (55.0, 95.0)
_SMOOTHING_MM = 2.5
_MARGIN_MM = 2.0


@dataclass(frozen=True)
class BrightBrain:
    """Score a slice by the area inside the skull whose density is that of fresh blood.

    Fresh blood measures about 50-80 HU, grey matter 37-41 HU. Partial volume makes brain beside bone as
    bright as blood, so a margin along the skull is left out: a thin bleed there is what this baseline misses.

    Args:
        blood_hu: lowest and highest density that counts, HU.
    """

    blood_hu: tuple[float, float] = BLOOD_HU

    def __call__(self, volume: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
        """Area of blood-like density in each slice, (D,) in mm2, of a volume (H, W, D) in HU."""
        return np.array([self._area(volume[..., k], spacing_mm) for k in range(volume.shape[-1])])

    def _area(self, pixels: np.ndarray, spacing_mm: tuple[float, float]) -> float:
        smooth = ndimage.gaussian_filter(pixels.astype(np.float32), [_SMOOTHING_MM / s for s in spacing_mm])
        inside = brain_mask(pixels, spacing_mm)
        low, high = self.blood_hu
        return float(((smooth >= low) & (smooth <= high) & inside).sum() * spacing_mm[0] * spacing_mm[1])


def brain_mask(pixels: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    """What the skull encloses in a slice (H, W) in HU, less a margin; empty where no bone is closed."""
    bone = ndimage.binary_closing(pixels > BONE_HU, iterations=2)
    inside = ndimage.binary_fill_holes(bone) & ~bone
    margin = max(1, round(_MARGIN_MM / min(spacing_mm)))
    inside = ndimage.binary_erosion(inside, iterations=margin)
    labels, count = ndimage.label(inside)
    if count == 0:
        return inside
    sizes = np.bincount(labels.ravel())[1:]
    return labels == 1 + int(sizes.argmax())
