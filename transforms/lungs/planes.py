# SPDX-License-Identifier: Apache-2.0
"""Slice-wise tools on boolean volumes (z, y, x): components, borders, 3 x 3 openings, holes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_IN_PLANE = np.zeros((3, 3, 3), bool)
_IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


def label_planes(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Components of each slice by itself (4-connected), numbered through the volume from 1.

    Args:
        mask: bool (z, y, x).

    Returns:
        int32 (z, y, x), and the number of components.
    """
    return ndimage.label(mask, structure=_IN_PLANE)


def touching_border(labels: np.ndarray, count: int) -> np.ndarray:
    """Which components reach the first or last row or column of a slice: bool (count + 1,), 0 never."""
    touches = np.zeros(count + 1, bool)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        touches[edge.reshape(-1)] = True
    touches[0] = False
    return touches


def fill_planes(mask: np.ndarray) -> np.ndarray:
    """Fill what each slice of a mask encloses, bool (z, y, x)."""
    labels, count = label_planes(~mask)
    enclosed = ~touching_border(labels, count)
    enclosed[0] = True
    return enclosed[labels]


def largest_in_planes(mask: np.ndarray) -> np.ndarray:
    """The largest component of each slice, bool (z, y, x)."""
    labels, count = label_planes(mask)
    keep = np.zeros(count + 1, bool)
    first = 1
    for plane in labels:  # components are numbered slice by slice
        last = int(plane.max())
        if last >= first:
            sizes = np.bincount(plane.reshape(-1), minlength=last + 1)[first:]
            keep[first + int(sizes.argmax())] = True
            first = last + 1
    return keep[labels]


def open_planes(mask: np.ndarray) -> np.ndarray:
    """Open each slice with a square of 3 x 3: what is thinner than 3 voxels goes.

    The outside of a slice counts as set, so that a body cut by the border is not nibbled at.
    """
    return dilate_planes(~dilate_planes(~mask))


def dilate_planes(mask: np.ndarray) -> np.ndarray:
    """Dilate each slice with a square of 3 x 3, by shifts: ten times as fast as a general dilation."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    result = wide.copy()
    result[:, :, 1:] |= wide[:, :, :-1]
    result[:, :, :-1] |= wide[:, :, 1:]
    return result


def erode(mask: np.ndarray) -> np.ndarray:
    """Erode by the six neighbours, slices included where there are three or more; borders are not eroded."""
    result = mask.copy()
    for axis in range(3):
        if mask.shape[axis] < 3:
            continue
        ahead, behind = [slice(None)] * 3, [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        result[tuple(ahead)] &= mask[tuple(behind)]
        result[tuple(behind)] &= mask[tuple(ahead)]
    return result


def dilate(mask: np.ndarray) -> np.ndarray:
    """Dilate by the six neighbours."""
    return ~erode(~mask)


def dilate_mm(mask: np.ndarray, *, radius_mm: float, spacing: tuple[float, float, float]) -> np.ndarray:
    """Dilate by a ball: all voxels whose centre is within ``radius_mm`` of one of the mask's.

    A sum of shifted rows; for balls of a few voxels ten times as fast as a distance map of the volume.

    Args:
        mask: bool (z, y, x).
        radius_mm: 0 or more.
        spacing: mm along z, y, x.
    """
    reach = [int(radius_mm / size + 1e-6) for size in spacing]
    rows = [mask.copy()]  # rows[w]: dilated along x by w voxels
    for width in range(1, reach[2] + 1):
        longer = rows[-1].copy()
        longer[:, :, width:] |= mask[:, :, :-width]
        longer[:, :, :-width] |= mask[:, :, width:]
        rows.append(longer)
    result = np.zeros_like(mask)
    for dz in range(-reach[0], reach[0] + 1):
        for dy in range(-reach[1], reach[1] + 1):
            rest = radius_mm**2 - (dz * spacing[0]) ** 2 - (dy * spacing[1]) ** 2
            if rest > -1e-6:
                width = int(np.sqrt(max(rest, 0.0)) / spacing[2] + 1e-6)
                into, out_of = _shifted(dz, dy)
                result[into] |= rows[width][out_of]
    return result


def _shifted(dz: int, dy: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a shifted volume lands, and where it comes from."""
    pairs = [
        (slice(max(0, d), d if d < 0 else None), slice(max(0, -d), -d if d > 0 else None)) for d in (dz, dy)
    ]
    return (pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1])
