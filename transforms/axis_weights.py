# SPDX-License-Identifier: Apache-2.0
"""Interpolation along one axis of a volume, as a small matrix."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


class AxisWeights:
    """Interpolation along one axis: where each voxel of the grid lies on the stored axis."""

    def __init__(self, positions: np.ndarray, size: int, step: float, *, nearest: bool) -> None:
        self.inside = torch.from_numpy((positions >= -0.5 - 1e-6) & (positions <= size - 0.5 + 1e-6))
        self.size = size
        if nearest:
            self.nearest = torch.from_numpy(np.clip(np.rint(positions), 0, size - 1).astype(np.int64))
        else:
            self.matrix = _weights(positions, size, math.sqrt(max(step**2 - 1, 0)))

    def weights(self, start: int, stop: int | None) -> tuple[Tensor, slice]:
        """Weights (rows of the grid, stored voxels) of a part of the grid, and those stored voxels."""
        rows = self.matrix[start:stop]
        used = np.flatnonzero(rows.any(axis=0))
        box = slice(int(used[0]), int(used[-1]) + 1)
        return torch.from_numpy(np.ascontiguousarray(rows[:, box])), box


def _weights(positions: np.ndarray, size: int, width: float) -> np.ndarray:
    """Weights (N, size) float32 of linear interpolation averaged over ``width`` voxels; edges repeat."""
    matrix = np.zeros((len(positions), size))
    reach = math.ceil(1 + width / 2)
    nearest = np.floor(positions).astype(int)
    rows = np.arange(len(positions))
    for offset in range(-reach, reach + 2):
        weight = _tent(nearest + offset - positions, width)
        np.add.at(matrix, (rows, np.clip(nearest + offset, 0, size - 1)), weight)
    return matrix.astype(np.float32)


def _tent(distance: np.ndarray, width: float) -> np.ndarray:
    """The weight of a voxel at ``distance``: the mean of 1 - |t| over ``width`` voxels about it."""
    if width < 1e-3:
        return np.maximum(1 - np.abs(distance), 0)
    left, right = (np.clip(distance + side * width / 2, -1, 1) for side in (-1, 1))
    # the integral of 1 - |t| is t - t |t| / 2
    return ((right - right * np.abs(right) / 2) - (left - left * np.abs(left) / 2)) / width
