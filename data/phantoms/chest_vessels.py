# SPDX-License-Identifier: Apache-2.0
"""The chest phantom's arteries and veins: great vessels, and a tree of each in both lungs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chest_geometry import Build
from .chest_lungs import LEFT, RIGHT, Lungs
from .chest_raster import Tubes
from .chest_tree import grow_tree

VESSEL_HU = 42.0
_TIP_MM = 0.72
_ENDS_PER_ML = (0.28, 0.20)  # of arteries and veins
_HILUM = {RIGHT: (-34.0, 12.0, 6.0), LEFT: (34.0, 14.0, 10.0)}
_MOST_ENDS = 1500

# knots x, y, z, radius of the template
_GREAT = (
    [(-12, -30, -30, 15), (-16, -28, 10, 15), (-10, -22, 42, 14), (6, 4, 54, 13), (22, 34, 48, 12)],
    [(22, 40, 52, 12), (23, 44, 0, 12), (18, 48, -90, 11), (12, 48, -170, 11)],
    [(-24, -8, 110, 8), (-26, -6, 60, 9), (-26, -8, -10, 10)],
    [(14, -34, -10, 13), (16, -18, 18, 13), (30, 4, 16, 9), (38, 14, 10, 7)],
    [(14, -16, 18, 11), (-12, 2, 14, 10), (-36, 12, 6, 8)],
    [(-14, -20, 50, 6), (-14, -6, 120, 6)],
    [(12, -8, 50, 5), (14, 0, 120, 5)],
)


@dataclass(frozen=True)
class Vessels:
    """All vessels of one chest.

    Attributes:
        tubes: the lungs' arteries and veins, branch by branch.
        great: vessels of the mediastinum.
        forks: (n, 3) bifurcations, body mm.
        fork_radius: (n,) mm.
    """

    tubes: Tubes
    great: Tubes
    forks: np.ndarray
    fork_radius: np.ndarray


def great_vessels(build: Build) -> Tubes:
    """Aorta, superior vena cava, pulmonary trunk and two arteries of the neck."""
    return Tubes.joined([scaled_path(build, path) for path in _GREAT])


def scaled_path(build: Build, knots: list[tuple[float, ...]]) -> Tubes:
    """A tube along knots (x, y, z, radius) of the template, in body mm."""
    knots = np.asarray(knots, np.float64)
    return Tubes.along(np.column_stack([build.body(knots[:, :3]), knots[:, 3] * build.scale]))


def draw_points(
    rng: np.random.Generator, lungs: Lungs, count: int, *, side: int, depth_mm: float
) -> np.ndarray:
    """Points (count, 3) in body mm, at least ``depth_mm`` inside one lung; fewer where there is no room."""
    low, high = lungs.box()
    low[0], high[0] = (low[0], 0.0) if side == RIGHT else (0.0, high[0])
    kept = np.zeros((0, 3))
    for _ in range(40):
        points = rng.uniform(low, high, (4 * count + 64, 3))
        kept = np.concatenate([kept, points[lungs.depth_mm(points) > depth_mm]])
        if len(kept) >= count:
            break
    return kept[:count]


def lung_volume_ml(rng: np.random.Generator, lungs: Lungs, side: int) -> float:
    """Volume of one lung by random points, to about 2 %."""
    low, high = lungs.box()
    low[0], high[0] = (low[0], 0.0) if side == RIGHT else (0.0, high[0])
    share = (lungs.depth_mm(rng.uniform(low, high, (4000, 3))) > 0).mean()
    return float(share * np.prod(high - low) / 1000)


def draw_vessels(rng: np.random.Generator, lungs: Lungs) -> Vessels:
    """Grow arteries and veins into both lungs; their number follows the volume of the lung."""
    trees = []
    for side in (RIGHT, LEFT):
        volume = lung_volume_ml(rng, lungs, side)
        for number, density in enumerate(_ENDS_PER_ML):
            count = int(np.clip(round(density * volume), 4, _MOST_ENDS))
            ends = draw_points(rng, lungs, count, side=side, depth_mm=2.5)
            if not len(ends):
                continue
            a, b, c = _HILUM[side]
            root = lungs.build.body([a, b, c - 14.0 * number])
            heading = np.array([np.sign(a), 0.0, -0.3])
            trees.append(grow_tree(rng, ends, root=root, heading=heading, tip_mm=_TIP_MM))
    forks = np.concatenate([t.forks for t in trees])
    radius = np.concatenate([t.fork_radius for t in trees])
    return Vessels(Tubes.joined([t.tubes for t in trees]), great_vessels(lungs.build), forks, radius)
