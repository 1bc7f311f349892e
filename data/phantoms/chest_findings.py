# SPDX-License-Identifier: Apache-2.0
"""Findings in the chest phantom that are no nodules to find: calcified granulomas and pleural plaques.

They stand in annotations_excluded.csv: a mark on them is neither right nor wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chest_geometry import Grid, soft
from .chest_lungs import LEFT, RIGHT, Lungs
from .chest_nodules import Lesion
from .chest_vessels import draw_points

UNKNOWN = -1.0  # a diameter that nobody measured
_APART_MM = 12.0


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        centre: (3,) body mm.
        radii: (3,) of an ellipsoid in mm; the first along ``across``.
        across: (3,) unit vector.
        hu: its density.
        kind: "granuloma" or "plaque".
        diameter_mm: as annotated, -1 where unknown.
    """

    centre: np.ndarray
    radii: tuple[float, float]
    across: np.ndarray
    hu: float
    kind: str
    diameter_mm: float


def draw_findings(rng: np.random.Generator, lungs: Lungs, lesions: list[Lesion]) -> list[Finding]:
    """Up to two granulomas under 3 mm, and a plaque in every third patient, away from the nodules."""
    found = []
    for _ in range(int(rng.integers(0, 3))):
        place = _free(rng, lungs, lesions, depth_mm=4.0, shallow=False)
        if place is not None:
            radius = float(rng.uniform(0.9, 1.4))
            hu = float(rng.uniform(350, 800))
            found.append(Finding(place, (radius, radius), np.eye(3)[0], hu, "granuloma", UNKNOWN))
    if rng.random() < 1 / 3:
        place = _free(rng, lungs, lesions, depth_mm=0.2, shallow=True)
        if place is not None:
            flat = (float(rng.uniform(2.0, 3.0)), float(rng.uniform(6.0, 9.0)))
            inward = _inward(lungs, place)
            hu = float(rng.uniform(60, 350))
            found.append(Finding(place, flat, inward, hu, "plaque", float(round(2 * flat[1], 1))))
    return found


def paint_finding(hu: np.ndarray, finding: Finding, grid: Grid, z: np.ndarray) -> None:
    """Paint a finding into thin planes (planes, H, W) at heights ``z``, in place."""
    reach = max(finding.radii) + grid.edge
    axes, middle = (z, grid.rows, grid.columns), finding.centre[::-1]
    box = tuple(slice(*np.searchsorted(a, (m - reach, m + reach))) for a, m in zip(axes, middle, strict=True))
    mesh = np.meshgrid(*(axis[cut] for axis, cut in zip(axes, box, strict=True)), indexing="ij")
    offsets = np.stack(mesh[::-1], -1) - finding.centre
    along = offsets @ finding.across
    aside = np.sqrt(np.maximum((offsets**2).sum(-1) - along**2, 0))
    rho = np.sqrt((along / finding.radii[0]) ** 2 + (aside / finding.radii[1]) ** 2)
    share = soft(((1 - rho) * finding.radii[0]).astype(np.float32), grid.edge)
    view = hu[box]
    view += share * (np.float32(finding.hu) - view)


def _free(
    rng: np.random.Generator, lungs: Lungs, lesions: list[Lesion], *, depth_mm: float, shallow: bool
) -> np.ndarray | None:
    both = [draw_points(rng, lungs, 60, side=s, depth_mm=depth_mm) for s in (RIGHT, LEFT)]
    points = np.concatenate(both)
    for lesion in lesions:
        apart = np.linalg.norm(points - lesion.centre, axis=1)
        points = points[apart > lesion.outline.reach + _APART_MM]
    if not len(points):
        return None
    return points[np.argmin(lungs.depth_mm(points))] if shallow else rng.permutation(points)[0]


def _inward(lungs: Lungs, place: np.ndarray) -> np.ndarray:
    """Direction in which the depth inside the lung grows fastest."""
    steps = np.concatenate([np.eye(3), -np.eye(3)])
    depth = lungs.depth_mm(place + steps)
    slope = (depth[:3] - depth[3:]).astype(np.float64)
    return slope / max(np.linalg.norm(slope), 1e-9)
