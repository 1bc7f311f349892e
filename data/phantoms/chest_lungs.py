# SPDX-License-Identifier: Apache-2.0
"""The chest phantom's cavity, what parts it into two lungs, and the air in them.

All positions are those of the template adult (see ``chest_geometry``); sizes follow CT anatomy of adults: a
rib cage of 276 x 180 mm inside, lungs 270 mm high, the right diaphragm higher than the left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .chest_geometry import Build, Coord, rounded_min, superellipse
from .head_geometry import blend, ellipsoid
from .oct_fields import Waves

APEX_MM, BASE_MM = 132.0, -150.0  # highest and lowest point of the template's lungs
RIGHT, LEFT = 1, 2  # labels; the patient's right is at negative x
SEPTUM_MM = 3.5


@dataclass(frozen=True)
class Shrunken:
    """A lung of which little is left.

    Attributes:
        side: RIGHT or LEFT.
        centre: (3,) of the ellipsoid that still holds air, template mm.
        radii: (3,) of it.
    """

    side: int
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]


@dataclass(frozen=True)
class Fluid:
    """A pleural effusion, below a tilted plane: deep at the back and at the base.

    Attributes:
        side: RIGHT or LEFT.
        level: template mm; the higher the less fluid.
    """

    side: int
    level: float


@dataclass
class Lungs:
    """Both lungs of one patient.

    Attributes:
        build: size of the patient.
        heart: centre and radii of the heart, template mm.
        domes: height of the right and left diaphragm.
        base_hu: mean HU of the parenchyma, right and left.
        gradient_hu: how much denser the lowest (back) than the uppermost tissue is when lying.
        texture: coarse irregularities of the parenchyma, and fine ones.
        patchy: (right, left) HU of the coarse irregularities.
        shrunken: a small lung, if any.
        fluid: an effusion, if any.
    """

    build: Build
    heart: tuple[tuple[float, float, float], tuple[float, float, float]]
    domes: tuple[float, float]
    base_hu: tuple[float, float]
    gradient_hu: float
    texture: tuple[Waves, Waves]
    patchy: tuple[float, float] = (14.0, 14.0)
    shrunken: Shrunken | None = None
    fluid: Fluid | None = None
    fissure: tuple[float, float] = field(default=(-18.0, 10.0))

    def cage(self, x: Coord, y: Coord, z: Coord) -> np.ndarray:
        """Template mm inside the ribs: a tube above which each lung ends in its own dome."""
        width = np.float32(138.0) - np.float32(0.05) * np.maximum(z, 0)
        tube = superellipse(x, y, (width, np.float32(90.0)), 2.3)
        above = np.maximum(z - np.float32(40.0), 0)
        dome = ellipsoid(np.abs(x) - np.float32(58.0), y - np.float32(12.0), above, (90.0, 101.0, 92.0))
        return np.minimum(tube, dome)

    def mediastinum(self, x: Coord, y: Coord, z: Coord) -> np.ndarray:
        """Template mm inside what lies between the lungs."""
        (a, b, c), radii = self.heart
        parts = ellipsoid(x - np.float32(a), y - np.float32(b), z - np.float32(c), radii)
        up = np.clip((z + np.float32(30.0)) / np.float32(160.0), 0, 1)
        half = (np.float32(35.0) - np.float32(5.0) * up, np.float32(46.0) - np.float32(10.0) * up)
        upper = rounded_min(superellipse(x, y + np.float32(6.0), half), z + np.float32(52.0), 24.0)
        parts = np.maximum(parts, upper)
        parts = np.maximum(parts, superellipse(x, y - np.float32(66.0), (np.float32(26.0), np.float32(34.0))))
        arch = np.float32(60.0) - z
        aorta = np.minimum(superellipse(x - np.float32(22.0), y - np.float32(42.0), (16.0, 16.0)), arch)
        parts = np.maximum(parts, aorta)
        hilum = ellipsoid(
            np.abs(x) - np.float32(30.0), y - np.float32(12.0), z - np.float32(5.0), (20.0, 20.0, 27.0)
        )
        return np.maximum(np.maximum(parts, hilum), np.float32(SEPTUM_MM) - np.abs(x))

    def above_diaphragm(self, x: Coord, y: Coord, z: Coord) -> np.ndarray:
        """Template mm above the two domes."""
        right, left = self.domes
        u = (np.abs(x) - np.float32(62.0)) / np.float32(100.0)
        v = (y + np.float32(18.0)) / np.float32(97.0)
        top = np.where(np.asarray(x) < 0, np.float32(right), np.float32(left))
        height = z - top + np.float32(62.0) * (u * u + v * v)
        dome = height / np.sqrt(1 + np.float32(1.24**2) * (u * u + v * v))
        return np.minimum(dome, z - np.float32(BASE_MM))

    def inside(self, x: Coord, y: Coord, z: Coord) -> np.ndarray:
        """Template mm inside either lung, as far as there is air in it."""
        return self.aerated(x, y, z, self.cavity(x, y, z))

    def cavity(self, x: Coord, y: Coord, z: Coord) -> np.ndarray:
        """Template mm inside either half of the chest."""
        walls = np.minimum(self.cage(x, y, z), -self.mediastinum(x, y, z))
        return rounded_min(walls, self.above_diaphragm(x, y, z), 6.0)

    def aerated(self, x: Coord, y: Coord, z: Coord, cavity: np.ndarray) -> np.ndarray:
        """``cavity`` less fluid and collapsed lung."""
        for fault, solid in ((self.shrunken, self._remnant), (self.fluid, self._dry)):
            if fault is not None:
                other = np.asarray(x) < 0 if fault.side == LEFT else np.asarray(x) >= 0
                cavity = np.minimum(cavity, np.where(other, np.float32(1e3), solid(x, y, z)))
        return cavity

    def depth_mm(self, points: np.ndarray) -> np.ndarray:
        """Body mm inside the lungs, (N,), of body points (N, 3)."""
        u = self.build.template(*np.asarray(points, np.float64).reshape(-1, 3).T)
        return self.inside(*u) * np.float32(self.build.scale)

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners in body mm of a box around both lungs."""
        return self.build.body(np.array([-140.0, -92.0, BASE_MM])), self.build.body(
            np.array([140.0, 92.0, APEX_MM])
        )

    def parenchyma(self, plane: tuple[np.ndarray, np.ndarray, float]) -> np.ndarray:
        """HU of the lung tissue at the template coordinates x (1, W), y (H, 1) and z of a plane."""
        x, y, z = plane
        right = x < 0
        coarse, fine = (waves.b_scan(y[:, 0], x[0], float(z)) for waves in self.texture)
        base = np.where(right, *(np.float32(h) for h in self.base_hu))
        rough = np.where(right, *(np.float32(h) for h in self.patchy))
        hu = base + np.float32(self.gradient_hu / 180) * y + rough * coarse + np.float32(10.0) * fine
        bow = (np.abs(x) - np.float32(75)) ** 2 * np.float32(1 / 500) + np.float32(1.5) * coarse
        oblique = self.fissure[0] + 0.62 * y - z + bow  # from high at the back down to the front
        level = np.where(right, np.float32(self.fissure[1]) - z + bow, np.float32(99.0))
        level = np.where(oblique < 0, level, np.float32(99.0))
        gap = np.minimum(np.abs(oblique) * np.float32(0.85), np.abs(level) + np.float32(0.3))
        return blend(hu, np.clip(np.float32(1.0) - gap, 0, 1) * np.float32(0.3), np.float32(-300.0))

    def _remnant(self, x: Coord, y: Coord, z: Coord) -> np.ndarray:
        (a, b, c), radii = self.shrunken.centre, self.shrunken.radii
        return ellipsoid(x - np.float32(a), y - np.float32(b), z - np.float32(c), radii)

    def _dry(self, x: Coord, y: Coord, z: Coord) -> np.ndarray:
        return np.float32(0.5) * z - np.float32(0.866) * y + np.float32(self.fluid.level)


def draw_lungs(rng: np.random.Generator, build: Build) -> Lungs:
    """A healthy pair, the patient lying on the back."""
    jitter = rng.normal(0, 1, 8)
    heart = ((20 + 3 * jitter[0], -30 + 2 * jitter[1], -62 + 4 * jitter[2]), (60.0, 47.0, 60.0))
    base = -862 + 14 * jitter[3]
    return Lungs(
        build=build,
        heart=heart,
        domes=(-66 + 4 * jitter[4], -79 + 4 * jitter[5]),
        base_hu=(base, base + 4 * jitter[6]),
        gradient_hu=float(rng.uniform(40, 110)),
        texture=(Waves(rng, (14.0, 70.0), flat=False), Waves(rng, (3.0, 9.0), count=30, flat=False)),
        fissure=(-18 + 6 * jitter[7], float(rng.uniform(2, 22))),
    )
