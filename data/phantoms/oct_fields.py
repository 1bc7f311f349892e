# SPDX-License-Identifier: Apache-2.0
"""Smooth random fields in millimetres, and the grid on which a scan samples them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DEPTH_MM, WIDTH_MM, BREADTH_MM = 2.0, 6.0, 6.0  # rows, columns, slices of a macular cube


@dataclass(frozen=True)
class Grid:
    """Pixel centres of a macular cube of ``shape`` (rows, columns, slices); it always covers 2 x 6 x 6 mm."""

    shape: tuple[int, int, int]

    @property
    def z(self) -> np.ndarray:
        """Depth of the row centres in mm, (rows,), 0 at the top of the image."""
        return _centres(self.shape[0], DEPTH_MM)

    @property
    def x(self) -> np.ndarray:
        """Lateral position of the column centres in mm, (columns,)."""
        return _centres(self.shape[1], WIDTH_MM)

    @property
    def y(self) -> np.ndarray:
        """Position of the slices in mm, (slices,)."""
        return _centres(self.shape[2], BREADTH_MM)

    @property
    def row_mm(self) -> float:
        """Height of a pixel in mm."""
        return DEPTH_MM / self.shape[0]

    @property
    def column_mm(self) -> float:
        """Width of a pixel in mm."""
        return WIDTH_MM / self.shape[1]

    def nearest_slice(self, y_mm: float) -> float:
        """Position in mm of the slice nearest to ``y_mm``."""
        return float(self.y[np.abs(self.y - y_mm).argmin()])


class Waves:
    """A smooth random field: a sum of plane waves with random directions, lengths and phases.

    Unlike filtered noise it is a function of position in mm, so the same seed gives the same anatomy on every
    grid, and it goes on smoothly from slice to slice. Mean 0, variance 1, nearly Gaussian from 20 waves up.

    Args:
        rng: where the waves are drawn from.
        wavelength_mm: shortest and longest wave.
        count: number of waves.
        stretch: (depth, lateral, across) factors on the wavelength, for fields that are longer one way.
        flat: leave the depth axis out, so that all waves lie in the en-face plane.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        wavelength_mm: tuple[float, float],
        *,
        count: int = 24,
        stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
        flat: bool = True,
    ) -> None:
        directions = rng.standard_normal((count, 3))
        if flat:
            directions[:, 0] = 0.0
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = np.exp(rng.uniform(*np.log(wavelength_mm), size=(count, 1)))
        wavelengths = lengths * np.asarray(stretch)  # (count, 3) in the order z, x, y
        self._k = (2 * np.pi * directions / wavelengths).astype(np.float32)
        self._phase = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
        self._amplitude = np.float32(np.sqrt(2.0 / count))

    def en_face(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The field at depth 0 on (len(y), len(x)) positions in mm, float32."""
        return self._plane(_phases(y, self._k[:, 2]) + self._phase, _phases(x, self._k[:, 1]))

    def b_scan(self, z: np.ndarray, x: np.ndarray, y_mm: float) -> np.ndarray:
        """The field of one slice at ``y_mm`` on (len(z), len(x)) positions in mm, float32."""
        phase = self._phase + self._k[:, 2] * np.float32(y_mm)
        return self._plane(_phases(z, self._k[:, 0]) + phase, _phases(x, self._k[:, 1]))

    def _plane(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        # cos(u + v) = cos u cos v - sin u sin v: one matrix product instead of a cosine per pixel and wave
        return self._amplitude * (np.hstack([np.cos(u), -np.sin(u)]) @ np.hstack([np.cos(v), np.sin(v)]).T)


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rise from 0 at ``low`` to 1 at ``high`` with flat ends (cubic)."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _phases(positions: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Phase of every wave at every position, (positions, waves)."""
    return np.asarray(positions, np.float32)[:, None] * k


def _centres(count: int, length_mm: float) -> np.ndarray:
    return (np.arange(count, dtype=np.float32) + np.float32(0.5)) * np.float32(length_mm / count)
