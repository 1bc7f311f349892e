# SPDX-License-Identifier: Apache-2.0
"""Where the points of a head scan lie, and the soft-edged solids that the head phantom is built of.

Head coordinates are in mm: x to the patient's left, y to the back, z up; (0, 0, 0) is on the midline above
the pituitary fossa. Solids are not voxel masks but functions of position, so a scan of any matrix and
thickness shows the same head, and thin sub-slices averaged along z give true partial volumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .oct_fields import Waves, smoothstep

FOV_MM = 230.0
_WARP_MM = np.float32(1.7)


@dataclass(frozen=True)
class Pose:
    """How the head lies in the scanner.

    Attributes:
        turn: (3, 3) rotation and scaling from scanner to head coordinates.
        shift: (3,) position in mm of the head's origin in the scanner.
        warps: one field per axis that make everything inside the skull a little irregular.
    """

    turn: np.ndarray
    shift: np.ndarray
    warps: tuple[Waves, Waves, Waves]


@dataclass
class Points:
    """Sampling points of a few thin planes of one slice.

    Attributes:
        z_scan: heights of the planes in the scanner in mm, (planes,).
        rows: positions of the image's rows in mm, (rows,).
        columns: positions of the image's columns in mm, (columns,).
        pose: how the head lies.
    """

    z_scan: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    pose: Pose

    @cached_property
    def plain(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Head coordinates without the irregularities, each (planes, rows, columns) float32."""
        u = self.columns[None, None, :] - np.float32(self.pose.shift[0])
        v = self.rows[None, :, None] - np.float32(self.pose.shift[1])
        w = self.z_scan[:, None, None] - np.float32(self.pose.shift[2])
        return tuple(row[0] * u + row[1] * v + row[2] * w for row in self.pose.turn.astype(np.float32))

    @cached_property
    def x(self) -> np.ndarray:
        """To the patient's left in mm, (planes, rows, columns) float32; the midline stays flat."""
        aside = smoothstep(np.abs(self.plain[0]), np.float32(2), np.float32(18))
        return self.plain[0] + _WARP_MM * aside * self.field(self.pose.warps[0])

    @cached_property
    def y(self) -> np.ndarray:
        """To the back in mm."""
        return self.plain[1] + _WARP_MM * self.field(self.pose.warps[1])

    @cached_property
    def z(self) -> np.ndarray:
        """Up in mm."""
        return self.plain[2] + _WARP_MM * self.field(self.pose.warps[2])

    @cached_property
    def across(self) -> np.ndarray:
        """Distance from the midline plane in mm."""
        return np.abs(self.x)

    @property
    def edge(self) -> np.float32:
        """Width in mm over which borders fade: a pixel."""
        return np.float32(abs(self.columns[1] - self.columns[0]))

    def field(self, waves: Waves) -> np.ndarray:
        """A random field at the points, (planes, rows, columns)."""
        return np.stack([waves.b_scan(self.rows, self.columns, float(z)) for z in self.z_scan])

    def soft(self, inside_mm: np.ndarray) -> np.ndarray:
        """Share of the pixel that is inside, 0-1, from the distance to the border in mm (inside > 0)."""
        return np.clip(inside_mm / self.edge + np.float32(0.5), 0, 1)

    def misses(self, low: float, high: float) -> bool:
        """Whether no point lies between these heights in mm of the head."""
        return self._extent[1] < low or self._extent[0] > high

    @cached_property
    def _extent(self) -> tuple[float, float]:
        return float(self.z.min()), float(self.z.max())


def ellipsoid(x: np.ndarray, y: np.ndarray, z: np.ndarray, radii: tuple[float, float, float]) -> np.ndarray:
    """Distance in mm inside an ellipsoid around the origin (first order; negative outside)."""
    a, b, c = (np.float32(1 / r) for r in radii)
    u, v, w = x * a, y * b, z * c
    rho = np.sqrt(u * u + v * v + w * w) + np.float32(1e-3)
    steep = np.sqrt((u * a) ** 2 + (v * b) ** 2 + (w * c) ** 2) / rho + np.float32(1e-4)
    return (1 - rho) / steep


def ball(
    points: Points, centre: tuple[float, float, float], radii: tuple[float, float, float], *, both: bool
) -> np.ndarray:
    """Distance in mm inside an ellipsoid at ``centre``; with ``both``, inside it or its mirror image."""
    x = points.across if both else points.x
    return ellipsoid(
        x - np.float32(centre[0]), points.y - np.float32(centre[1]), points.z - np.float32(centre[2]), radii
    )


def tube(x: np.ndarray, y: np.ndarray, z: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Distance in mm inside a tube along a polyline.

    Args:
        x: coordinates of the points; ``y`` and ``z`` likewise.
        y: see ``x``.
        z: see ``x``.
        path: (knots, 4): x, y, z and radius, in mm; the radius goes linearly from knot to knot.
    """
    best = None
    for a, b in zip(path[:-1].astype(np.float32), path[1:].astype(np.float32), strict=True):
        d = b - a
        px, py, pz = x - a[0], y - a[1], z - a[2]
        t = np.clip((px * d[0] + py * d[1] + pz * d[2]) / np.float32(d[:3] @ d[:3]), 0, 1)
        gap = np.sqrt((px - t * d[0]) ** 2 + (py - t * d[1]) ** 2 + (pz - t * d[2]) ** 2)
        inside = a[3] + t * d[3] - gap
        best = inside if best is None else np.maximum(best, inside)
    return best


def draw_pose(rng: np.random.Generator) -> Pose:
    """A head that lies nearly straight: a few degrees and millimetres off, 5 % larger or smaller."""
    yaw, pitch, roll = np.radians(rng.normal(0, (4.5, 4.0, 2.5)))
    z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    y = np.array([[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]])
    size = rng.normal(1.0, 0.03, 3).clip(0.93, 1.06)
    warps = tuple(Waves(rng, (22.0, 80.0), count=16, flat=False) for _ in range(3))
    return Pose((z @ x @ y) / size[:, None], rng.normal(0, (3.0, 4.0, 2.0)), warps)


def blend(hu: np.ndarray, share: np.ndarray, value: np.ndarray | float) -> np.ndarray:
    """Paint ``value`` over ``hu`` where ``share`` (0-1) says so."""
    return hu + share * (value - hu)
