# SPDX-License-Identifier: Apache-2.0
"""Straight pieces of tubes painted into slabs of thin planes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .chest_geometry import Grid, soft

_NEAREST = 24  # a thick vessel's knot may be further off than those of thin ones


@dataclass(frozen=True)
class Tubes:
    """Straight tubes with round ends.

    Attributes:
        start: (n, 3) x, y, z in body mm.
        end: (n, 3).
        radius: (n,) in mm.
    """

    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray

    @classmethod
    def along(cls, path: np.ndarray) -> Tubes:
        """A tube along knots (n, 4): x, y, z, radius; each piece has the mean radius of its ends."""
        path = np.asarray(path, np.float64)
        return cls(path[:-1, :3], path[1:, :3], (path[:-1, 3] + path[1:, 3]) / 2)

    @classmethod
    def joined(cls, many: list[Tubes]) -> Tubes:
        """All of them in one."""
        if not many:
            return cls(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
        return cls(*(np.concatenate([getattr(t, name) for t in many]) for name in ("start", "end", "radius")))

    def clearance(self, points: np.ndarray) -> np.ndarray:
        """Distance (n,) in mm from points (n, 3) to the nearest surface, inside < 0; by knots of pieces."""
        knots = np.concatenate([self.start, (self.start + self.end) / 2, self.end])
        radius = np.append(np.tile(self.radius, 3), 0.0)  # the last for neighbours that do not exist
        gap, nearest = cKDTree(knots).query(points, k=_NEAREST)
        return (gap - radius[nearest]).min(axis=1)


def paint_tubes(tubes: Tubes, grid: Grid, z: np.ndarray) -> np.ndarray:
    """Share of each voxel that tubes fill, the fullest where several meet.

    Args:
        tubes: what to paint.
        grid: rows and columns.
        z: (planes,) heights of thin planes, ascending.

    Returns:
        float32 (planes, H, W), 0-1.
    """
    canvas = np.zeros((len(z), len(grid.rows), len(grid.columns)), np.float32)
    axes = (grid.columns, grid.rows, z)
    reach = (tubes.radius + grid.edge)[:, None]
    low, high = np.minimum(tubes.start, tubes.end) - reach, np.maximum(tubes.start, tubes.end) + reach
    first = np.stack([np.searchsorted(axis, low[:, a]) for a, axis in enumerate(axes)], 1)
    stop = np.stack([np.searchsorted(axis, high[:, a], "right") for a, axis in enumerate(axes)], 1)
    for i in np.flatnonzero((first < stop).all(1)):
        cut = [slice(first[i, a], stop[i, a]) for a in range(3)]
        gap = _distance(tubes.start[i], tubes.end[i], [axis[c] for axis, c in zip(axes, cut, strict=True)])
        box = canvas[cut[2], cut[1], cut[0]]
        np.maximum(box, soft(np.float32(tubes.radius[i]) - gap, grid.edge), out=box)
    return canvas


def _distance(start: np.ndarray, end: np.ndarray, axes: list[np.ndarray]) -> np.ndarray:
    """Distance (planes, rows, columns) from the line between two points."""
    shapes = ((1, 1, -1), (1, -1, 1), (-1, 1, 1))
    p = [(axis - s).astype(np.float32).reshape(n) for axis, s, n in zip(axes, start, shapes, strict=True)]
    d = (end - start).astype(np.float32)
    along = (p[0] * d[0] + p[1] * d[1] + p[2] * d[2]) / np.float32(max(float(d @ d), 1e-9))
    t = np.clip(along, 0, 1)
    return np.sqrt((p[0] - t * d[0]) ** 2 + (p[1] - t * d[1]) ** 2 + (p[2] - t * d[2]) ** 2)
