# SPDX-License-Identifier: Apache-2.0
"""Radius of vessels: at the voxels of the centre-line, and from there at all voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import KDTree

from .vessel_masks import occupied_voxels


def centre_line_radius(
    mask: np.ndarray, voxels: np.ndarray, *, spacing: Sequence[float] = (1.0, 1.0, 1.0)
) -> np.ndarray:
    """Distance of voxels of a mask to the nearest voxel outside it, centre to centre.

    This is the Euclidean distance transform at these voxels. Only the voxels outside that touch the mask by a
    face are searched (the nearest one is always among them), so that the cost follows the vessels and not the
    volume. Beyond the array nothing is known, and nothing counts as outside.

    At the centre-line it is the vessel's radius. Mean error on tubes of known radius R in random positions
    and directions, in voxels: +0.5 at R = 0.5, 0.0 at R = 1, -0.1 to -0.5 for R of 1.5 to 4, -0.4 to -0.6 for
    R of 6 to 12 (a single tube: -0.9 at worst), as the centre-line is of whole voxels and lies off the axis.

    Args:
        mask: ``(Z, Y, X)`` bool or uint8.
        voxels: ``(n, 3)`` z, y, x of voxels in the mask.
        spacing: voxel size z, y, x, in any unit.

    Returns:
        ``(n,)`` float64 in the unit of ``spacing``; infinite where the mask fills the array.
    """
    if len(voxels) == 0:
        return np.zeros(0)
    outside = _shell(np.asarray(mask) != 0)
    if len(outside) == 0:
        return np.full(len(voxels), np.inf)
    scale = np.asarray(spacing, dtype=np.float64)
    return KDTree(outside * scale).query(voxels * scale)[0]


def voxel_radius(
    mask: np.ndarray, skeleton: np.ndarray, *, within: slice, spacing: Sequence[float] = (1.0, 1.0, 1.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Radius of the vessel that each voxel of a mask belongs to: that of the nearest centre-line voxel.

    A fast stand-in for the local thickness of Hildebrand and Ruegsegger (1997, J Microsc 185:67-75), which
    takes the largest ball in the mask that holds the voxel: equal in tubes of constant radius, blurred over
    about a radius where a thin vessel leaves a thick one.

    Args:
        mask: ``(Z, Y, X)`` bool or uint8.
        skeleton: ``(Z, Y, X)`` bool, centre-lines of the mask.
        within: the slices whose voxels are asked for; the others serve as margin.
        spacing: voxel size z, y, x, in any unit.

    Returns:
        ``(n, 3)`` int64 voxels of the mask in these slices (z counted within them), and ``(n,)`` float64
        radius in the unit of ``spacing``.
    """
    inside = occupied_voxels(np.asarray(mask)[within])
    line = occupied_voxels(skeleton)
    if len(inside) == 0:
        return inside, np.zeros(0)
    radius = centre_line_radius(mask, line, spacing=spacing)
    scale = np.asarray(spacing, dtype=np.float64)
    start = np.array([within.start or 0, 0, 0])
    nearest = KDTree(line * scale).query((inside + start) * scale)[1]
    return inside, radius[nearest]


def _shell(mask: np.ndarray) -> np.ndarray:
    """Voxels outside a mask that touch it by a face, ``(n, 3)`` int64."""
    known = np.pad(mask, 1, constant_values=True)  # what lies beyond the array is not outside
    inside = np.ravel_multi_index(tuple((occupied_voxels(mask) + 1).T), known.shape)
    strides = known.shape[1] * known.shape[2], known.shape[2], 1
    flat = known.ravel()
    near = np.concatenate([inside + step for stride in strides for step in (-stride, stride)])
    touched = np.sort(near[~flat[near]])
    touched = touched[np.diff(touched, prepend=-1) > 0]  # np.unique hashes, which is slower here
    return np.stack(np.unravel_index(touched, known.shape), axis=1) - 1
