# SPDX-License-Identifier: Apache-2.0
"""Patches read out of a volume along its axes, or along a plane that is turned against them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from .foreground_index import BoxVolume


def read_patch(
    volume: BoxVolume, *, axis: int, start: Sequence[int], size: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Read a patch along the axes; what lies outside repeats the edge.

    Args:
        volume: (Z, Y, X).
        axis: slicing axis; the other two, in their order, are rows and columns.
        start: first slice, row and column; may be negative.
        size: (S, h, w).

    Returns:
        The patch (S, h, w) of the volume's data type, and where it lies in the volume, bool (S, h, w).
    """
    order = (axis, *(other for other in range(3) if other != axis))
    wanted = [np.arange(first, first + count) for first, count in zip(start, size, strict=True)]
    limits = [volume.shape[other] for other in order]
    clipped = [np.clip(index, 0, limit - 1) for index, limit in zip(wanted, limits, strict=True)]
    box: list[slice] = [slice(0, 0)] * 3
    for other, index in zip(order, clipped, strict=True):
        box[other] = slice(int(index[0]), int(index[-1]) + 1)
    values = np.moveaxis(volume.read(tuple(box)), axis, 0)
    if values.shape != tuple(size):
        values = values[np.ix_(*(index - index[0] for index in clipped))]
    slices, rows, columns = (index == near for index, near in zip(wanted, clipped, strict=True))
    inside = slices[:, None, None] & rows[:, None] & columns
    return np.ascontiguousarray(values), inside


def rotation_matrix(angles: Sequence[float]) -> np.ndarray:
    """Turn about z, then y, then x by angles in degrees: a (3, 3) matrix on (z, y, x) offsets."""
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (other for other in range(3) if other != axis)
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        one = np.eye(3)
        one[first, first] = one[second, second] = cosine
        one[first, second], one[second, first] = -sine, sine
        turn = one @ turn
    return turn


def read_oblique(
    volume: BoxVolume, *, axis: int, centre: Sequence[float], size: Sequence[int], rotation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Read a patch on a grid that is turned about its centre, trilinear; outside, the edge repeats.

    Only the box round the turned patch is read.

    Args:
        volume: (Z, Y, X).
        axis: slicing axis before the turn, see ``read_patch``.
        centre: (z, y, x) of the voxel in the middle of the patch: slice S // 2, row h // 2, column w // 2.
        size: (S, h, w).
        rotation: (3, 3) on (z, y, x) offsets from ``centre``.

    Returns:
        The patch (S, h, w) float32, and where it lies in the volume, bool (S, h, w).
    """
    order = (axis, *(other for other in range(3) if other != axis))
    offsets = [np.arange(count) - count // 2 for count in size]
    # one small vector an axis of the patch; their sums are its points
    points = [
        np.asarray(offset)[:, None] * rotation[:, other] for offset, other in zip(offsets, order, strict=True)
    ]
    where = np.asarray(centre, dtype=np.float64)[:, None, None, None] + (
        points[0].T[:, :, None, None] + points[1].T[:, None, :, None] + points[2].T[:, None, None, :]
    )
    box, inside = [], np.ones(tuple(size), bool)
    for place, limit in zip(where, volume.shape, strict=True):
        inside &= (place >= -0.5) & (place < limit - 0.5)
        low = min(max(math.floor(place.min()), 0), limit - 1)
        high = min(max(math.ceil(place.max()), 0), limit - 1)
        box.append(slice(low, high + 1))
        place -= low  # from here on places in the box
    values = volume.read(tuple(box)).astype(np.float32, copy=False)
    patch = ndimage.map_coordinates(values, where, order=1, mode="nearest", output=np.float32)
    return patch, inside
