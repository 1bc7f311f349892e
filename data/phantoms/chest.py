# SPDX-License-Identifier: Apache-2.0
"""Phantom of a chest in CT with lung nodules of known place and size.

Body wall, ribs, spine, heart, great vessels, airways, a branching tree of arteries and one of veins in each
lung, diaphragm, liver, stomach and table are solids defined in mm, sampled on thin planes, averaged to
slices, and imaged with blur and noise. Nodules are solid, part-solid or ground glass; half lie free, a
quarter at a vessel, a quarter at the pleura. Bifurcations, vessels cut across and ribs at the lung's outline
are the look-alikes; calcified granulomas under 3 mm and pleural plaques are the findings that do not count.

What is simplified: nobody breathes, there is no emphysema, fibrosis or lymph node, vessels and airways do not
run side by side, and vessels do not bend round a nodule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...utils import InputError
from .chest_faults import FAULTS, THICK_MM, extent_mm, padding_hu
from .chest_geometry import Grid
from .chest_physics import draw_scanner
from .chest_render import render
from .chest_scene import Chest, draw_chest

_FOV_MARGIN_MM = 20.0
_LARGEST_FOV_MM = 500.0


@dataclass(frozen=True)
class Nodule:
    """One nodule or excluded finding in the world.

    Attributes:
        x: LPS mm of the centroid, to the patient's left.
        y: to the back.
        z: to the head.
        diameter_mm: of the sphere of equal volume; -1 where an excluded finding was not measured.
        kind: "solid", "part_solid", "ground_glass"; of excluded findings "granuloma", "plaque".
        attachment: "isolated", "vessel" or "pleura".
    """

    x: float
    y: float
    z: float
    diameter_mm: float
    kind: str
    attachment: str

    @property
    def row(self) -> tuple[float, float, float, float]:
        """x, y, z, diameter in mm."""
        return self.x, self.y, self.z, self.diameter_mm


@dataclass(frozen=True)
class ChestPhantom:
    """One scan with its truth.

    Attributes:
        hu: int16 (rows, columns, slices), slice-contiguous; rows to the back, columns to the patient's left,
            slices to the head (with "feet_first" columns to the right, slices to the feet).
        affine: (4, 4) float64, voxel indices to RAS mm.
        lungs: uint8 of the same shape, 1 right, 2 left lung with the vessels and nodules in it, 0 elsewhere.
        nodule_labels: uint8 of the same shape, number of the nodule in ``nodules`` plus one, 0 elsewhere.
        nodules: all of them.
        excluded: findings that are no nodules.
        spacing: mm between rows, columns, slices.
    """

    hu: np.ndarray
    affine: np.ndarray
    lungs: np.ndarray
    nodule_labels: np.ndarray
    nodules: list[Nodule]
    excluded: list[Nodule]
    spacing: tuple[float, float, float]

    @property
    def points(self) -> np.ndarray:
        """Nodules as (N, 4) float64 x, y, z, diameter_mm."""
        return np.array([n.row for n in self.nodules], np.float64).reshape(-1, 4)

    @property
    def excluded_points(self) -> np.ndarray:
        """Excluded findings as (M, 4) float64."""
        return np.array([n.row for n in self.excluded], np.float64).reshape(-1, 4)


def chest_phantom(
    seed: int,
    *,
    spacing_mm: tuple[float, float, float] = (0.7, 0.7, 1.25),
    scale: float = 1.0,
    nodules: int | None = None,
    fault: str | None = None,
) -> ChestPhantom:
    """Make one labelled chest.

    The same seed gives the same patient on every voxel size. Where a small chest has no room for all the
    nodules, the smallest ones are left out.

    Args:
        seed: 0 or more.
        spacing_mm: voxel size: rows, columns, slices, each 0.3 to 10 mm.
        scale: size of the anatomy, 0.3 to 1.2; 1 is an adult. Nodules and the last branches of vessels do not
            shrink with it.
        nodules: how many, 0 to 60; None draws a number with the contest's mean of 1.6.
        fault: None, or a hard case: "dense_lung" (one lung at about -450 to -250 HU), "effusion" (fluid in
            the lower part of one side), "feet_first" (stored from the head to the feet and from left to
            right), "from_head" (the scan goes up to the brain; mouth and nose are open), "padding" (-2000 HU
            outside the circle of reconstruction), "small_lung" (one lung less than a quarter of the other),
            "thick" (slices of 5 mm), "wide_table" (table as wide as the field of view with air gaps; arms
            beside the body).

    Raises:
        InputError: an unknown fault, or a number out of its range.
    """
    _check(seed, spacing_mm, scale, nodules, fault)
    if fault == "thick":
        spacing_mm = (*spacing_mm[:2], THICK_MM)
    chest = draw_chest(seed, scale=scale, nodules=nodules, fault=fault)
    grid = _grid(chest, spacing_mm, fault)
    camera, place = np.random.default_rng([seed, 21]).spawn(2)
    scanner = draw_scanner(camera, padding_hu=padding_hu(fault))
    hu, lungs, labels = render(chest, grid, scanner, camera)
    offset = np.array([place.uniform(-15, 15), place.uniform(-190, -140), place.uniform(-320, -120)])
    affine = _affine(grid, offset)
    arrays = [np.moveaxis(a, 0, -1) for a in (hu, lungs, labels)]
    if fault == "feet_first":
        arrays, affine = _turned(arrays, affine)
    found = [_world(f.centre, offset, f.diameter_mm, f.kind, _ATTACHED[f.kind]) for f in chest.findings]
    marks = [_world(m.centroid, offset, m.diameter_mm, m.kind, m.attachment) for m in chest.lesions]
    return ChestPhantom(
        *arrays[:1], affine, *arrays[1:], nodules=marks, excluded=found, spacing=tuple(map(float, spacing_mm))
    )


_ATTACHED = {"granuloma": "isolated", "plaque": "pleura"}


def _grid(chest: Chest, spacing_mm: tuple[float, float, float], fault: str | None) -> Grid:
    """A square field of view around body and table, and slices from below the lungs upwards."""
    width = min(2 * chest.half_width_mm + _FOV_MARGIN_MM, _LARGEST_FOV_MM)
    rows, columns = (
        _centres(round(width / s), s, chest.middle_y_mm * (n == 0)) for n, s in enumerate(spacing_mm[:2])
    )
    low, high = (h * chest.build.size[2] for h in extent_mm(fault))
    count = max(round((high - low) / spacing_mm[2]), 1)
    return Grid(
        rows, columns, _centres(count, spacing_mm[2], (low + high) / 2), tuple(map(float, spacing_mm))
    )


def _centres(count: int, step: float, middle: float) -> np.ndarray:
    return middle + (np.arange(count) - (count - 1) / 2) * step


def _affine(grid: Grid, offset: np.ndarray) -> np.ndarray:
    """Indices (row, column, slice) to RAS mm; ``offset`` is the world's LPS position of the body's origin."""
    rows, columns, slices = grid.spacing
    first = offset + np.array([grid.columns[0], grid.rows[0], grid.slices[0]])
    affine = np.eye(4)
    affine[:3, :3] = [[0, -columns, 0], [-rows, 0, 0], [0, 0, slices]]
    affine[:3, 3] = [-first[0], -first[1], first[2]]
    return affine


def _turned(arrays: list[np.ndarray], affine: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The same volumes with columns and slices stored the other way round, slice-contiguous again."""
    last = np.array(arrays[0].shape) - 1
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    flip[1:3, 3] = last[1:3]
    turned = [np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 0)[::-1, :, ::-1]), 0, -1) for a in arrays]
    return turned, affine @ flip


def _world(centre: np.ndarray, offset: np.ndarray, diameter: float, kind: str, attachment: str) -> Nodule:
    x, y, z = (float(round(v, 4)) for v in np.asarray(centre) + offset)
    return Nodule(x, y, z, float(round(diameter, 4)), kind, attachment)


def _check(
    seed: int, spacing_mm: tuple[float, ...], scale: float, nodules: int | None, fault: str | None
) -> None:
    if fault is not None and fault not in FAULTS:
        raise InputError(f"unknown fault {fault!r}", remedy=f"None, or one of {', '.join(FAULTS)}")
    if len(spacing_mm) != 3 or not all(0.3 <= s <= 10 for s in spacing_mm):
        raise InputError(f"spacing_mm={tuple(spacing_mm)}", remedy="give three numbers from 0.3 to 10")
    limits = {"seed": (seed, 0, np.inf), "scale": (scale, 0.3, 1.2), "nodules": (nodules or 0, 0, 60)}
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise InputError(f"{name} of a chest phantom is {value}", remedy=f"give {low} to {high}")
