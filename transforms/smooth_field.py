# SPDX-License-Identifier: Apache-2.0
"""Smooth displacement fields on a crop: tensor products of cubic B-splines on a coarse grid of controls.

Cubic B-splines reproduce linear functions, so that an affine map and a displacement on top of it are one
set of controls and are evaluated on all voxels together, by three small matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

KNOT = 24.0  # voxels between controls, about


def knots(size: int) -> np.ndarray:
    """Places of the controls along an axis of ``size`` voxels; one beyond each end, (N,) float64."""
    cells, step = _cells(size)
    return (np.arange(cells + 3) - 1.0) * step


def largest_elastic(shape: Sequence[int]) -> float:
    """The largest displacement of controls, in voxels, of which no field folds or leaves ``solve`` astray.

    Neighbouring controls differ by at most twice the displacement, so that the slopes along three axes sum
    to less than 6 displacements a knot; below 1 the fixed point iteration contracts.
    """
    return min(_cells(size)[1] for size in shape) / 6


def dense_field(controls: np.ndarray, shape: Sequence[int]) -> Tensor:
    """The field at every voxel.

    Args:
        controls: (n0, n1, n2, 3), as many as ``knots`` gives along each axis.
        shape: (D0, D1, D2).

    Returns:
        (D0, D1, D2, 3) float32.
    """
    rows, columns, slices = (_voxel_basis(size) for size in shape)
    count = controls.shape
    field = rows @ torch.from_numpy(controls).float().reshape(count[0], -1)
    field = columns @ field.reshape(shape[0], count[1], -1)
    # the last axis and the three components in one product of plain matrices
    both = torch.einsum("sn,xy->nxsy", slices, torch.eye(3)).reshape(count[2] * 3, -1)
    return (field.reshape(-1, count[2] * 3) @ both).reshape(*shape, 3)


def field_at(controls: np.ndarray, shape: Sequence[int], places: np.ndarray) -> np.ndarray:
    """The field at (N, 3) places in voxels, fractions allowed; beyond the crop its edge repeats."""
    basis = [_basis(places[:, axis], size) for axis, size in enumerate(shape)]
    return np.einsum("na,nb,nc,abcd->nd", *basis, controls)


def slopes_at(controls: np.ndarray, shape: Sequence[int], places: np.ndarray) -> np.ndarray:
    """Derivatives of the field: (N, 3, 3), component by axis."""
    found = []
    for along in range(3):
        basis = [_basis(places[:, axis], size, slope=axis == along) for axis, size in enumerate(shape)]
        found.append(np.einsum("na,nb,nc,abcd->nd", *basis, controls))
    return np.stack(found, axis=-1)


def solve(controls: np.ndarray, shape: Sequence[int], goals: np.ndarray) -> np.ndarray:
    """Places u with u + field(u) = goal, by fixed point iteration: (N, 3) for (N, 3) goals."""
    places = goals
    for _ in range(100):
        moved = goals - field_at(controls, shape, places)
        change = np.abs(moved - places).max(initial=0)
        places = moved
        if change < 1e-6:
            break
    return places


def _cells(size: int) -> tuple[int, float]:
    if size == 1:
        return 1, KNOT
    cells = max(1, round((size - 1) / KNOT))
    return cells, (size - 1) / cells


@lru_cache(maxsize=16)
def _voxel_basis(size: int) -> Tensor:
    return torch.from_numpy(_basis(np.arange(size, dtype=np.float64), size)).float()


def _basis(places: np.ndarray, size: int, *, slope: bool = False) -> np.ndarray:
    """Weights of the controls at places along one axis, or their derivatives: (N, controls)."""
    cells, step = _cells(size)
    at = places / step
    inside = (at >= 0) & (at <= cells)
    x = np.clip(at, 0, cells)[:, None] - (np.arange(cells + 3) - 1.0)
    far = np.clip(2 - np.abs(x), 0, None)
    near = np.clip(1 - np.abs(x), 0, None)
    if not slope:
        return far**3 / 6 - 2 * near**3 / 3
    return -np.sign(x) * (far**2 / 2 - 2 * near**2) / step * inside[:, None]
