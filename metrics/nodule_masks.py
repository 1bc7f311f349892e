# SPDX-License-Identifier: Apache-2.0
"""Errors of nodules' places and sizes: of candidates that hit, and of segmented masks."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..utils import InputError
from .dice import as_array, dice_from_counts, volume_dice_counts

Floats = NDArray[np.float64]

_NEIGHBOURS = np.ones((3, 3, 3), np.uint8)


def sphere_errors(found: ArrayLike, nodules: ArrayLike, hit_index: ArrayLike) -> tuple[Floats, Floats]:
    """Distance of centres and difference of diameters of the candidates that hit nodules.

    Args:
        found: (N, 4) candidates x, y, z, diameter in mm.
        nodules: (M, 4).
        hit_index: (M,) candidate of each nodule, -1 for none, as in ``ScanMatch``.

    Returns:
        (M,) distance in mm and (M,) found minus true diameter in mm; NaN where there is none, and for the
        diameter where the true one is not known (negative).
    """
    found, nodules = (np.asarray(values, np.float64).reshape(-1, 4) for values in (found, nodules))
    hit_index = np.asarray(hit_index, np.int64)
    errors = np.full((2, len(nodules)), np.nan)
    hit = hit_index >= 0
    difference = found[hit_index[hit]] - nodules[hit]
    errors[0, hit] = np.linalg.norm(difference[:, :3], axis=1)
    errors[1, hit] = np.where(nodules[hit, 3] < 0, np.nan, difference[:, 3])
    return errors[0], errors[1]


def mask_dice(prediction: ArrayLike, reference: ArrayLike) -> float:
    """Dice of two nodule masks of a scan; NaN where the reference is empty.

    Args:
        prediction: mask of any shape, nodule where it is not 0.
        reference: mask of the same shape.

    Raises:
        InputError: shapes that differ.
    """
    one, other = _binary(prediction), _binary(reference)
    _check_shapes(one, other)
    counts = volume_dice_counts(torch.from_numpy(one), torch.from_numpy(other), num_classes=1)
    return float(dice_from_counts(*counts)[0])


def mask_errors(
    prediction: ArrayLike, reference: ArrayLike, *, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> tuple[Floats, Floats]:
    """Distance of centres and difference of diameters of segmented nodules.

    A nodule is a component of the reference (26 neighbours); its counterpart is the component of the
    prediction that shares most voxels with it. Centres are centres of mass, the diameter is that of the
    sphere of equal volume.

    Args:
        prediction: (H, W, D) mask, nodule where it is not 0.
        reference: (H, W, D) mask.
        spacing: of the voxels in mm.

    Returns:
        (M,) distance in mm and (M,) segmented minus true diameter in mm, NaN where nothing overlaps;
        nodules in the order of their first voxel.

    Raises:
        InputError: shapes that differ, or not three axes.
    """
    one, other = _binary(prediction), _binary(reference)
    _check_shapes(one, other)
    if one.ndim != 3:
        raise InputError(f"nodule masks of the shape {one.shape}, not (H, W, D)")
    one, other = _crop(one, other)
    segmented, count = ndimage.label(one, _NEIGHBOURS)
    truth, nodules = ndimage.label(other, _NEIGHBOURS)
    shared = np.zeros((nodules + 1, count + 1), np.int64)
    both = (truth > 0) & (segmented > 0)
    np.add.at(shared, (truth[both], segmented[both]), 1)
    partner = shared.argmax(axis=1)[1:]
    partner = np.where(shared[1:].any(axis=1), partner - 1, -1)
    return sphere_errors(_spheres(segmented, count, spacing), _spheres(truth, nodules, spacing), partner)


def _spheres(labels: NDArray, count: int, spacing: tuple[float, float, float]) -> Floats:
    """(count, 4) centre of mass and equivalent diameter in mm of each component."""
    if not count:
        return np.zeros((0, 4))
    numbers = np.arange(1, count + 1)
    centres = np.array(ndimage.center_of_mass(labels > 0, labels, numbers)) * np.asarray(spacing)
    volumes = np.bincount(labels.ravel(), minlength=count + 1)[1:] * math.prod(spacing)
    return np.column_stack([centres, np.cbrt(6 * volumes / math.pi)])


def _crop(one: NDArray, other: NDArray) -> tuple[NDArray, NDArray]:
    """Both masks in the box around all that is not 0: labels of a whole scan would take 200 MB."""
    either = one | other
    box = []
    for axis in range(3):
        places = np.flatnonzero(either.any(axis=tuple({0, 1, 2} - {axis})))
        box.append(slice(places[0], places[-1] + 1) if len(places) else slice(0, 0))
    return one[tuple(box)], other[tuple(box)]


def _binary(values: ArrayLike) -> NDArray[np.uint8]:
    array = as_array(values) if isinstance(values, torch.Tensor) else np.asarray(values)
    return (array != 0).view(np.uint8)


def _check_shapes(one: NDArray, other: NDArray) -> None:
    if one.shape != other.shape:
        raise InputError(f"nodule masks of the shapes {one.shape} and {other.shape}")
