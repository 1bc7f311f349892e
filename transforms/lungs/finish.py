# SPDX-License-Identifier: Apache-2.0
"""From air to lungs: vessels and nodules filled in, hull and margin added."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .hull import fill_hull
from .planes import dilate_mm, dilate_planes, fill_planes
from .sides import LEFT, RIGHT

MARGIN = 3
_HULL_RATIO = 1.5


def fill_lungs(sides: np.ndarray, *, closing: int = 1) -> np.ndarray:
    """Close and fill each lung slice by slice, so that vessels and nodules within it belong to it.

    Args:
        sides: uint8 (z, y, x), 0, 1 right, 2 left.
        closing: voxels by which gaps are closed before holes are filled.

    Returns:
        uint8 (z, y, x); a voxel that both would take stays with the right lung.
    """
    result = np.zeros_like(sides)
    for side in (LEFT, RIGHT):
        lung = sides == side
        if lung.any():
            result[fill_planes(_close_planes(lung, closing)) & ((sides == 0) | lung)] = side
    return result


def _close_planes(mask: np.ndarray, voxels: int) -> np.ndarray:
    if not voxels:
        return mask
    padded = np.pad(mask, ((0, 0), (voxels, voxels), (voxels, voxels)))
    for _ in range(voxels):
        padded = dilate_planes(padded)
    padded = ~padded
    for _ in range(voxels):
        padded = dilate_planes(padded)
    return ~padded[:, voxels:-voxels, voxels:-voxels]


def add_margin(
    lungs: np.ndarray,
    *,
    spacing: tuple[float, float, float],
    margin_mm: float,
    hull_ratio: float = _HULL_RATIO,
) -> np.ndarray:
    """Add label 3: the convex hull of each lung in each slice, and all within ``margin_mm`` of it.

    A hull more than ``hull_ratio`` times as large as its lung is left out, as in DSB2017: it would take in
    the heart. Nodules at the pleura and consolidated parts lie in the hull.

    Args:
        lungs: uint8 (z, y, x), 0, 1 right, 2 left.
        spacing: mm along z, y, x.
        margin_mm: distance from hull or lung, mm.
        hull_ratio: largest area of a hull, in units of its lung's.

    Returns:
        uint8 (z, y, x): 0, 1, 2, 3 margin.
    """
    result = lungs.copy()
    box = _room_around(lungs > 0, spacing, margin_mm)
    part = lungs[box]
    near = part > 0
    for side in (RIGHT, LEFT):
        for z in np.flatnonzero((part == side).any(axis=(1, 2))):
            near[z] |= fill_hull(part[z] == side, largest_ratio=hull_ratio)
    near = dilate_mm(near, radius_mm=margin_mm, spacing=spacing)
    result[box][near & (part == 0)] = MARGIN
    return result


def _room_around(
    mask: np.ndarray, spacing: tuple[float, float, float], margin_mm: float
) -> tuple[slice, ...]:
    (found,) = ndimage.find_objects(mask.astype(np.uint8))
    room = [int(np.ceil(margin_mm / size)) + 1 for size in spacing]
    return tuple(
        slice(max(0, part.start - more), min(count, part.stop + more))
        for part, more, count in zip(found, room, mask.shape, strict=True)
    )
