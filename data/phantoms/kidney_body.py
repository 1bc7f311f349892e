# SPDX-License-Identifier: Apache-2.0
"""The kidney's place and outline in continuous coordinates, sampled on any grid.

World coordinates are micrometres (z, y, x) from the corner of the volume: voxel i of a grid has its centre
at (i + 0.5) * spacing. The body is a bent ellipsoid. In body coordinates, after the bending and divided by
the half-axes, it is the unit ball, which is convex: what is grown between points of the ball stays in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .oct_fields import Waves

_HALF_AXES = (0.41, 0.43, 0.38)  # of the extent: slices, rows, columns
_BEND = 0.30  # how far both poles lean towards the hilum, in half-axes of the columns


@dataclass(frozen=True)
class Grid:
    """Voxels of one kidney.

    Attributes:
        shape: slices, rows, columns.
        spacing_um: distance of voxel centres.
        corner_um: (3,) world position of the volume's corner.
    """

    shape: tuple[int, int, int]
    spacing_um: float
    corner_um: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def centres(self, axis: int, part: slice = slice(None)) -> np.ndarray:
        """World positions in um of the voxels' centres along an axis, float32."""
        index = np.arange(self.shape[axis])[part]
        return (self.corner_um[axis] + (index + 0.5) * self.spacing_um).astype(np.float32)


@dataclass(frozen=True)
class Body:
    """The outline of one kidney.

    Attributes:
        centre: (3,) of the ellipsoid, in um.
        turn: (3, 3) rotation from world to body axes.
        half_axes: (3,) in um.
        side: +1 where the hilum lies at large column numbers, -1 at small ones.
        bumps: the unevenness of the surface, in um.
        bump_um: its standard deviation.
    """

    centre: np.ndarray
    turn: np.ndarray
    half_axes: np.ndarray
    side: int
    bumps: Waves
    bump_um: float

    @property
    def size_um(self) -> float:
        """Geometric mean of the half-axes."""
        return float(np.prod(self.half_axes) ** (1 / 3))

    def to_world(self, ball: np.ndarray) -> np.ndarray:
        """Map points (n, 3) of the unit ball to um (n, 3)."""
        bent = np.array(ball, dtype=np.float64)
        bent[:, 2] = self.side * (bent[:, 2] + _BEND * (bent[:, 1] ** 2 - 0.25))
        return (bent * self.half_axes) @ self.turn + self.centre

    def to_ball(self, points_um: np.ndarray) -> np.ndarray:
        """Map points (n, 3) in um to the unit ball (n, 3); the reverse of ``to_world``."""
        ball = (np.asarray(points_um, dtype=np.float64) - self.centre) @ self.turn.T / self.half_axes
        ball[:, 2] = self.side * ball[:, 2] - _BEND * (ball[:, 1] ** 2 - 0.25)
        return ball

    def sample(self, grid: Grid, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """Where the voxels of some slices lie.

        Args:
            grid: the voxels.
            part: the slices.

        Returns:
            ball: coordinates in the unit ball, (3, slices, rows, columns) float32.
            depth: distance in um below the surface (first order), negative outside, (slices, rows, columns).
        """
        z, y, x = grid.centres(0, part), grid.centres(1), grid.centres(2)
        world = (z[:, None, None], y[None, :, None], x[None, None, :])
        moved = [axis - np.float32(mean) for axis, mean in zip(world, self.centre, strict=True)]
        turn = (self.turn / self.half_axes[:, None]).astype(np.float32)
        ball = np.stack([row[0] * moved[0] + row[1] * moved[1] + row[2] * moved[2] for row in turn])
        ball[2] = self.side * ball[2] - np.float32(_BEND) * (ball[1] ** 2 - np.float32(0.25))
        norm = np.sqrt((ball**2).sum(axis=0)) + np.float32(1e-3)
        axes = self.half_axes.astype(np.float32)[:, None, None, None]
        # the bending shears the columns: its slope belongs to the surface's steepness
        gradient = ball / norm
        gradient[1] = gradient[1] - 2 * np.float32(_BEND) * ball[1] * gradient[2]
        steep = np.sqrt(((gradient / axes) ** 2).sum(axis=0)) + np.float32(1e-9)
        depth = (1 - norm) / steep
        depth += np.float32(self.bump_um) * field(self.bumps, grid, part)
        return ball, depth


def field(waves: Waves, grid: Grid, part: slice) -> np.ndarray:
    """A random field at the voxels of some slices, (slices, rows, columns) float32."""
    rows, columns = grid.centres(1), grid.centres(2)
    return np.stack([waves.b_scan(rows, columns, float(z)) for z in grid.centres(0, part)])


def draw_body(rng: np.random.Generator, extent_um: Sequence[float]) -> Body:
    """Draw a kidney that fills a box.

    Args:
        rng: source of all randomness.
        extent_um: (3,) size of the box whose corner is the world's origin.
    """
    extent = np.asarray(extent_um, dtype=np.float64)
    half_axes = extent * _HALF_AXES * rng.uniform(0.93, 1.03, 3)
    size = float(np.prod(half_axes) ** (1 / 3))
    return Body(
        centre=extent * (0.5 + rng.uniform(-0.02, 0.02, 3)),
        turn=_rotation(rng.uniform(-0.15, 0.15, 3)),
        half_axes=half_axes,
        side=int(rng.choice((-1, 1))),
        bumps=Waves(rng, (0.35 * size, 1.2 * size), count=16, flat=False),
        bump_um=0.012 * size,
    )


def _rotation(angles: np.ndarray) -> np.ndarray:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    return turn
