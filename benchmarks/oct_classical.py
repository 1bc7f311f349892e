# SPDX-License-Identifier: Apache-2.0
"""A classical baseline for retinal fluid: what is dark between the retina's inner and outer border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

DARKNESS = (0.25, 0.35, 0.45, 0.55, 0.65, 0.75)


class DarkRegion:
    """Mark pixels darker than a share of their B-scan's retinal gray, between the borders, opened.

    The inner border is a column's first strong rise of the smoothed gray, the outer one its brightest pixel
    in the outer half of the tissue (the pigment epithelium), both smoothed along the slice by a median.

    Args:
        darkness: gray below ``darkness`` times the median gray between the borders is fluid.
        sigma: smoothing before thresholding, in pixels.
    """

    def __init__(self, *, darkness: float, sigma: float = 2.0) -> None:
        self.darkness = darkness
        self.sigma = sigma

    def __call__(self, volume: np.ndarray) -> np.ndarray:
        """Return a boolean mask of (H, W, D)."""
        return np.stack([self._one(volume[..., index]) for index in range(volume.shape[-1])], axis=-1)

    def _one(self, pixels: np.ndarray) -> np.ndarray:
        smooth = ndimage.gaussian_filter(without_fill(pixels), self.sigma)
        inner, outer = retina_borders(smooth)
        rows = np.arange(pixels.shape[0])[:, None]
        inside = (rows > inner) & (rows < outer)
        if not inside.any():
            return inside
        dark = inside & (smooth < self.darkness * np.median(smooth[inside]))
        return ndimage.binary_opening(dark, iterations=2)


def without_fill(pixels: np.ndarray) -> np.ndarray:
    """Replace the white corners that registration leaves at the image's edges by the median gray."""
    parts, _ = ndimage.label(pixels >= 250)
    edges = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    fill = np.isin(parts, edges[edges > 0])
    fill = ndimage.binary_dilation(fill, iterations=4) if fill.any() else fill
    return np.where(fill, np.median(pixels), pixels).astype(np.float32)


def retina_borders(smooth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the inner and outer border of each column of a smoothed B-scan."""
    heavy = ndimage.gaussian_filter(smooth, (3, 8))
    level = np.percentile(heavy, 50) + 0.3 * (np.percentile(heavy, 99) - np.percentile(heavy, 50))
    bright = heavy > level
    inner = np.where(bright.any(axis=0), bright.argmax(axis=0), 0)
    last = heavy.shape[0] - 1 - bright[::-1].argmax(axis=0)
    middle = (inner + last) // 2
    rows = np.arange(heavy.shape[0])[:, None]
    outer = np.where((rows >= middle) & (rows <= last), heavy, -1).argmax(axis=0)
    return ndimage.median_filter(inner, 25), ndimage.median_filter(outer, 25)


def best_darkness(cases: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The threshold of the grid with the best pooled Dice on (volume, reference) pairs."""

    def pooled_dice(darkness: float) -> float:
        both = size = 0
        for volume, reference in cases:
            found = DarkRegion(darkness=darkness)(volume)
            both += int((found & reference).sum())
            size += int(found.sum()) + int(reference.sum())
        return 2 * both / max(size, 1)

    return max(DARKNESS, key=pooled_dice)
