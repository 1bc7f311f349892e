# SPDX-License-Identifier: Apache-2.0
"""LIDC's readers' marks to nodules in the world, merged over the readers as LUNA16 did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from skimage.draw import line, polygon

from ...utils import InputError
from ...utils.world import voxel_to_world
from .annotations import UNKNOWN
from .lidc_xml import NODULE, Contour, Mark, Reading

SMALLEST_MM = 3.0


@dataclass(frozen=True)
class Grid:
    """The series that was read: affine (4, 4) of (row, column, slice) in RAS mm, its slices' names."""

    affine: np.ndarray
    shape: tuple[int, int, int]
    slice_names: tuple[str, ...]


def lidc_label(reading: Reading, grid: Grid, *, min_readers: int = 3) -> dict[str, Any]:
    """Merge readers' marks to a label.

    As for LUNA16 (Setio et al. 2017, https://doi.org/10.1016/j.media.2017.06.015): marks of nodules of 3 mm
    and more by different readers are one finding where their centres are nearer than the sum of their radii;
    its centre and diameter are the means; it is a nodule if ``min_readers`` marked it. All else is excluded:
    findings of fewer readers with their diameter, smaller nodules and other marks with diameter -1, unless
    they lie in a nodule.

    Returns:
        "nodules" and "excluded", rows x, y, z, diameter_mm in LPS mm.

    Raises:
        InputError: fewer readers than ``min_readers``, or a contour in no slice of the series.
    """
    if not 1 <= min_readers <= max(reading.readers, 1):
        raise InputError(
            f"{min_readers} readers are asked for, {reading.readers} have read",
            path=reading.path,
            remedy="set min_readers to 1 to 4",
        )
    large = [mark for mark in reading.marks if mark.kind == NODULE]
    spheres = np.array([_sphere(mark, grid, reading.path) for mark in large]).reshape(-1, 4)
    label: dict[str, Any] = {"nodules": [], "excluded": []}
    for group in _groups(spheres, [mark.reader for mark in large]):
        part = "nodules" if len(group) >= min_readers else "excluded"
        label[part].append(spheres[group].mean(axis=0).tolist())
    for mark in (mark for mark in reading.marks if mark.kind != NODULE):
        point = _world(mark.contours[0].points.mean(axis=0), mark.contours[0], grid, reading.path)
        if not any(math.dist(point, row[:3]) <= row[3] / 2 for row in label["nodules"]):
            label["excluded"].append([*point, UNKNOWN])
    return label


def _sphere(mark: Mark, grid: Grid, path: str) -> list[float]:
    """Centroid of the voxels inside a mark's contours, and the diameter of the sphere of their volume."""
    count, total = 0, np.zeros(3)
    for index in sorted({_slice_of(contour, grid, path) for contour in mark.contours}):
        rows, columns = _inside([c for c in mark.contours if _slice_of(c, grid, path) == index])
        count += len(rows)
        total += [rows.sum(), columns.sum(), index * len(rows)]
    if not count:  # too thin to hold a voxel's centre
        points = [_world(c.points.mean(axis=0), c, grid, path) for c in mark.contours]
        return [*np.mean(points, axis=0), SMALLEST_MM]
    volume = count * abs(np.linalg.det(grid.affine[:3, :3]))
    return [*voxel_to_world(total / count, grid.affine)[0], math.cbrt(6 * volume / math.pi)]


def _inside(contours: Sequence[Contour]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels in a slice's contours; they run just outside: their own do not count."""
    low = np.floor(np.min([c.points.min(axis=0) for c in contours], axis=0)).astype(int)
    high = np.ceil(np.max([c.points.max(axis=0) for c in contours], axis=0)).astype(int)
    region = np.zeros((high - low + 1)[::-1], bool)
    for contour in sorted(contours, key=lambda c: not c.inclusion):  # holes last
        rows, columns = (contour.points - low).T[::-1]
        filled = np.zeros_like(region)
        filled[polygon(rows, columns, region.shape)] = True
        for one, other in pairwise([*zip(rows, columns, strict=True), (rows[0], columns[0])]):
            filled[line(*np.rint([*one, *other]).astype(int))] = False
        region = region | filled if contour.inclusion else region & ~filled
    rows, columns = np.nonzero(region)
    return rows + low[1], columns + low[0]


def _slice_of(contour: Contour, grid: Grid, path: str) -> int:
    """Index of a contour's slice: by SOPInstanceUID, else by its z, within half a slice."""
    if contour.sop_uid in grid.slice_names:
        return grid.slice_names.index(contour.sop_uid)
    depth = grid.shape[2]
    middle = np.column_stack([np.full((depth, 2), np.array(grid.shape[:2]) / 2), np.arange(depth)])
    distances = np.abs(voxel_to_world(middle, grid.affine)[:, 2] - contour.z_mm)
    index = int(distances.argmin())
    if distances[index] > abs(grid.affine[2, 2]) / 2 + 1e-3:
        raise InputError(
            f"a contour at z = {contour.z_mm:g} mm, where the series has no slice",
            path=path,
            remedy="restore the series' missing slices, or leave it out",
        )
    return index


def _world(point: np.ndarray, contour: Contour, grid: Grid, path: str) -> list[float]:
    x, y = point
    return voxel_to_world([[y, x, _slice_of(contour, grid, path)]], grid.affine)[0].tolist()


def _groups(spheres: np.ndarray, readers: Sequence[int]) -> list[list[int]]:
    """Join marks nearer than the sum of their radii, nearest first, no reader twice in a group."""
    groups = [[index] for index in range(len(spheres))]
    distances = np.linalg.norm(spheres[:, None, :3] - spheres[None, :, :3], axis=2)
    reach = (spheres[:, None, 3] + spheres[None, :, 3]) / 2
    pairs = np.argwhere(np.triu(distances < reach, k=1))
    for one, other in sorted(pairs.tolist(), key=lambda pair: distances[*pair]):
        first = next(group for group in groups if one in group)
        second = next(group for group in groups if other in group)
        if first is second or {readers[i] for i in first} & {readers[i] for i in second}:
            continue
        first += second
        groups.remove(second)
    return groups
