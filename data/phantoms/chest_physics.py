# SPDX-License-Identifier: Apache-2.0
"""What a CT scanner does to a chest: blur, correlated noise, the circle of reconstruction, whole HU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .chest_geometry import Grid

LOWEST_HU, HIGHEST_HU = -1024, 3071


@dataclass(frozen=True)
class Scanner:
    """One scanner and its settings.

    Attributes:
        noise_hu: noise in HU of a slice of 1.25 mm in soft tissue; half of it in lung and air.
        blur_mm: standard deviation of the point spread within a slice.
        grain_mm: correlation of the noise.
        padding_hu: what is stored outside the circle of reconstruction.
    """

    noise_hu: float
    blur_mm: float
    grain_mm: float
    padding_hu: int = LOWEST_HU

    def expose(self, hu: np.ndarray, grid: Grid, rng: np.random.Generator) -> np.ndarray:
        """int16 (slices, H, W) of true HU (slices, H, W) float32."""
        pixel = (grid.spacing[0], grid.spacing[1])
        sigma = self.noise_hu * (1.25 / grid.spacing[2]) ** 0.5
        outside = self._outside(grid)
        out = np.empty(hu.shape, np.int16)
        for k, plane in enumerate(hu):
            image = gaussian_filter(plane, [self.blur_mm / p for p in pixel], truncate=3.0)
            noise = rng.standard_normal(image.shape, np.float32)
            noise = gaussian_filter(noise, [self.grain_mm / p for p in pixel], truncate=2.5)
            noise *= np.float32(sigma / max(float(noise.std()), 1e-6))
            noise *= np.clip(image * np.float32(0.0005) + np.float32(1.0), 0.5, 1.2)
            stored = np.clip(np.rint(image + noise), LOWEST_HU, HIGHEST_HU)
            stored[outside] = self.padding_hu
            out[k] = stored
        return out

    def _outside(self, grid: Grid) -> np.ndarray:
        middle = [(axis[0] + axis[-1]) / 2 for axis in (grid.rows, grid.columns)]
        radius = min(len(grid.rows) * grid.spacing[0], len(grid.columns) * grid.spacing[1]) / 2
        y, x = grid.rows[:, None] - middle[0], grid.columns[None, :] - middle[1]
        return x * x + y * y > radius * radius


def draw_scanner(rng: np.random.Generator, *, padding_hu: int = LOWEST_HU) -> Scanner:
    """Draw a scanner: low or usual dose, smooth or sharp kernel."""
    return Scanner(
        float(rng.uniform(14, 38)), float(rng.uniform(0.4, 0.65)), float(rng.uniform(0.4, 0.75)), padding_hu
    )
