# SPDX-License-Identifier: Apache-2.0
"""The head around the brain: vault, skull base with petrous ridges, air spaces, orbits and scalp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .head_geometry import Points, ball, blend, ellipsoid
from .oct_fields import Waves, smoothstep

_VAULT_CENTRE = (0.0, 2.0, 14.0)


@dataclass
class Skull:
    """Shape of one skull, in mm.

    Attributes:
        half_width: half the width of the cavity.
        half_length: half its length.
        height: from the vault's centre to its top.
        thick: mean thickness of the vault.
        scalp: thickness of skin and fat over it.
        skew: how much wider the back is than the front, as a share.
        sinus: size of the frontal sinus, 0 where it is missing.
        pneumatised: how much air is in the mastoids, 0-1.
        bone_hu: HU of compact bone.
        diploe_hu: HU between the tables.
        bumps: makes the cavity a little irregular.
        grain: thickness of bone, septa, muscle.
        cells: air cells of mastoid and ethmoid.
    """

    half_width: float
    half_length: float
    height: float
    thick: float
    scalp: float
    skew: float
    sinus: float
    pneumatised: float
    bone_hu: float
    diploe_hu: float
    bumps: Waves
    grain: Waves
    cells: Waves

    def vault(self, p: Points) -> np.ndarray:
        """Depth in mm below the inner table of the vault, negative outside; goes on down the neck."""
        x, y, z = (c - np.float32(m) for c, m in zip(p.plain, _VAULT_CENTRE, strict=True))
        x = x / (1 + np.float32(self.skew / self.half_length) * y)
        z = np.where(z > 0, z, z * np.float32(self.height / 115.0))
        u, v = x / np.float32(self.half_width), y / np.float32(self.half_length)
        square = u * u + v * v  # a little squarer than an ellipse
        swell = 1 - np.float32(0.13) * u * u * v * v / (square * square + np.float32(1e-3))
        d = ellipsoid(x * swell, y * swell, z, (self.half_width, self.half_length, self.height))
        return d + np.float32(1.3) * p.field(self.bumps)

    def floor(self, p: Points) -> np.ndarray:
        """Height in mm of the skull base: anterior, middle and posterior fossa, sella, petrous ridges."""
        x, y = p.across, p.y
        front = smoothstep(-y, np.float32(20), np.float32(33))
        back = smoothstep(y - np.float32(0.42) * x, np.float32(2), np.float32(14))
        roof = 1 + 14 * np.exp(-(((x - 30) / 16) ** 2) - ((y + 56) / 26) ** 2)  # of the orbits
        central = np.exp(-((x / 11) ** 2))
        bowl = -22 + 0.022 * (x - 36) ** 2 + 0.025 * (y + 4) ** 2  # where the temporal lobes lie
        middle = np.minimum(bowl, -6) * (1 - central) + central * np.where(y > -2, 0, -4)
        basin = np.clip(np.hypot(x / 56, (y - 34) / 46), 0, 1.3)
        posterior = -52 + 26 * basin**2 + 18 * np.exp(-((x / 12) ** 2) - ((y - 8) / 7) ** 2)  # clivus
        base = front * roof + (1 - front) * (back * posterior + (1 - back) * middle)
        return np.maximum(base, self.ridge(p)).astype(np.float32)

    def ridge(self, p: Points) -> np.ndarray:
        """Height in mm of the petrous bones, prisms that run outwards and back; far below elsewhere."""
        x = p.across
        off = np.abs(p.y - (2 + np.float32(0.42) * x)) * np.float32(0.92)
        ends = smoothstep(x, np.float32(9), np.float32(15))
        return np.where(x < 66, 4 * ends - 40 * (1 - ends) - np.float32(1.25) * off, np.float32(-60))

    def depth(self, p: Points) -> tuple[np.ndarray, np.ndarray]:
        """Depth in mm below vault and base together, and below the vault alone."""
        vault = self.vault(p)
        return np.minimum(vault, np.float32(0.8) * (p.z - self.floor(p))), vault

    def paint(
        self, hu: np.ndarray, p: Points, depth: np.ndarray, vault: np.ndarray, swelling: np.ndarray
    ) -> np.ndarray:
        """Everything outside the cavity: soft tissue, bone, air.

        Args:
            hu: what fills the cavity, (planes, rows, columns).
            p: the points.
            depth: depth below the inner table, from ``depth``.
            vault: depth below the vault alone.
            swelling: thickness in mm of a haematoma between skull and skin.
        """
        grain = p.field(self.grain)
        outside = self._soft_tissue(p, vault, grain)
        beyond = -vault - self._thickness(p, vault, grain)
        outside = blend(outside, p.soft(swelling - beyond) * (swelling > 0), np.float32(58))
        outside = self._bones(outside, p, depth, vault, grain)
        hu = outside + p.soft(depth) * (hu - outside)
        skin = beyond - np.float32(self.scalp) - swelling
        return blend(hu, p.soft(skin + np.float32(0.6) * grain), np.float32(-1000))

    def _thickness(self, p: Points, vault: np.ndarray, grain: np.ndarray) -> np.ndarray:
        forehead = 3 * smoothstep(-p.y, np.float32(50), np.float32(80))
        occiput = 4 * np.exp(-((p.x / 18) ** 2)) * smoothstep(p.y, np.float32(60), np.float32(85))
        temple = -2 * smoothstep(p.across, np.float32(45), np.float32(66)) * (p.z < 45)
        return np.float32(self.thick) + forehead + occiput + temple + np.float32(0.5) * grain

    def _soft_tissue(self, p: Points, vault: np.ndarray, grain: np.ndarray) -> np.ndarray:
        """Scalp with its fat, muscles of neck and face, orbits and eyes."""
        beyond = -vault - self._thickness(p, vault, grain)
        low = smoothstep(-p.z, np.float32(4), np.float32(24))
        low = np.maximum(low, p.soft(vault))
        fat = 1 - smoothstep(np.abs(grain), np.float32(0.06), np.float32(0.3))  # thin planes between muscles
        hu = np.where(
            beyond > np.float32(self.scalp * 0.62), np.float32(25), np.float32(-75)
        )  # skin over fat
        hu = hu * (1 - low) + (54 - 95 * fat) * low
        if p.misses(-70, 20):
            return hu
        return self._face(hu, p)

    def _face(self, hu: np.ndarray, p: Points) -> np.ndarray:
        """Orbits with eyes and optic nerves, the maxillary sinuses, the nose, the jaw's joints."""
        orbit = ball(p, (31, -64, -7), (18, 30, 16), both=True)
        hu = blend(hu, p.soft(orbit + 2.2) * (p.y > -78), np.float32(750))
        hu = blend(hu, p.soft(orbit), np.float32(-85))
        muscle = np.abs(ball(p, (31, -64, -7), (13, 26, 12), both=True))
        hu = blend(hu, p.soft(1.3 - muscle) * (p.y > -78), np.float32(35))
        hu = blend(hu, p.soft(ball(p, (26, -54, -6), (3, 22, 3), both=True)), np.float32(32))
        hu = blend(hu, p.soft(ball(p, (32, -78, -7), (12, 12, 12), both=True)), np.float32(12))
        hu = blend(hu, p.soft(ball(p, (32, -87, -7), (4.5, 2, 4.5), both=True)), np.float32(75))
        maxilla = ball(p, (27, -62, -40), (14, 19, 17), both=True)
        hu = blend(hu, p.soft(maxilla + 2), np.float32(650))
        hu = blend(hu, p.soft(maxilla), np.float32(-980))
        nose = np.minimum(ball(p, (0, -64, -38), (9, 30, 22), both=False), p.across - 1.2)
        hu = blend(hu, p.soft(nose + 1.5), np.float32(120))
        hu = blend(hu, p.soft(np.minimum(nose, np.abs(p.across - 5.5) - 1.5)), np.float32(-980))
        return blend(hu, p.soft(ball(p, (46, 0, -36), (7, 5, 13), both=True)), np.float32(800)).astype(
            np.float32
        )

    def _bones(
        self, hu: np.ndarray, p: Points, depth: np.ndarray, vault: np.ndarray, grain: np.ndarray
    ) -> np.ndarray:
        thick = self._thickness(p, vault, grain)
        face = smoothstep(-p.z, np.float32(14), np.float32(30)) * smoothstep(
            -p.y, np.float32(-22), np.float32(2)
        )
        shell = p.soft(np.minimum(-vault + 1, thick + vault)) * (1 - face)
        table = np.abs(-vault / thick - np.float32(0.5)) * 2  # 1 at the tables, 0 in the diploe
        compact = smoothstep(table, np.float32(0.35), np.float32(0.8))
        bone = np.float32(self.diploe_hu) * (1 + np.float32(0.12) * grain)
        bone = bone + compact * (np.float32(self.bone_hu) - bone)
        hu = blend(hu, shell, bone)
        hu = self._frontal_sinus(hu, p, vault, thick)
        return self._base(hu, p, depth, vault, grain)

    def _frontal_sinus(self, hu: np.ndarray, p: Points, vault: np.ndarray, thick: np.ndarray) -> np.ndarray:
        if not self.sinus or p.misses(-5, 40):
            return hu
        size = np.float32(self.sinus)
        middle = ellipsoid(
            p.x - 3,
            vault + thick * np.float32(0.55),
            p.z - 14,
            (20 * size, 0.30 * self.thick + 2.2, 15 * size),
        )
        air = p.soft(np.where((p.y < -40) & (np.abs(p.x) > 1), middle, np.float32(-9)))
        return blend(hu, air, np.float32(-950))

    def _base(
        self, hu: np.ndarray, p: Points, depth: np.ndarray, vault: np.ndarray, grain: np.ndarray
    ) -> np.ndarray:
        """Bone under the fossae, thick and dense in the petrous pyramids, with its air cells."""
        if p.misses(-90, 26):
            return hu
        under = self.floor(p) - p.z
        x = p.across
        line = p.y - (2 + np.float32(0.42) * x)
        pyramid = np.exp(-((line / 11) ** 2)) * smoothstep(x, np.float32(8), np.float32(16))
        thick = 3.5 + 19 * pyramid + 7 * np.exp(-((x / 14) ** 2)) * (p.y > -25) + grain
        inner = np.minimum(np.minimum(under, thick - under) + 0.5, vault + 3)
        dense = np.float32(self.bone_hu) * (np.float32(0.62) + np.float32(0.45) * pyramid) + 90 * grain
        hu = blend(hu, p.soft(inner), dense)
        return self._air(hu, p, vault, under)

    def _air(self, hu: np.ndarray, p: Points, vault: np.ndarray, under: np.ndarray) -> np.ndarray:
        cells = p.field(self.cells)
        sphenoid = ball(p, (0, -20, -15), (13, 11, 9), both=False)
        wall = p.soft(sphenoid + 2) * p.soft(vault)
        hu = blend(hu, wall, np.float32(500))
        hu = blend(hu, p.soft(np.minimum(sphenoid, np.abs(p.x - 2) - 0.7)), np.float32(-980))
        ethmoid = ball(p, (0, -54, -10), (12, 24, 15), both=False)
        ethmoid = np.minimum(ethmoid, under - 2)
        hu = blend(hu, p.soft(ethmoid) * p.soft(2 * cells + 1.6), np.float32(-900))
        mastoid = np.minimum(ball(p, (52, 30, -24), (13, 18, 18), both=True), under - 3)
        mastoid = np.minimum(mastoid, vault + self.thick - 1)
        hu = blend(hu, p.soft(mastoid + 2), np.float32(620))
        hu = blend(hu, p.soft(mastoid) * p.soft(3 * cells + 4 * self.pneumatised - 2), np.float32(-850))
        canal = ball(p, (60, 12, -22), (24, 4, 4), both=True)
        return blend(hu, p.soft(np.minimum(canal, under - 2)), np.float32(-950))


def draw_skull(rng: np.random.Generator) -> Skull:
    """Draw an adult skull."""
    return Skull(
        half_width=rng.normal(66.0, 2.2),
        half_length=rng.normal(82.0, 2.5),
        height=rng.normal(75.0, 2.0),
        thick=rng.uniform(5.5, 8.0),
        scalp=rng.uniform(4.0, 7.0),
        skew=rng.uniform(0.03, 0.10),
        sinus=float(rng.random() < 0.85) * rng.uniform(0.5, 1.1),
        pneumatised=rng.uniform(0.3, 1.0),
        bone_hu=rng.uniform(1050, 1400),
        diploe_hu=rng.uniform(350, 650),
        bumps=Waves(rng, (60.0, 160.0), count=16, flat=False),
        grain=Waves(rng, (14.0, 45.0), count=20, flat=False),
        cells=Waves(rng, (6.0, 12.0), count=24, flat=False),
    )
