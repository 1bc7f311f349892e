# SPDX-License-Identifier: Apache-2.0
"""The chest phantom's nodules: sizes, kinds, where they sit, and how they are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chest_geometry import Grid, soft
from .chest_lungs import LEFT, RIGHT, Lungs
from .chest_nodule_shape import Outline, draw_outline, samples
from .chest_vessels import Vessels, draw_points

KINDS, ATTACHMENTS = ("solid", "part_solid", "ground_glass"), ("isolated", "vessel", "pleura")
# mm and share: 60 % under 10 mm as in Tianchi's data, small ones as in LUNA16
SIZES = ((3, 4, 0.04), (4, 6, 0.26), (6, 10, 0.30), (10, 20, 0.30), (20, 30, 0.10))
_KIND_SHARES = (0.7, 0.15, 0.15)
_ATTACHMENT_SHARES = (0.5, 0.25, 0.25)
_TRIES = 240
_ROUNDS = 6  # to find the size of a nodule that the pleura cuts
_CUT = 1.15  # at the pleura nodules are drawn this much larger
_GAP_MM = 5.0  # between two nodules


@dataclass(frozen=True)
class Lesion:
    """One nodule as the phantom holds it.

    Attributes:
        centre: (3,) of the outline, body mm.
        outline: its border.
        kind: one of KINDS.
        attachment: one of ATTACHMENTS.
        hu: of the solid part.
        halo_hu: of the ground glass.
        core: radius of the solid part as a share of the whole.
        centroid: (3,) of the part inside the lung, body mm.
        diameter_mm: of the sphere as large as the part inside the lung.
    """

    centre: np.ndarray
    outline: Outline
    kind: str
    attachment: str
    hu: float
    halo_hu: float
    core: float
    centroid: np.ndarray
    diameter_mm: float


def draw_diameters(rng: np.random.Generator, count: int) -> np.ndarray:
    """Diameters (count,) in mm: 3 to 30, 60 % under 10; uneven numbers are spread as evenly as they go."""
    shares = np.array([share for _, _, share in SIZES])
    place = (rng.permutation(count) + rng.random(count)) / max(count, 1)
    bins = np.searchsorted(np.cumsum(shares)[:-1], place, side="right")
    low, high = np.array([s[:2] for s in SIZES], float)[bins].reshape(-1, 2).T
    return low * (high / low) ** rng.random(count)


def draw_nodules(
    rng: np.random.Generator, lungs: Lungs, vessels: Vessels, diameters: np.ndarray
) -> list[Lesion]:
    """Place one nodule of each diameter in the lungs, the large ones first; none touches another."""
    lesions: list[Lesion] = []
    for diameter in sorted(np.asarray(diameters, float), reverse=True):
        kind = str(rng.choice(KINDS, p=_KIND_SHARES)) if diameter >= 5 else "solid"
        attachment = str(rng.choice(ATTACHMENTS, p=_ATTACHMENT_SHARES))
        spiculated = kind != "ground_glass" and diameter >= 8 and rng.random() < 0.35
        outline = draw_outline(rng, diameter / 2, spiculated=spiculated)
        centre = _place(rng, lungs, vessels, attachment, outline, lesions)
        if centre is not None:
            lesions.append(_lesion(rng, lungs, centre, outline, kind, attachment))
    return lesions


def paint_lesion(hu: np.ndarray, lesion: Lesion, grid: Grid, z: np.ndarray, lungs: Lungs) -> tuple:
    """Paint a nodule into thin planes.

    Args:
        hu: (planes, H, W), changed in place.
        lesion: the nodule.
        grid: rows and columns.
        z: (planes,) heights of the planes.
        lungs: a nodule ends at the pleura.

    Returns:
        The box (three slices) and the share of its voxels that is nodule; None where no plane meets it.
    """
    reach = lesion.outline.reach + grid.edge
    axes = (z, grid.rows, grid.columns)
    middle = lesion.centre[::-1]
    box = tuple(slice(*np.searchsorted(a, (m - reach, m + reach))) for a, m in zip(axes, middle, strict=True))
    mesh = np.meshgrid(*(axis[cut] for axis, cut in zip(axes, box, strict=True)), indexing="ij")
    points = np.stack(mesh[::-1], -1).reshape(-1, 3)
    if not len(points):
        return None
    offsets = points - lesion.centre
    inside = np.minimum(lesion.outline.depth(offsets), lungs.depth_mm(points))
    share = soft(inside.astype(np.float32), grid.edge).reshape(mesh[0].shape)
    view = hu[box]
    if lesion.kind != "solid":
        view += share * (np.maximum(view, np.float32(lesion.halo_hu)) - view)
    if lesion.kind != "ground_glass":
        core = lesion.outline.of_radius(lesion.outline.radius * lesion.core).depth(offsets)
        core = soft(np.minimum(core, inside).astype(np.float32), grid.edge).reshape(share.shape)
        view += core * (np.float32(lesion.hu) - view)
    return box, share


def _lesion(
    rng: np.random.Generator, lungs: Lungs, centre: np.ndarray, outline: Outline, kind: str, attachment: str
) -> Lesion:
    """A nodule whose part inside the lung has the volume that the outline was drawn for."""
    goal = outline.radius
    for _ in range(_ROUNDS):
        points, volume = samples(outline)
        kept = points[lungs.depth_mm(points + centre) >= 0]
        radius = (len(kept) * volume * 3 / (4 * np.pi)) ** (1 / 3)
        if abs(radius - goal) < 0.01 * goal:
            break
        # kept and radius stay those of the outline, also after the last round
        outline, last = outline.of_radius(outline.radius * min(goal / radius, 1.2)), outline
    else:
        outline = last
    solid = kind == "solid"
    return Lesion(
        centre=centre,
        outline=outline,
        kind=kind,
        attachment=attachment,
        hu=float(rng.uniform(-20, 80)),
        halo_hu=float(rng.uniform(-610, -500)),
        core=1.0 if solid else float(rng.uniform(0.4, 0.65)),
        centroid=centre + kept.mean(axis=0),
        diameter_mm=2 * radius,
    )


def _place(
    rng: np.random.Generator,
    lungs: Lungs,
    vessels: Vessels,
    attachment: str,
    outline: Outline,
    others: list[Lesion],
) -> np.ndarray | None:
    """The best of some random places, None where all of them touch another nodule."""
    radius = outline.radius
    points = _candidates(rng, lungs, vessels, attachment, radius)
    for other in others:
        apart = np.linalg.norm(points - other.centre, axis=1)
        points = points[apart > _CUT * outline.reach + other.outline.reach + _GAP_MM]
    if not len(points):
        return None
    depth = lungs.depth_mm(points)
    if attachment == "pleura":  # the outline just passes the pleura
        return points[np.argmin(np.abs(depth - rng.uniform(0.6, 0.85) * radius))]
    clear = np.minimum(depth - radius, 4.0)
    if attachment == "isolated":
        clear = np.minimum(clear, vessels.tubes.clearance(points) - 0.8 * radius)
    return points[np.argmax(clear + rng.uniform(0, 0.5, len(points)))]


def _candidates(
    rng: np.random.Generator, lungs: Lungs, vessels: Vessels, attachment: str, radius: float
) -> np.ndarray:
    if attachment == "vessel":
        tubes = vessels.tubes
        wanted = np.flatnonzero((tubes.radius > 0.8) & (tubes.radius < 3.0))
        chosen = rng.choice(wanted, min(_TRIES, len(wanted)), replace=False)
        away = rng.standard_normal((len(chosen), 3))
        away *= (0.7 * radius + tubes.radius[chosen, None]) / np.linalg.norm(away, axis=1, keepdims=True)
        points = (tubes.start[chosen] + tubes.end[chosen]) / 2 + away
        return points[lungs.depth_mm(points) > min(0.7 * radius, 4.0)]
    per_side = _TRIES if attachment == "pleura" else _TRIES // 2
    depth = 0.3 * radius if attachment == "pleura" else min(0.9 * radius, 8.0)
    both = [draw_points(rng, lungs, per_side, side=s, depth_mm=depth) for s in (RIGHT, LEFT)]
    return rng.permutation(np.concatenate(both))
