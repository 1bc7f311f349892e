# SPDX-License-Identifier: Apache-2.0
"""Points between voxels and the world.

Affines are MONAI's and NIfTI's: they map voxel indices (i, j, k) to RAS mm. World points are LPS mm, as in
DICOM, ITK and the tables of LUNA16 and Tianchi: x to the patient's left, y to the back, z to the head. The
whole affine is used, direction included, so flipped, permuted and oblique volumes give the same points.
"""

from __future__ import annotations

import numpy as np

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def voxel_to_world(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Voxel indices to LPS mm.

    Args:
        points: (N, 3) indices (i, j, k), fractions allowed; the centre of a voxel is an integer.
        affine: (4, 4) to RAS mm.

    Returns:
        (N, 3) float64 x, y, z.
    """
    points, affine = np.asarray(points, np.float64).reshape(-1, 3), np.asarray(affine, np.float64)
    return (points @ affine[:3, :3].T + affine[:3, 3]) @ RAS_TO_LPS


def world_to_voxel(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """LPS mm to voxel indices; the inverse of :func:`voxel_to_world`.

    Args:
        points: (N, 3) x, y, z in mm.
        affine: (4, 4) to RAS mm, of full rank.

    Returns:
        (N, 3) float64 indices (i, j, k).
    """
    points, affine = np.asarray(points, np.float64).reshape(-1, 3), np.asarray(affine, np.float64)
    return np.linalg.solve(affine[:3, :3], (points @ RAS_TO_LPS - affine[:3, 3]).T).T
