# SPDX-License-Identifier: Apache-2.0
"""The brain: cortex in gyri, white matter, deep nuclei, cerebellum, and the spaces that hold its fluid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .head_geometry import Points, ball, blend, tube
from .oct_fields import Waves, smoothstep

CSF_HU = 6.0
# x, y, z and radius in mm of one lateral ventricle: frontal horn, body, atrium, then the two other horns
_BODY = np.array(
    [(11, -40, 26, 3.0), (9, -28, 32, 5.0), (9, -8, 38, 4.6), (14, 16, 38, 4.8), (23, 34, 30, 6.5)]
)
_OCCIPITAL = np.array([(23, 34, 30, 6.5), (25, 50, 25, 4.2), (23, 64, 23, 1.8)])
_TEMPORAL = np.array([(23, 34, 30, 6.0), (31, 22, 14, 3.0), (32, 4, 4, 2.4), (27, -8, 2, 1.6)])


@dataclass
class Spaces:
    """Where what is, each (planes, rows, columns) float32 in 0-1.

    Attributes:
        outer: fluid outside the brain: sulci, fissures, cisterns.
        inner: ventricles.
        cortex: grey matter of the surface, cerebellar folia included.
        below: under the tentorium, the brainstem left out.
        tentorium: the sheet itself.
        falx: the sheet itself.
    """

    outer: np.ndarray
    inner: np.ndarray
    cortex: np.ndarray
    below: np.ndarray
    tentorium: np.ndarray
    falx: np.ndarray


@dataclass
class Brain:
    """Shape of one brain.

    Attributes:
        atrophy: 0 (young, narrow sulci) to 1 (old, wide sulci and ventricles).
        ventricles: factor on the ventricles' radii.
        uneven: how much larger the left ventricle is, in mm of radius.
        shift: midline shift in mm, to the left if positive.
        grey_hu: HU of grey matter.
        white_hu: HU of white matter.
        leuko: HU lost around the ventricles (small vessel disease).
        gyri: its zero levels are the sulci.
        folia: its zero levels are the fissures of the cerebellum.
        mottle: slow variation of tissue.
    """

    atrophy: float
    ventricles: float
    uneven: float
    shift: float
    grey_hu: float
    white_hu: float
    leuko: float
    gyri: Waves
    folia: Waves
    mottle: Waves

    def spaces(self, p: Points, depth: np.ndarray, swell: np.ndarray) -> Spaces:
        """Divide the cavity.

        Args:
            p: the points.
            depth: depth in mm below the surface on which the brain lies: the inner table, or a
                haematoma that pushes it in.
            swell: mm by which subarachnoid blood widens sulci and cisterns.
        """
        x = p.x - self._shift(p)
        tent = self.tentorium_height(p)
        below = p.soft(tent - p.z) * (p.y > 0) * self._behind_stem(p)
        falx = self._falx(p, x)
        gap = 1.0 + 1.8 * self.atrophy + 0.8 * smoothstep(p.z, np.float32(45), np.float32(85))
        sulcus, fold = self._sulci(p, depth, below)
        cleft = (0.9 + 1.3 * self.atrophy) - np.abs(x) + 1.2 * np.clip(falx, -9, 0)
        inside = np.maximum(np.maximum(gap - depth, sulcus), cleft)
        if not p.misses(-45, 52):
            inside = np.maximum(inside, self._cisterns(p, x))
        inside = inside + swell
        grey = np.maximum(fold, 4.2 - depth)
        sheet = np.where(p.y > 2, 0.8 - np.abs(p.z - tent) * 0.85, np.float32(-9))
        sheet = np.minimum(sheet, np.hypot(p.x / 24, (p.y - 8) / 30) * 24 - 24)
        return Spaces(
            p.soft(inside), self._ventricles(p, x), p.soft(grey), below, p.soft(sheet), p.soft(falx)
        )

    def _behind_stem(self, p: Points) -> np.ndarray:
        """1 outside the brainstem and, higher up, outside the notch through which it passes the tentorium."""
        up = smoothstep(p.z, np.float32(0), np.float32(20))
        off = np.hypot(p.x / (15 + 9 * up), (p.y - 12) / (14 + 14 * up)) - 1
        return p.soft(15 * off)

    def tentorium_height(self, p: Points) -> np.ndarray:
        """Height in mm of the tentorium, a tent that falls off to the sides and the back."""
        return 33 - np.float32(0.46) * p.across - np.float32(0.30) * np.clip(p.y - 30, 0, None)

    def _shift(self, p: Points) -> np.ndarray:
        return np.float32(self.shift) * np.exp(-((p.y / 55) ** 2) - ((p.z - 28) / 32) ** 2)

    def _falx(self, p: Points, x: np.ndarray) -> np.ndarray:
        """Distance in mm inside the falx."""
        return np.minimum(0.8 - np.abs(x), self.falx_reach(p))

    def falx_reach(self, p: Points) -> np.ndarray:
        """Distance in mm inside the outline of the falx: a sickle on the midline, deep at the back."""
        arc = np.hypot(p.y, p.z - 6) - (46 + 8 * smoothstep(-p.y, np.float32(10), np.float32(50)))
        over = (p.z - self.tentorium_height(p)) * np.where(p.y > 0, 1, 0.0) + np.where(p.y > 0, 0, 9)
        return np.minimum(arc, np.minimum(over, p.z - 2)).astype(np.float32)

    def _sulci(self, p: Points, depth: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance in mm inside the sulci, and inside the grey matter that lines them."""
        field = np.abs(p.field(self.gyri)) * np.float32(3.3)  # about mm from the zero level
        width = 0.6 + 1.1 * self.atrophy
        reach = np.clip(1 - depth / (19 + 4 * self.atrophy), 0, 1)
        sulcus = width * np.sqrt(reach) - field - 3 * (reach <= 0)
        lining = 2.6 * smoothstep(reach, np.float32(0), np.float32(0.3)) + width - field - 3 * (reach <= 0)
        if not p.misses(-90, 34):
            folds = np.abs(p.field(self.folia)) * np.float32(2.2)
            sulcus = sulcus + below * (0.1 + 0.5 * self.atrophy - folds - sulcus)
            lining = lining + below * (1.3 - folds - lining)
        return sulcus, lining

    def _cisterns(self, p: Points, x: np.ndarray) -> np.ndarray:
        """Distance in mm inside the basal cisterns and the Sylvian fissures."""
        wide = 1 + 0.35 * self.atrophy
        a, y, z = np.abs(x), p.y, p.z
        angle = np.arctan2(x, -(y + 9))
        star = 12.5 * wide * (1 + 0.18 * np.cos(5 * angle)) - np.hypot(a, (y + 9) * 1.1)
        star = np.minimum(star, 8 - np.abs(z - 7))
        stem = np.hypot(a / 14.5, (y - 13) / 13) * 13 - 13  # outside the brainstem
        ring = np.where(np.abs(z - 14) < 14, 2.6 * wide - np.abs(stem - 1.5), np.float32(-9))
        ring = np.where((y < 6) & (z > 12), np.float32(-9), ring)
        front = np.minimum(3.0 * wide - np.abs(stem - 1.5), -1.0 - y + 6)  # before the pons
        front = np.where((z < 2) & (z > -42) & (a < 11), front, np.float32(-9))
        quad = ball(p, (0, 29, 22), (12 * wide, 4.5 * wide, 6), both=False)
        magna = ball(p, (0, 66, -34), (13 * wide, 7 * wide, 11), both=False)
        best = np.maximum(np.maximum(star, ring), np.maximum(front, np.maximum(quad, magna)))
        return np.maximum(best, self._sylvian(a, y, z)).astype(np.float32)

    def _sylvian(self, a: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Fissure from the suprasellar cistern outwards, then back and up, with the cleft over the insula."""
        half = 0.9 + 1.5 * self.atrophy
        line = y + 14 - np.float32(0.75) * (z - 4)
        outer = np.where((a > 38) & (z > 0) & (z < 42), half - np.abs(line) * 0.8, np.float32(-9))
        stem = np.where((a > 9) & (a < 41) & (np.abs(z - 4) < 6), half + 0.3 - np.abs(y + 12), np.float32(-9))
        cleft = half * np.clip(1.2 - ((y - 2) / 17) ** 2 - ((z - 17) / 15) ** 2, -4, 1)
        insula = cleft - np.abs(a - 38 - np.float32(0.006) * (y - 2) ** 2)
        return np.maximum(np.maximum(outer, stem), insula)

    def _ventricles(self, p: Points, x: np.ndarray) -> np.ndarray:
        if p.misses(-26, 56):
            return np.zeros_like(p.x)
        side = self.uneven * np.sign(x)
        best = np.full_like(p.x, -9)
        for path in (_BODY, _OCCIPITAL, _TEMPORAL):
            best = np.maximum(best, tube(np.abs(x), p.y, p.z, path * (1, 1, 1, self.ventricles)) + side)
        third = np.minimum(1.0 + 1.4 * (self.ventricles - 0.6) - np.abs(x), 13 - np.hypot(p.y - 4, p.z - 20))
        best = np.maximum(best, third)
        fourth = ball(p, (0, 35, -9), (6 * self.ventricles, 4.5 * self.ventricles, 10), both=False)
        return p.soft(np.maximum(best, fourth))

    def paint(self, p: Points, spaces: Spaces) -> np.ndarray:
        """HU of the healthy brain with its fluid and membranes, (planes, rows, columns) float32."""
        white = self.white_hu + 0.9 * p.field(self.mottle) - self._leukoaraiosis(p)
        hu = blend(white, spaces.cortex, np.float32(self.grey_hu))
        hu = self._nuclei(hu, p)
        stem = p.soft(np.minimum(14.5 - np.hypot(p.x, (p.y - 13) * 1.1), 24 - p.z))
        hu = blend(hu, stem * (p.z > -60), np.float32(self.white_hu + 3))
        hu = blend(hu, spaces.outer, np.float32(CSF_HU))
        return blend(hu, spaces.inner, np.float32(CSF_HU - 1)).astype(np.float32)

    def _leukoaraiosis(self, p: Points) -> np.ndarray:
        if not self.leuko or p.misses(0, 60):
            return np.zeros_like(p.x)
        caps = [ball(p, c, (13, 13, 12), both=True) for c in ((15, -38, 30), (25, 44, 30), (18, 5, 42))]
        return np.float32(self.leuko) * smoothstep(np.maximum(np.maximum(*caps[:2]), caps[2]), -2, 8)

    def _nuclei(self, hu: np.ndarray, p: Points) -> np.ndarray:
        if p.misses(0, 45):
            return hu
        for centre, radii in (
            ((10, 10, 24), (8, 13, 9)),
            ((15, -19, 28), (5, 8, 10)),
            ((25, -2, 20), (7, 15, 10)),
        ):
            share = smoothstep(ball(p, centre, radii, both=True), np.float32(-2), np.float32(2))
            hu = blend(hu, share, np.float32(self.grey_hu - 1))
        return hu


def draw_brain(rng: np.random.Generator, *, shift: float) -> Brain:
    """Draw an adult brain.

    Args:
        rng: source of all randomness.
        shift: midline shift in mm that the bleeds cause.
    """
    atrophy = float(rng.beta(1.6, 2.2))
    grey = rng.normal(36.5, 1.3)
    return Brain(
        atrophy=atrophy,
        ventricles=float(np.clip(0.72 + 0.65 * atrophy + rng.normal(0, 0.1), 0.5, 1.5)),
        uneven=rng.normal(0, 0.35),
        shift=shift,
        grey_hu=grey,
        white_hu=grey - rng.uniform(7.5, 10.0),
        leuko=float(rng.random() < 0.35) * rng.uniform(2, 7),
        gyri=Waves(rng, (15.0, 26.0), count=40, flat=False),
        folia=Waves(rng, (9.0, 13.0), count=32, flat=False, stretch=(1.0, 2.5, 1.0)),
        mottle=Waves(rng, (8.0, 40.0), count=24, flat=False),
    )
