# SPDX-License-Identifier: Apache-2.0
"""Projections of a volume and its masks along the three axes, in one pass over its slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .volume_like import SLAB_BYTES, VolumeLike, check_same_shape, read_slab, slab_ranges

AXES = ("z", "y", "x")


@dataclass(frozen=True)
class Projections:
    """What is seen of a volume along one axis; rows and columns are the other two axes in the order z, y, x.

    Args:
        image: (H, W) float32 greatest gray value.
        mask: (H, W) bool, a voxel of the mask lies somewhere along the line.
        depth: (H, W) int32 first slice along the axis with a voxel of the mask; -1 where there is none.
        reference: (H, W) bool as ``mask``, or None.
    """

    image: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    reference: np.ndarray | None


def project(
    image_volume: VolumeLike,
    mask_volume: VolumeLike,
    *,
    reference: VolumeLike | None = None,
    slab_bytes: int = SLAB_BYTES,
) -> tuple[Projections, Projections, Projections]:
    """Project along z, y and x; each volume is read once, slab by slab.

    Memory holds one slab and the projections, (Y X + Z X + Z Y) pixels of each kind.

    Args:
        image_volume: (Z, Y, X) gray values.
        mask_volume: (Z, Y, X), 0 is background.
        reference: (Z, Y, X), 0 is background.
        slab_bytes: size of a slab as float32.

    Returns:
        projections along z, y, x.

    Raises:
        InputError: shapes differ.
    """
    check_same_shape(image_volume, mask_volume, reference)
    shape = tuple(image_volume.shape)
    masks = [mask_volume] if reference is None else [mask_volume, reference]
    grays = [np.full(_plane(shape, axis), -np.inf, np.float32) for axis in range(3)]
    depths = [[np.full(_plane(shape, axis), -1, np.int32) for axis in range(3)] for _ in masks]
    for start, stop in slab_ranges(shape, slab_bytes=slab_bytes):
        _add_gray(grays, read_slab(image_volume, start, stop), start, stop)
        for depth, mask in zip(depths, masks, strict=True):
            _add_depth(depth, read_slab(mask, start, stop) != 0, start, stop)
    return tuple(
        Projections(
            image=grays[axis],
            mask=depths[0][axis] >= 0,
            depth=depths[0][axis],
            reference=None if reference is None else depths[1][axis] >= 0,
        )
        for axis in range(3)
    )


def _plane(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return tuple(size for place, size in enumerate(shape) if place != axis)


def _add_gray(grays: list[np.ndarray], slab: np.ndarray, start: int, stop: int) -> None:
    np.maximum(grays[0], slab.max(axis=0), out=grays[0])
    for axis in (1, 2):
        grays[axis][start:stop] = slab.max(axis=axis)


def _add_depth(depths: list[np.ndarray], slab: np.ndarray, start: int, stop: int) -> None:
    if not slab.any():
        return
    fresh = slab.any(axis=0) & (depths[0] < 0)
    depths[0][fresh] = start + slab.argmax(axis=0)[fresh]
    for axis in (1, 2):
        depths[axis][start:stop] = np.where(slab.any(axis=axis), slab.argmax(axis=axis), -1)
