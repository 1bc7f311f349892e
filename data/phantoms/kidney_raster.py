# SPDX-License-Identifier: Apache-2.0
"""Tubes and balls painted into slabs of voxels with their partial volumes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .kidney_body import Grid

_PIXEL = np.float32(np.pi**-0.5)  # radius of a disc of one pixel's area, in pixels
_VOXEL = np.float32((3 / (4 * np.pi)) ** (1 / 3))  # radius of a ball of one voxel's volume, in voxels


@dataclass(frozen=True)
class Shapes:
    """Straight tubes with round ends, or balls where start and end are one.

    Attributes:
        start_um: (n, 3).
        end_um: (n, 3).
        radius_um: (n,) of the core.
        wall_um: (n,) thickness of what surrounds the core; 0 for none.
        owner: (n,) a number that is painted with the core.
        balls: all of them are balls.
    """

    start_um: np.ndarray
    end_um: np.ndarray
    radius_um: np.ndarray
    wall_um: np.ndarray
    owner: np.ndarray
    balls: bool = False


def disc_coverage(distance: np.ndarray, radius: float) -> np.ndarray:
    """Share of a pixel that a disc covers: the lens of two circles, the pixel taken as a disc of its area.

    A tube is cut by the pixel plane across it, so this is the share of a voxel that a long tube fills, also
    where the tube is thinner than a voxel.

    Args:
        distance: of the pixel's centre from the disc's, in pixels.
        radius: of the disc, in pixels.

    Returns:
        0-1, float32, of the shape of ``distance``.
    """
    d = np.asarray(distance, dtype=np.float32)
    r, p = np.float32(radius), _PIXEL
    whole = np.minimum(r, p) ** 2 / p**2
    covered = np.where(d <= abs(r - p), whole, np.float32(0))
    cut = (d > abs(r - p)) & (d < r + p)
    if cut.any():
        s = d[cut]
        a = r * r * np.arccos(np.clip((s * s + r * r - p * p) / (2 * s * r), -1, 1))
        b = p * p * np.arccos(np.clip((s * s + p * p - r * r) / (2 * s * p), -1, 1))
        c = 0.5 * np.sqrt(np.clip((r + p - s) * (s + r - p) * (s - r + p) * (s + r + p), 0, None))
        covered[cut] = (a + b - c) / (np.float32(np.pi) * p * p)
    return covered


def ball_coverage(distance: np.ndarray, radius: float) -> np.ndarray:
    """Share of a voxel that a ball covers: the lens of two balls, the voxel taken as a ball of its volume.

    Args:
        distance: of the voxel's centre from the ball's, in voxels.
        radius: of the ball, in voxels.

    Returns:
        0-1, float32, of the shape of ``distance``.
    """
    d = np.asarray(distance, dtype=np.float32)
    r, p = np.float32(radius), _VOXEL
    covered = np.where(d <= abs(r - p), np.minimum(r, p) ** 3 / p**3, np.float32(0))
    cut = (d > abs(r - p)) & (d < r + p)
    if cut.any():
        s = d[cut]
        lens = (r + p - s) ** 2 * (s * s + 2 * s * (r + p) - 3 * (r - p) ** 2) / (12 * s)
        covered[cut] = lens / (np.float32(4 / 3) * p**3)
    return covered


@dataclass
class Canvas:
    """What was painted into some slices.

    Attributes:
        core: (slices, rows, columns) share covered by cores, float32.
        outer: share covered by cores and walls.
        owner: number of the shape that covers most of the voxel, -1 where none does.
    """

    core: np.ndarray
    outer: np.ndarray
    owner: np.ndarray

    @classmethod
    def blank(cls, shape: tuple[int, int, int]) -> Canvas:
        """Nothing painted yet."""
        return cls(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.full(shape, -1, np.int32))


def paint(shapes: Shapes, grid: Grid, part: slice, canvas: Canvas) -> None:
    """Paint shapes over a canvas; where several cover a voxel, the one that covers most counts.

    Args:
        shapes: what to paint.
        grid: the voxels.
        part: the slices that ``canvas`` holds, with a start and a stop.
        canvas: changed in place.
    """
    if not len(shapes.owner):
        return
    start, end = (
        (ends - grid.corner_um) / grid.spacing_um - 0.5 for ends in (shapes.start_um, shapes.end_um)
    )
    radius, wall = shapes.radius_um / grid.spacing_um, shapes.wall_um / grid.spacing_um
    reach = (radius + wall + 1)[:, None]
    low = np.maximum(np.ceil(np.minimum(start, end) - reach).astype(int), (part.start, 0, 0))
    stop = (part.stop, grid.shape[1], grid.shape[2])
    high = np.minimum(np.floor(np.maximum(start, end) + reach).astype(int) + 1, stop)
    coverage = ball_coverage if shapes.balls else disc_coverage
    for i in np.flatnonzero((low < high).all(axis=1)):
        distance = _distance(start[i], end[i], low[i], high[i])
        z = slice(low[i, 0] - part.start, high[i, 0] - part.start)
        box = (z, slice(low[i, 1], high[i, 1]), slice(low[i, 2], high[i, 2]))
        core = coverage(distance, radius[i])
        outer = coverage(distance, radius[i] + wall[i]) if wall[i] else core
        np.maximum(canvas.outer[box], outer, out=canvas.outer[box])
        owner = canvas.owner[box]
        owner[core > canvas.core[box]] = shapes.owner[i]
        np.maximum(canvas.core[box], core, out=canvas.core[box])


def _distance(start: np.ndarray, end: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Distance in voxels of the voxels of a box from a straight line between two points."""
    p = [
        (np.arange(low[a], high[a]) - start[a])
        .astype(np.float32)
        .reshape([-1 if b == a else 1 for b in range(3)])
        for a in range(3)
    ]
    d = (end - start).astype(np.float32)
    square = float(d @ d)
    if square < 1e-8:
        return np.sqrt(p[0] ** 2 + p[1] ** 2 + p[2] ** 2)
    t = np.clip((p[0] * d[0] + p[1] * d[1] + p[2] * d[2]) / np.float32(square), 0, 1)
    return np.sqrt(sum((p[a] - t * d[a]) ** 2 for a in range(3)))
