# SPDX-License-Identifier: Apache-2.0
"""Grays of kidney tissue and embedding medium, without vessels, on the 8-bit scale of published HiP-CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .kidney_body import Body, Grid, field
from .oct_fields import Waves, smoothstep

MEDIUM, CORTEX, MEDULLA, SINUS = 79.0, 103.0, 100.5, 97.0
_CAPSULE_UM = 40.0


@dataclass(frozen=True)
class Tissue:
    """What the tissue of one kidney looks like.

    Attributes:
        ripples: mottling of the embedding medium.
        lobes: where the border of cortex and medulla lies deeper.
        shading: slow changes of gray within the organ.
        grain: tubules, too small to be resolved.
        glomeruli: a field whose peaks are glomeruli.
        rays: (waves, 3) wave vectors over directions, of the medullary rays, in radians per unit.
        capsule: gray above the cortex of the capsule's bright rim.
        cortex_um: thickness of the cortex.
    """

    ripples: Waves
    lobes: Waves
    shading: Waves
    grain: Waves
    glomeruli: Waves
    rays: np.ndarray
    capsule: float
    cortex_um: float

    def paint(self, grid: Grid, part: slice, ball: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Paint some slices.

        Args:
            grid: the voxels.
            part: the slices.
            ball: see ``Body.sample``.
            depth: see ``Body.sample``.

        Returns:
            8-bit grays, (slices, rows, columns) float32.
        """
        border = np.float32(self.cortex_um) * (1 + np.float32(0.25) * field(self.lobes, grid, part))
        inner = smoothstep(depth, np.float32(0.85) * border, np.float32(1.15) * border)
        organ = np.float32(CORTEX) + np.float32(MEDULLA - CORTEX) * inner
        organ += (1 - inner) * (self._spots(grid, part) + np.float32(0.7) * self._rays(ball))
        organ += np.float32(1.1) * field(self.shading, grid, part) + np.float32(0.8) * field(
            self.grain, grid, part
        )
        organ += self._sinus(ball) * (np.float32(SINUS) - organ)
        rim = np.exp(-(((depth - np.float32(_CAPSULE_UM)) / np.float32(_CAPSULE_UM)) ** 2))
        organ += np.float32(self.capsule) * rim
        medium = np.float32(MEDIUM) + np.float32(0.9) * field(self.ripples, grid, part)
        share = np.clip(depth / np.float32(grid.spacing_um) + np.float32(0.5), 0, 1)
        return medium + share * (organ - medium)

    def _spots(self, grid: Grid, part: slice) -> np.ndarray:
        return np.float32(2.2) * smoothstep(field(self.glomeruli, grid, part), 0.9, 2.2)

    def _rays(self, ball: np.ndarray) -> np.ndarray:
        """Stripes that run straight to the surface: a field over directions only."""
        norm = np.sqrt((ball**2).sum(axis=0)) + np.float32(1e-3)
        total = np.zeros_like(norm)
        for wave in self.rays.astype(np.float32):
            total += np.cos((wave[0] * ball[0] + wave[1] * ball[1] + wave[2] * ball[2]) / norm)
        return total * np.float32(np.sqrt(2 / len(self.rays)))

    def _sinus(self, ball: np.ndarray) -> np.ndarray:
        """Share of the renal sinus, a hollow in the middle that opens at the hilum."""
        distance = np.sqrt((ball[0] / 0.5) ** 2 + (ball[1] / 0.42) ** 2 + ((ball[2] - 0.75) / 0.55) ** 2)
        return smoothstep(-distance, -1.0, -0.85)


def draw_tissue(rng: np.random.Generator, body: Body) -> Tissue:
    """Draw the tissue of a kidney.

    Args:
        rng: source of all randomness.
        body: the kidney, for its size.
    """
    size = body.size_um
    directions = rng.standard_normal((10, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    wavelength = rng.uniform(350.0, 800.0, (10, 1))
    return Tissue(
        ripples=Waves(rng, (300.0, max(900.0, 0.6 * size)), count=32, flat=False),
        lobes=Waves(rng, (0.5 * size, 1.2 * size), count=16, flat=False),
        shading=Waves(rng, (0.3 * size, 2.0 * size), count=24, flat=False),
        grain=Waves(rng, (180.0, 420.0), count=64, flat=False),
        glomeruli=Waves(rng, (240.0, 480.0), count=64, flat=False),
        rays=directions * 2 * np.pi * size / wavelength,
        capsule=float(rng.uniform(4.0, 7.0)),
        cortex_um=0.3 * float(body.half_axes.min()),
    )
