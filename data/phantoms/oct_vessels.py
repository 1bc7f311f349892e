# SPDX-License-Identifier: Apache-2.0
"""Superficial retinal vessels: dark lumens in cross-section, and shadows on all that lies below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .oct_anatomy import Retina
from .oct_fields import BREADTH_MM, WIDTH_MM

_STEP_MM = 0.03


@dataclass
class Vessels:
    """Maps over (slices, columns).

    Attributes:
        half_chord: half the height of the lumen in mm, 0 where there is no vessel.
        radius: radius in mm of the nearest vessel.
        shadow_db: loss below the vessel, in dB, two-way.
    """

    half_chord: np.ndarray
    radius: np.ndarray
    shadow_db: np.ndarray


def draw_vessels(retina: Retina, rng: np.random.Generator) -> Vessels:
    """Draw the two arcades around the fovea with their branches.

    They come from the optic disc (outside the image), pass above and below the fovea, and send twigs towards
    it. They run on through neighbouring slices because they are curves in the en-face plane.

    Args:
        retina: the eye, for its grid, fovea and side.
        rng: source of all randomness.
    """
    points = np.concatenate([_arcade(retina, rng, side) for side in (-1, 1) for _ in range(2)])
    grid = retina.grid
    y, x = np.meshgrid(grid.y, grid.x, indexing="ij")
    distance, index = cKDTree(points[:, :2]).query(np.stack([y, x], -1), workers=1)
    radius = points[index, 2]
    # a vessel thinner than a pixel still darkens it
    reach = np.maximum(radius, 0.6 * grid.column_mm)
    chord = np.sqrt(np.clip(1 - (distance / reach) ** 2, 0, None))
    shadow = rng.uniform(130.0, 220.0) * np.minimum(radius, 0.08) * chord
    maps = (radius * chord, radius, shadow)
    return Vessels(*(m.astype(np.float32) for m in maps))


def _arcade(retina: Retina, rng: np.random.Generator, side: int) -> np.ndarray:
    """Points (y, x, radius) in mm of one arcade above (-1) or below (+1) the fovea, and its twigs."""
    height = rng.uniform(1.3, 2.9)
    u = np.arange(-3.9, 3.9, _STEP_MM)  # along x, from temporal to nasal, seen from the fovea
    y = side * height * np.sqrt(np.clip(1 - ((u - 1.2) / 5.5) ** 2, 0.02, None))
    y = y + rng.uniform(0.03, 0.12) * np.sin(2 * np.pi * u / rng.uniform(1.2, 2.8) + rng.uniform(0, 6))
    radius = rng.uniform(0.035, 0.075) * (0.7 + 0.3 * (u + 3.9) / 7.8)  # thinner far from the disc
    lines = [np.stack([y, u, radius], 1)]
    lines += [_twig(rng, lines[0][rng.integers(len(u))], side) for _ in range(rng.integers(3, 7))]
    points = np.concatenate(lines)
    points[:, 1] *= retina.nasal
    points[:, :2] += retina.fovea
    inside = (np.abs(points[:, 0] - BREADTH_MM / 2) < 3.3) & (np.abs(points[:, 1] - WIDTH_MM / 2) < 3.3)
    return points[inside] if inside.any() else points


def _twig(rng: np.random.Generator, start: np.ndarray, side: int) -> np.ndarray:
    """A branch that leaves ``start`` (y, x, radius) towards the fovea or away and wanders."""
    count = int(rng.uniform(0.6, 2.4) / _STEP_MM)
    inward = -side if rng.random() < 0.65 else side
    heading = np.cumsum(rng.normal(0, 0.09, count)) + rng.uniform(-0.9, 0.9)
    y = start[0] + inward * np.cumsum(np.cos(heading)) * _STEP_MM
    x = start[1] + np.cumsum(np.sin(heading)) * _STEP_MM
    radius = start[2] * np.linspace(0.65, 0.3, count)
    kept = np.hypot(y, x) > 0.35  # the foveal avascular zone
    return np.stack([y, x, radius], 1)[kept]
