# SPDX-License-Identifier: Apache-2.0
"""From reflectivity to grey levels: speckle, noise floor, uneven illumination, log compression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .oct_fields import DEPTH_MM, Grid, Waves

AXIAL_MM, LATERAL_MM = 0.005, 0.015  # full width at half maximum of a spectral-domain macular scanner
LOOKS = 2  # averaged speckle patterns per pixel, as after a scanner's own smoothing
_FWHM = 2.3548  # of a Gaussian, in standard deviations


@dataclass
class Scanner:
    """The settings of one scan.

    Attributes:
        grid: the pixel grid.
        floor: grey level of the mean electronic noise.
        grey_per_db: slope of the log compression.
        roll_off_db: loss from the top to the bottom of the image, as spectral-domain scanners have.
        illumination: en-face map in dB (slices, columns): media opacities, vignetting, slices of weak signal.
    """

    grid: Grid
    floor: float
    grey_per_db: float
    roll_off_db: float
    illumination: np.ndarray

    def expose(self, level_db: np.ndarray, index: int, rng: np.random.Generator) -> np.ndarray:
        """Turn the reflectivity of slice ``index``, (rows, columns) in dB above the noise floor, into uint8.

        Signal and noise are intensities: the signal multiplied by correlated speckle, the noise white.
        """
        depth = self.grid.z[:, None] / np.float32(DEPTH_MM)
        level = level_db + self.illumination[index] - np.float32(self.roll_off_db) * depth
        signal = np.exp(level * np.float32(np.log(10) / 10))
        sigma = (AXIAL_MM / _FWHM / self.grid.row_mm, LATERAL_MM / _FWHM / self.grid.column_mm)
        signal *= speckle(rng, level.shape, sigma)
        signal += rng.standard_gamma(LOOKS, level.shape, np.float32) / np.float32(LOOKS)
        grey = np.float32(self.floor) + np.float32(self.grey_per_db * 10 / np.log(10)) * np.log(signal)
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def speckle(rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[float, float]) -> np.ndarray:
    """Fully developed speckle: intensity with mean 1, gamma distributed with ``LOOKS`` looks, float32.

    The mean of ``LOOKS`` squared moduli of complex Gaussian fields (Goodman, *Speckle Phenomena in Optics*),
    each smoothed over the resolution cell.

    Args:
        rng: source of randomness.
        shape: (rows, columns).
        sigma: resolution cell as a Gaussian's standard deviation in pixels (axial, lateral); 0.45 at least,
            since neighbouring pixels of a display are never independent.
    """
    sigma = tuple(max(0.45, s) for s in sigma)
    intensity = np.zeros(shape, np.float32)
    for _ in range(2 * LOOKS):  # real and imaginary part of each look
        field = gaussian_filter(rng.standard_normal(shape, np.float32), sigma, mode="wrap", truncate=3)
        intensity += field * field
    return intensity / intensity.mean()


def draw_scanner(grid: Grid, rng: np.random.Generator) -> Scanner:
    """Draw the settings of one scan; every volume of a patient has its own."""
    lateral = 0.9 * Waves(rng, (0.6, 3.0)).en_face(grid.y, grid.x)
    weak = 1.2 * Waves(rng, (0.2, 1.5), count=12).en_face(grid.y, np.zeros(1))
    edge = np.abs(grid.x[None, :] / 3.0 - 1) ** 6 * rng.choice([0.0, 0.0, 6.0])
    return Scanner(
        grid=grid,
        floor=rng.uniform(17.0, 25.0),
        grey_per_db=rng.uniform(3.1, 3.9),
        roll_off_db=rng.uniform(1.0, 5.0),
        illumination=(lateral + weak - edge).astype(np.float32),
    )
