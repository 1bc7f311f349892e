# SPDX-License-Identifier: Apache-2.0
"""What the scan adds: correlated noise, rings about the axis of rotation, streaks of an air bubble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .kidney_body import Grid

_NOISE_SIGMA = 0.7  # voxels; neighbours correlate by 0.6 as in the published slices
_HALO = 3


@dataclass(frozen=True)
class Scanner:
    """The faults of one scan; they belong to the detector, so they are defined on voxels.

    Attributes:
        seed: of the noise; slices have their own streams, so that a slab can be made alone.
        noise: standard deviation in 8-bit grays.
        axis: where the axis of rotation passes, in shares of rows and columns.
        rings: (n, 5) strong rings: radius as a share of the rows, width in voxels, gray, middle and half
            length as shares of the slices.
        bubble: (3,) place of an air bubble in the medium, in shares of slices, rows and columns.
        streak: gray of its streaks.
    """

    seed: int
    noise: float
    axis: tuple[float, float]
    rings: np.ndarray
    bubble: np.ndarray
    streak: float

    def add(self, gray: np.ndarray, grid: Grid, part: slice) -> None:
        """Add everything to some slices (slices, rows, columns) of 8-bit grays, in place."""
        rows, columns = grid.shape[1:]
        y = (np.arange(rows, dtype=np.float32) - np.float32(self.axis[0] * rows))[:, None]
        x = (np.arange(columns, dtype=np.float32) - np.float32(self.axis[1] * columns))[None, :]
        self._add_rings(gray, np.hypot(y, x), grid, part)
        self._add_streaks(gray, grid, part)
        gray += np.float32(self.noise) * self._noise(grid, part)

    def _add_rings(self, gray: np.ndarray, radius: np.ndarray, grid: Grid, part: slice) -> None:
        bins = np.minimum(radius.astype(int), int(radius.max()))
        strong = [
            (middle, half, level * np.exp(-(((radius - share * grid.shape[1]) / width) ** 2)))
            for share, width, level, middle, half in self.rings
        ]
        for index, z in enumerate(range(part.start, part.stop)):
            rng = np.random.default_rng([self.seed, 1, z // 4])  # a fault lasts a few detector rows
            gray[index] += rng.normal(0.0, 0.35, bins.max() + 1).astype(np.float32)[bins]
            place = (z + 0.5) / grid.shape[0]
            for middle, half, ring in strong:
                if abs(place - middle) < half:
                    gray[index] += ring.astype(np.float32)

    def _add_streaks(self, gray: np.ndarray, grid: Grid, part: slice) -> None:
        size = 0.02 * grid.shape[1] + 1
        y = (np.arange(grid.shape[1]) - self.bubble[1] * grid.shape[1])[:, None] / size
        x = (np.arange(grid.shape[2]) - self.bubble[2] * grid.shape[2])[None, :] / size
        beams = np.exp(-(x**2)) / (1 + 0.1 * np.abs(y)) + np.exp(-(y**2)) / (1 + 0.1 * np.abs(x))
        streaks = np.float32(self.streak) * (np.cos(3 * (x + y)) * beams).astype(np.float32)
        for index, z in enumerate(range(part.start, part.stop)):
            height = (z + 0.5 - self.bubble[0] * grid.shape[0]) / size
            if abs(height) < 3:
                gray[index] += np.float32(np.exp(-(height**2))) * streaks
                air = np.clip(1.5 - np.sqrt(x**2 + y**2 + height**2), 0, 1).astype(np.float32)
                gray[index] *= 1 - np.float32(0.7) * air

    def _noise(self, grid: Grid, part: slice) -> np.ndarray:
        """Gaussian noise of unit variance, blurred as a reconstruction does."""
        planes = [
            np.random.default_rng([self.seed, 2, z + _HALO]).standard_normal(grid.shape[1:], np.float32)
            for z in range(part.start - _HALO, part.stop + _HALO)
        ]
        blurred = ndimage.gaussian_filter(np.stack(planes), _NOISE_SIGMA, mode="wrap", radius=_HALO)
        line = np.zeros(2 * _HALO + 1)
        line[_HALO] = 1
        weights = ndimage.gaussian_filter1d(line, _NOISE_SIGMA, mode="constant", radius=_HALO)
        return blurred[_HALO:-_HALO] / np.float32((weights**2).sum() ** 1.5)


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """Draw the faults of a scan."""
    count = int(rng.integers(4, 9))
    rings = np.stack(
        [
            rng.uniform(0.03, 0.6, count),
            rng.uniform(0.6, 1.2, count),
            rng.choice((-1, 1), count) * rng.uniform(1.5, 4.0, count),
            rng.uniform(0, 1, count),
            rng.uniform(0.05, 0.4, count),
        ],
        axis=1,
    )
    return Scanner(
        seed=int(rng.integers(2**31)),
        noise=float(rng.uniform(2.6, 3.6)),
        axis=tuple(0.5 + rng.uniform(-0.04, 0.04, 2)),
        rings=rings,
        bubble=np.array([rng.uniform(0.2, 0.8), rng.choice((0.05, 0.95)), rng.choice((0.05, 0.95))]),
        streak=float(rng.uniform(6.0, 12.0)),
    )
