# SPDX-License-Identifier: Apache-2.0
"""What fills the chest phantom's cage beside the lungs: heart, fat, liver, spleen, stomach and bowel gas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chest_geometry import Coord, soft
from .chest_lungs import Lungs
from .head_geometry import blend, ellipsoid
from .oct_fields import Waves

Plane = tuple[np.ndarray, np.ndarray, float]
Ball = tuple[tuple[float, float, float], tuple[float, float, float]]
FLUID_HU, COLLAPSED_HU, FAT_HU, LIVER_HU = 10.0, 38.0, -92.0, 58.0


@dataclass(frozen=True)
class Organs:
    """Organs of one patient, template mm.

    Attributes:
        lungs: the heart's place and the diaphragm are theirs.
        stomach: centre and radii.
        gas_y: gas fills the stomach above (in front of) this y.
        spleen: centre and radii.
        bowel: centres and radii of loops filled with gas.
        texture: irregularities.
    """

    lungs: Lungs
    stomach: Ball
    gas_y: float
    spleen: Ball
    bowel: tuple[Ball, ...]
    texture: Waves

    def paint(
        self, hu: np.ndarray, plane: Plane, cage: np.ndarray, above: np.ndarray, *, edge: float
    ) -> np.ndarray:
        """``hu`` (H, W) with the contents of the cage; ``cage`` and ``above`` (the diaphragm) in mm."""
        x, y, z = plane
        waves = self.texture.b_scan(y[:, 0], x[0], float(z))
        inside = FAT_HU + np.float32(15.0) * waves
        centre, radii = self.lungs.heart
        if abs(z - centre[2]) < radii[2]:
            heart = _ball(plane, (centre, tuple(r - 6 for r in radii)))
            inside = blend(inside, soft(heart + 2 * waves, edge), np.float32(44.0))
        gullet = np.float32(7) - np.sqrt((x - np.float32(4)) ** 2 + (y - np.float32(28)) ** 2)
        inside = blend(inside, soft(gullet, edge), np.float32(36.0))
        if z < max(self.lungs.domes) + 12:
            below = -above
            inside = blend(inside, soft(below, edge), self._belly(plane, below, edge))
        return blend(hu, soft(cage, edge), inside)

    def _belly(self, plane: Plane, below: np.ndarray, edge: float) -> np.ndarray:
        x, y, _ = plane
        muscle = np.where(below < 2.5, np.float32(50.0), np.float32(FAT_HU))
        hu = np.where(x < 38 - np.float32(0.25) * y, np.float32(LIVER_HU), muscle)
        hu = blend(hu, soft(_ball(plane, self.spleen), edge), np.float32(50.0))
        stomach = _ball(plane, self.stomach)
        food = np.where(y < self.gas_y, np.float32(-995.0), np.float32(30.0))
        hu = blend(hu, soft(stomach, edge), np.float32(45.0))
        hu = blend(hu, soft(stomach - np.float32(4.0), edge), food)
        for loop in self.bowel:
            solid = _ball(plane, loop)
            hu = blend(hu, soft(solid + np.float32(2.5), edge), np.float32(40.0))
            hu = blend(hu, soft(solid, edge), np.float32(-990.0))
        return hu


def draw_organs(rng: np.random.Generator, lungs: Lungs) -> Organs:
    """Organs below a pair of lungs."""
    dome = lungs.domes[1]
    bowel = []
    for _ in range(int(rng.integers(2, 5))):
        radius = rng.uniform(8, 15)
        bowel.append(
            ((rng.uniform(60, 105), rng.uniform(-60, -20), dome - rng.uniform(38, 60)), (radius,) * 3)
        )
    return Organs(
        lungs=lungs,
        stomach=((58 + rng.normal(0, 5), -12.0, dome - 36), (38.0, 42.0, 30.0)),
        gas_y=float(rng.uniform(-38, -8)),
        spleen=((92.0, 48.0, dome - 42), (30.0, 36.0, 38.0)),
        bowel=tuple(bowel),
        texture=Waves(rng, (8.0, 40.0), flat=False),
    )


def _ball(plane: tuple[Coord, Coord, Coord], ball: Ball) -> np.ndarray:
    (a, b, c), radii = ball
    x, y, z = plane
    return ellipsoid(x - np.float32(a), y - np.float32(b), np.float32(z - c), radii)
