# SPDX-License-Identifier: Apache-2.0
"""Dense things that are no bleeds: calcifications, thick dura, sinuses, arteries, a scalp haematoma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .head_brain import Brain, Spaces
from .head_geometry import Points, ball, blend, tube
from .oct_fields import Waves, smoothstep

_ARTERIES = (
    np.array([(0, -1, -30, 1.7), (1, -2, 0, 1.6)]),  # basilar
    np.array([(9, -11, 5, 1.6), (22, -13, 4, 1.4), (36, -10, 7, 1.0)]),  # middle cerebral
    np.array([(-9, -11, 5, 1.6), (-22, -13, 4, 1.4), (-36, -10, 7, 1.0)]),
)


@dataclass
class Spot:
    """A dense ellipsoid: centre and radii in mm, HU at its core."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    hu: float


@dataclass
class Extras:
    """The look-alikes of one head.

    Attributes:
        spots: calcifications of choroid plexus, pineal gland, basal ganglia, falx, arteries' walls.
        dura_hu: HU of falx and tentorium.
        dura_mm: how much thicker than usual the dura is.
        blood_hu: HU of flowing blood in sinuses and arteries.
        scalp: centre and radius in mm of a swelling under the skin, or None.
        clumps: makes calcifications irregular.
    """

    spots: list[Spot]
    dura_hu: float
    dura_mm: float
    blood_hu: float
    scalp: tuple[float, float, float, float] | None
    clumps: Waves

    def paint(self, hu: np.ndarray, p: Points, spaces: Spaces, depth: np.ndarray, brain: Brain) -> np.ndarray:
        """Paint dura, vessels and calcifications over the brain; ``depth`` is that below the skull in mm."""
        hu = blend(hu, np.maximum(spaces.falx, spaces.tentorium), np.float32(self.dura_hu))
        hu = blend(hu, p.soft(np.float32(self.dura_mm) - depth), np.float32(self.dura_hu))
        hu = self._sinuses(hu, p, depth, brain)
        if not p.misses(-32, 10):
            for path in _ARTERIES:
                hu = blend(hu, p.soft(tube(p.x, p.y, p.z, path)), np.float32(self.blood_hu - 4))
        return self._calcifications(hu, p)

    def swelling_mm(self, p: Points, vault: np.ndarray) -> np.ndarray:
        """Thickness in mm of the scalp haematoma over every point; ``vault`` is the depth below the vault."""
        if self.scalp is None:
            return np.zeros_like(vault)
        x, y, z = (c - np.float32(m) for c, m in zip(p.plain, self.scalp, strict=False))
        along = np.clip(x * x + y * y + z * z - (vault + 10) ** 2, 0, None)
        return 9 * np.clip(1 - along / np.float32(self.scalp[3] ** 2), 0, None)

    def _sinuses(self, hu: np.ndarray, p: Points, depth: np.ndarray, brain: Brain) -> np.ndarray:
        """Superior sagittal, straight and transverse sinuses, the right transverse one larger."""
        tent = brain.tentorium_height(p)
        wide = 3.0 + 1.6 * smoothstep(p.y, np.float32(-20), np.float32(70))
        sagittal = np.where(p.z > tent + 2, wide - p.across - 0.35 * depth, np.float32(-9))
        sagittal = np.where((p.y > 20) | (p.z > 40), sagittal, np.float32(-9))
        size = np.where(p.x < 0, np.float32(4.2), np.float32(3.0))
        transverse = np.where(p.y > 26, size - np.hypot(0.8 * depth, p.z - tent - 1), np.float32(-9))
        straight = np.where((p.y > 34) & (p.y < 80), 2.2 - np.hypot(p.x, p.z - tent), np.float32(-9))
        inside = np.maximum(np.maximum(sagittal, transverse), straight)
        return blend(hu, p.soft(inside), np.float32(self.blood_hu))

    def _calcifications(self, hu: np.ndarray, p: Points) -> np.ndarray:
        for spot in self.spots:
            if p.misses(spot.centre[2] - spot.radii[2] - 3, spot.centre[2] + spot.radii[2] + 3):
                continue
            inside = ball(p, spot.centre, spot.radii, both=False) + np.float32(0.7) * p.field(self.clumps)
            hu = blend(hu, p.soft(inside), np.float32(spot.hu))
        return hu


def draw_extras(rng: np.random.Generator) -> Extras:
    """Draw the look-alikes; most adults have a calcified pineal gland or plexus."""
    spots = _plexus(rng) + _ganglia(rng) + _falx(rng)
    if rng.random() < 0.6:
        r = rng.uniform(1.5, 3.2)
        spots.append(Spot((rng.normal(0, 0.7), 28, 22), (r, r * 1.2, r), rng.uniform(90, 260)))
    swelling = None
    if rng.random() < 0.15:
        angle, z = rng.uniform(0, 2 * np.pi), rng.uniform(10, 60)
        swelling = (76 * np.sin(angle), 2 - 90 * np.cos(angle), z, rng.uniform(18, 34))
    return Extras(
        spots=spots,
        dura_hu=rng.uniform(44, 62),
        dura_mm=max(0.0, rng.normal(0.5, 0.6)),
        blood_hu=rng.uniform(46, 62),
        scalp=swelling,
        clumps=Waves(rng, (4.0, 9.0), count=20, flat=False),
    )


def _plexus(rng: np.random.Generator) -> list[Spot]:
    if rng.random() > 0.6:
        return []
    sides = [s for s in (-1, 1) if rng.random() < 0.85]
    r = rng.uniform(1.6, 4.0)
    return [
        Spot(
            (s * rng.normal(22, 1), rng.normal(36, 1.5), rng.normal(29, 1.5)),
            (r, r * 1.3, r),
            rng.uniform(60, 220),
        )
        for s in sides
    ]


def _ganglia(rng: np.random.Generator) -> list[Spot]:
    if rng.random() > 0.18:
        return []
    r, hu = rng.uniform(2.0, 4.5), rng.uniform(52, 110)
    return [
        Spot((s * 19, rng.normal(-2, 2), 19), (r * 0.7, r * 1.5, r), hu * rng.uniform(0.85, 1.1))
        for s in (-1, 1)
    ]


def _falx(rng: np.random.Generator) -> list[Spot]:
    if rng.random() > 0.35:
        return []
    count = int(rng.integers(1, 4))
    spots = []
    for _ in range(count):
        angle = rng.uniform(-1.2, 0.9)
        reach = rng.uniform(58, 74)
        spots.append(
            Spot(
                (0.0, reach * np.sin(angle), 8 + reach * np.cos(angle)),
                (rng.uniform(1.0, 2.2), rng.uniform(3, 9), rng.uniform(2, 6)),
                rng.uniform(70, 400),
            )
        )
    return spots
