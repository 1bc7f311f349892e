# SPDX-License-Identifier: Apache-2.0
"""Nodules and lungs as NIfTI masks on the stored scan's own grid, whatever its direction."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...utils import InputError, atomic_path
from ...utils.world import voxel_to_world, world_to_voxel
from .case import NoduleCase

MOST_LABELS = 255  # of uint8
_AXIS = 1e-6  # voxels over the whole grid by which two grids may be turned and still count as parallel
_SCANNER = 1  # NIfTI's code of scanner coordinates


def write_nodule_mask(path: str | PathLike, case: NoduleCase, *, probability: float = 0.5) -> Path:
    """Write the candidates as spheres; the value of a voxel is the candidate's rank, 1 for the first.

    Where two spheres meet, the better rank wins. A candidate smaller than a voxel gets the voxel nearest to
    its centre. Where a network for segmentation drew the nodules (``case.mask``), its voxels are written
    instead, with the rank of the candidate whose centre is nearest; those of candidates below
    ``probability`` are left out.

    Args:
        path: .nii or .nii.gz to write, uint8.
        case: the scan.
        probability: candidates below it are left out, 0-1.

    Returns:
        ``path``.

    Raises:
        InputError: more than 255 candidates to draw.
    """
    count = case.count(probability)
    if count > MOST_LABELS:
        raise InputError(
            f"{count} candidates of {case.name} for a mask of 8 bit",
            path=path,
            remedy="raise the probability from which they are drawn",
        )
    if case.mask is None:
        labels = draw_spheres(case.nodules[:count], affine=case.native_affine, shape=case.native_shape)
    else:
        labels = _segmented(case, count)
    return write_labels(path, labels, affine=case.native_affine, axes=case.axes)


def write_lung_mask(path: str | PathLike, case: NoduleCase) -> Path:
    """Write the lungs' labels on the stored grid: 1 right lung, 2 left lung, 3 margin, 0 elsewhere.

    Args:
        path: .nii or .nii.gz to write, uint8.
        case: the scan, with ``lungs``.

    Returns:
        ``path``.

    Raises:
        InputError: the case has no lungs.
    """
    if case.lungs is None:
        raise InputError(f"scan {case.name} has no lung mask", remedy='compute it, or leave "lungs" out')
    grid = {"affine": case.native_affine, "shape": case.native_shape}
    labels = labels_on_grid(case.lungs, case.lungs_affine, **grid)
    return write_labels(path, labels, affine=case.native_affine, axes=case.axes)


def draw_spheres(nodules: np.ndarray, *, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Draw spheres on a grid of any direction, spacing and shear; inside is decided in mm.

    A sphere is drawn in its own box, whose half sides are r |row i of the inverse affine| voxels: the extent
    of the ellipsoid |A v| <= r along axis i.

    Args:
        nodules: (N, 4) x, y, z (LPS mm) and diameter, N at most 255.
        affine: (4, 4) of the grid, RAS mm.
        shape: (rows, columns, slices).

    Returns:
        (rows, columns, slices) uint8: 0, or 1 + index of the sphere, the first on top; a view of an array
        whose slices are contiguous.
    """
    labels = _empty(shape)
    matrix = np.asarray(affine, np.float64)[:3, :3]
    reach = np.linalg.norm(np.linalg.inv(matrix), axis=1)
    centres = world_to_voxel(nodules[:, :3], affine)
    for index in reversed(range(len(nodules))):
        centre, radius = centres[index], nodules[index, 3] / 2
        low = np.clip(np.ceil(centre - radius * reach), 0, shape).astype(int)
        high = np.clip(np.floor(centre + radius * reach) + 1, low, shape).astype(int)
        rows, columns = (np.arange(low[axis], high[axis]) - centre[axis] for axis in (0, 1))
        plane = rows[:, None, None] * matrix[:, 0] + columns[:, None] * matrix[:, 1]
        for k in range(low[2], high[2]):  # slice by slice, so that a huge sphere takes no huge arrays
            inside = np.square(plane + (k - centre[2]) * matrix[:, 2]).sum(axis=-1) <= radius**2
            labels[low[0] : high[0], low[1] : high[1], k][inside] = index + 1
    _mark_centres(labels, centres)
    return labels


def _mark_centres(labels: np.ndarray, centres: np.ndarray) -> None:
    """Give each sphere its centre's voxel where no sphere has it: a small one may lie between the voxels."""
    nearest = np.rint(centres).astype(int)
    within = ((nearest >= 0) & (nearest < labels.shape)).all(axis=1)
    for index in np.flatnonzero(within):
        place = tuple(nearest[index])
        if labels[place] == 0:
            labels[place] = index + 1


def labels_on_grid(
    labels: np.ndarray, labels_affine: np.ndarray, *, affine: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Bring labels to another grid by the nearest voxel; 0 outside theirs.

    Args:
        labels: (h, w, d) integers 0-255.
        labels_affine: (4, 4) of them, RAS mm.
        affine: (4, 4) of the other grid, RAS mm.
        shape: its (rows, columns, slices).

    Returns:
        (rows, columns, slices) uint8, a view of an array whose slices are contiguous.
    """
    step = np.linalg.solve(np.asarray(labels_affine, np.float64), np.asarray(affine, np.float64))
    matrix, offset = step[:3, :3], step[:3, 3]
    order = np.abs(matrix).argmax(axis=1)
    rest = np.where(np.arange(3) == order[:, None], 0, np.abs(matrix))
    target, source = _empty(shape), np.asarray(labels, np.uint8)
    if sorted(order) == [0, 1, 2] and (rest @ np.asarray(shape)).max() <= _AXIS:
        _take_parallel(target, source, matrix, offset, np.argsort(order))
    else:
        view = target.transpose(2, 0, 1)  # as it lies in memory, so the matrix's columns too
        options = {"order": 0, "mode": "grid-constant", "output_shape": view.shape}
        ndimage.affine_transform(source, matrix[:, [2, 0, 1]], offset, output=view, **options)
    return target


def _take_parallel(
    target: np.ndarray, source: np.ndarray, matrix: np.ndarray, offset: np.ndarray, own: np.ndarray
) -> None:
    """Fill ``target`` by one index for each axis; ``own`` names the source's axis along each of its axes."""
    indices, box = [], []
    for axis in range(3):
        index = np.rint(matrix[own[axis], axis] * np.arange(target.shape[axis]) + offset[own[axis]])
        inside = np.flatnonzero((index >= 0) & (index < source.shape[own[axis]]))
        if not inside.size:
            return
        indices.append(index[inside].astype(int))
        box.append(slice(inside[0], inside[-1] + 1))  # the index only grows or only falls
    target[tuple(box)] = source.transpose(own)[np.ix_(*indices)]


def _segmented(case: NoduleCase, count: int) -> np.ndarray:
    """The network's own mask on the stored grid, each voxel with the rank of the nearest candidate."""
    labels = _empty(case.native_shape)
    if not len(case):
        return labels
    grid = {"affine": case.native_affine, "shape": case.native_shape}
    drawn = labels_on_grid(case.mask != 0, case.affine, **grid)
    voxels = np.argwhere(drawn)
    _, rank = cKDTree(case.nodules[:, :3]).query(voxel_to_world(voxels, case.native_affine))
    labels[tuple(voxels.T)] = np.where(rank < count, rank + 1, 0)
    return labels


def write_labels(path: str | PathLike, labels: np.ndarray, *, affine: np.ndarray, axes: str = "XYZ") -> Path:
    """Write labels of a (rows, columns, slices) array as NIfTI.

    The affine stands in sform, so that a shear is kept; qform has code 0 there, since it cannot hold one.

    Args:
        path: .nii or .nii.gz to write.
        labels: (H, W, D) uint8.
        affine: (4, 4) of them, RAS mm.
        axes: order of the stored axes.

    Returns:
        ``path``.
    """
    order = ["YXZ".index(letter) for letter in axes]
    stored = np.array(affine, np.float64)
    stored[:, :3] = stored[:, order]
    image = nib.Nifti1Image(labels.transpose(order), stored)
    image.set_sform(stored, code=_SCANNER)
    image.set_qform(None, code=0)
    image.header.set_xyzt_units("mm")
    with atomic_path(path) as temporary:
        nib.save(image, temporary)
    return Path(path)


def _empty(shape: tuple[int, int, int]) -> np.ndarray:
    rows, columns, slices = shape
    return np.zeros((slices, rows, columns), np.uint8).transpose(1, 2, 0)
