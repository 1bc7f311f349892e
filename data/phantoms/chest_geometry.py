# SPDX-License-Identifier: Apache-2.0
"""Where the voxels of a chest scan lie, and the soft-edged solids that the chest phantom is built of.

Body coordinates are in mm: x to the patient's left, y to the back, z to the head; (0, 0, 0) lies in the
middle of the chest, a little below the carina. Anatomy is defined in those of a template adult and stretched
by a ``Build``. Solids are functions of position, not voxel masks, so a scan of any voxel size shows the same
chest. They take coordinates that broadcast: (1, W), (H, 1) and a number for a plane, or (N,) each for points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Coord = np.ndarray | float
_THIN_MM = 1.6
_SMALL = np.float32(1e-6)


@dataclass(frozen=True)
class Build:
    """How large a patient is.

    Attributes:
        size: (3,) body mm for a mm of the template along x, y, z.
        scale: one factor for thicknesses.
    """

    size: tuple[float, float, float]
    scale: float

    def template(self, x: Coord, y: Coord, z: Coord) -> tuple[Coord, Coord, Coord]:
        """Body mm to template mm."""
        return tuple(_single(c) / np.float32(s) for c, s in zip((x, y, z), self.size, strict=True))

    def body(self, points: np.ndarray) -> np.ndarray:
        """Template mm (..., 3) to body mm."""
        return np.asarray(points, np.float64) * np.asarray(self.size)


@dataclass(frozen=True)
class Grid:
    """Voxel centres in body mm.

    Attributes:
        rows: (H,) y of the rows, to the back.
        columns: (W,) x of the columns, to the patient's left.
        slices: (D,) z of the slices, to the head.
    """

    rows: np.ndarray
    columns: np.ndarray
    slices: np.ndarray
    spacing: tuple[float, float, float]

    @property
    def planes_per_slice(self) -> int:
        """Thin planes that are averaged to a slice, so that thick slices show partial volumes."""
        return max(1, round(self.spacing[2] / _THIN_MM))

    @property
    def edge(self) -> float:
        """Width in mm over which borders fade: about a voxel."""
        return float((self.spacing[0] * self.spacing[1] * self.spacing[2] / self.planes_per_slice) ** (1 / 3))

    def planes(self, first: int, stop: int) -> np.ndarray:
        """Z of the thin planes of some slices."""
        count = self.planes_per_slice
        within = ((np.arange(count) + 0.5) / count - 0.5) * self.spacing[2]
        return (self.slices[first:stop, None] + within).ravel()


def soft(inside_mm: np.ndarray, edge: float) -> np.ndarray:
    """Share of a voxel that is inside, 0-1, from the distance to the border in mm (inside > 0)."""
    return np.clip(inside_mm * np.float32(1 / edge) + np.float32(0.5), 0, 1)


def superellipse(x: Coord, y: Coord, half: tuple[Coord, Coord], power: float = 2.0) -> np.ndarray:
    """Distance inside |x/a|**p + |y/b|**p = 1, first order: right at the border, too large deep inside."""
    a, b = half
    p = np.float32(power)
    u, v = np.abs(x) / a, np.abs(y) / b
    steep = (p / a * u ** (p - 1)) ** 2 + (p / b * v ** (p - 1)) ** 2
    return (1 - u**p - v**p) / np.sqrt(steep + _SMALL)


def block(x: Coord, y: Coord, half: tuple[float, float]) -> np.ndarray:
    """Distance inside a rectangle around 0 (its nearest side)."""
    return np.minimum(half[0] - np.abs(x), half[1] - np.abs(y))


def rounded_min(one: np.ndarray, other: np.ndarray, radius: float) -> np.ndarray:
    """Distance inside both of two solids, the edge where they meet rounded by about ``radius``."""
    h = np.maximum(np.float32(radius) - np.abs(one - other), 0)
    return np.minimum(one, other) - h * h * np.float32(0.25 / radius)


def _single(values: Coord) -> Coord:
    return np.asarray(values, np.float32) if isinstance(values, np.ndarray) else np.float32(values)
