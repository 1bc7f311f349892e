# SPDX-License-Identifier: Apache-2.0
"""The chest phantom's outside: skin, fat and muscle, arms, neck and head, and the table below.

Painted onto one thin plane at template coordinates x (1, W), y (H, 1), z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chest_geometry import block, soft, superellipse
from .head_geometry import blend, ellipsoid
from .oct_fields import Waves

Plane = tuple[np.ndarray, np.ndarray, float]
HALF_WIDTH, HALF_DEPTH = 176.0, 119.0
AIR_HU, FAT_HU, MUSCLE_HU, SKIN_HU = -1000.0, -105.0, 55.0, 20.0
ARM_X, ARM_HALF = 222.0, (38.0, 42.0)
HEAD_TOP = 330.0
_HEAD = (0.0, -16.0, 275.0)
_HEAD_RADII = (76.0, 97.0, 112.0)


@dataclass(frozen=True)
class Body:
    """The wall around the chest.

    Attributes:
        fat_mm: thickness of the fat under the skin, template mm.
        texture: streaks of fat in muscle and of tissue in fat.
        arms: arms lie beside the body.
        neck: the body goes on to neck and head.
    """

    fat_mm: float
    texture: Waves
    arms: bool = False
    neck: bool = False

    def paint(self, plane: Plane, *, edge: float) -> np.ndarray:
        """HU (H, W) of air and wall."""
        x, y, z = plane
        surface = self.surface(x, y, z)
        waves = self.texture.b_scan(y[:, 0], x[0], float(z))
        fat = np.float32(self.fat_mm * self._thin(z)) * (1 + np.float32(0.25) * waves)
        tissue = FAT_HU + np.float32(12.0) * waves
        tissue = blend(tissue, soft(surface - fat, 3 * edge), MUSCLE_HU - np.float32(14.0) * np.abs(waves))
        tissue = blend(tissue, soft(np.float32(1.8) - surface, edge), np.float32(SKIN_HU))
        hu = blend(np.full_like(surface, AIR_HU), soft(surface, edge), tissue)
        if self.neck and z > 170:
            self._head(hu, plane, edge)
        if self.arms:
            self._arms(hu, plane, edge)
        return hu

    def surface(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        """Template mm inside the skin of the trunk, neck and head."""
        a, b, back = self._outline(z)
        trunk = superellipse(x, y - np.float32(back), (np.float32(a), np.float32(b)), 2.5)
        if self.neck and z > _HEAD[2] - _HEAD_RADII[2]:
            return np.maximum(trunk, self._head_depth((x, y, z)))
        return trunk

    def _outline(self, z: float) -> tuple[float, float, float]:
        """Half width, half depth and middle of the trunk at a height."""
        if not self.neck:
            return HALF_WIDTH + 10 * _rise(z, 60, 140), HALF_DEPTH - 6 * _rise(z, 40, 140), 0.0
        shoulder, neck = _rise(z, 60, 130), _rise(z, 140, 182)
        a = (HALF_WIDTH + 26 * shoulder) * (1 - neck) + 62 * neck
        b = (HALF_DEPTH - 12 * shoulder) * (1 - neck) + 66 * neck
        return a, b, 12.0 * neck

    def _thin(self, z: float) -> float:
        return 1 - 0.6 * _rise(z, 130, 180) if self.neck else 1.0

    @staticmethod
    def _head_depth(plane: Plane) -> np.ndarray:
        x, y, z = plane
        a, b, c = _HEAD
        return ellipsoid(x - np.float32(a), y - np.float32(b), np.float32(z - c), _HEAD_RADII)

    def _head(self, hu: np.ndarray, plane: Plane, edge: float) -> None:
        """Skull and brain above the mouth, jaw below."""
        depth = self._head_depth(plane)
        y, z = plane[1:]
        if z > 250:
            hu[:] = blend(hu, soft(depth - 6, edge), np.float32(900.0))
            hu[:] = blend(hu, soft(depth - 13, edge), np.float32(35.0))
        elif z > 200:
            jaw = np.minimum(np.minimum(depth - 6, 14 - depth), -y - np.float32(30))
            hu[:] = blend(hu, soft(jaw, edge), np.float32(800.0))

    def _arms(self, hu: np.ndarray, plane: Plane, edge: float) -> None:
        x, y, _ = plane
        aside = np.abs(x) - np.float32(ARM_X)
        arm = superellipse(aside, y - np.float32(15), (np.float32(ARM_HALF[0]), np.float32(ARM_HALF[1])))
        tissue = np.where(arm < 6, np.float32(FAT_HU), np.float32(MUSCLE_HU))
        bone = np.float32(11) - np.sqrt(aside**2 + (y - np.float32(15)) ** 2)
        marrow = np.where(bone > 4, np.float32(60.0), np.float32(1000.0))
        hu[:] = blend(hu, soft(arm, edge), blend(tissue, soft(bone, edge), marrow))


@dataclass(frozen=True)
class Table:
    """What the patient lies on: a curved hollow slab.

    Attributes:
        half_mm: half its width, in mm (tables do not grow with patients).
        top_mm: y of its upper surface at the middle.
        sag_mm: how much higher its borders are.
        gaps: air between table and mattress, and a second sheet below.
    """

    half_mm: float
    top_mm: float
    sag_mm: float
    gaps: bool = False

    def paint(self, hu: np.ndarray, x: np.ndarray, y: np.ndarray, *, edge: float) -> None:
        """Paint it into ``hu`` (H, W) at body mm x (1, W) and y (H, 1)."""
        first = np.searchsorted(y[:, 0], self.top_mm - self.sag_mm - 8)
        y, view = y[first:], hu[first:]
        depth = y - np.float32(self.top_mm) + np.float32(self.sag_mm / self.half_mm**2) * x * x
        sheets = [(0.0, 2.5, -60.0), (2.5, 20.0, -930.0), (20.0, 22.5, -60.0)]
        if self.gaps:
            sheets += [(30.0, 33.0, 120.0), (52.0, 56.0, 120.0)]
        for top, bottom, value in sheets:
            solid = block(x, depth - np.float32((top + bottom) / 2), (self.half_mm, (bottom - top) / 2))
            view += soft(solid, edge) * (np.float32(value) - view)


def draw_body(rng: np.random.Generator, *, arms: bool = False, neck: bool = False) -> Body:
    """A slim or a stout patient."""
    return Body(float(rng.uniform(6, 17)), Waves(rng, (12.0, 60.0), flat=False), arms, neck)


def _rise(value: float, low: float, high: float) -> float:
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)
