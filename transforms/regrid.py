# SPDX-License-Identifier: Apache-2.0
"""Reads a stored volume on another grid, slab by slab, so that a scan is never held twice as float.

Where the axes of both grids agree up to flips and permutation, as in almost every CT, interpolation is done
axis by axis: one small matrix an axis, and BLAS does the work. Else each block is read by ``grid_sample``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..utils import InputError
from ..utils.world import RAS_TO_LPS
from .axis_weights import AxisWeights

BLOCK = 64  # voxels along each axis that an oblique volume is read by
SKEW = 0.02  # voxels by which axes may run apart over the whole grid and still count as the same


class Grid(NamedTuple):
    """A regular grid in the world.

    Args:
        affine: (4, 4) float64, voxel index to RAS mm.
        shape: voxels along each axis.
    """

    affine: np.ndarray
    shape: tuple[int, int, int]


def patient_grid(low: Sequence[float], high: Sequence[float], spacing: float) -> Grid:
    """The grid that fills a box of the world: rows to the back, columns to the left, slices to the head.

    Args:
        low: least x, y, z of the box's faces, LPS mm.
        high: greatest x, y, z; the last voxels may reach over it.
        spacing: size of a voxel in mm.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    count = np.maximum(np.ceil((high - low) / spacing - 1e-3), 1).astype(int)
    lps = np.zeros((4, 4))
    lps[:3, :3] = spacing * np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    lps[:, 3] = [*(low + spacing / 2), 1]
    affine = lps.copy()
    affine[:3] = RAS_TO_LPS @ lps[:3]
    return Grid(affine, (int(count[1]), int(count[0]), int(count[2])))


class Regridder:
    """A stored volume seen on another grid.

    Linear interpolation blurs as little as a coarser voxel does by itself: along an axis on which a step of
    the grid is ``s`` > 1 stored voxels, the linear interpolant is averaged over sqrt(s^2 - 1) voxels, which
    makes a stored voxel's box about as wide as a voxel of the grid. A linear ramp stays exact. Oblique grids
    are read by plain trilinear interpolation.

    Args:
        volume: (1, H, W, D) or (H, W, D) of any real type and any strides.
        affine: (4, 4) of the volume.
        grid: where to read it.
        nearest: nearest voxel in the volume's own type (masks) instead of linear in float32.
        limits: values are clipped to these before they are interpolated; None for no limits.

    Raises:
        InputError: if the affine has no inverse.
    """

    def __init__(
        self,
        volume: Tensor,
        affine: np.ndarray,
        grid: Grid,
        *,
        nearest: bool = False,
        limits: tuple[float, float] | None = None,
    ) -> None:
        self.volume = volume.reshape(volume.shape[-3:])
        self.grid, self.nearest, self.limits = grid, nearest, limits
        affine = np.asarray(affine, np.float64)
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise InputError(
                "an affine without an inverse", remedy="check the spacing and direction in the header"
            )
        self.map = np.linalg.solve(affine, grid.affine)  # index on the grid -> index in the volume
        order = _same_axes(self.map[:3, :3], grid.shape)
        self.axes = None if order is None else self._axes(order)

    def _axes(self, order: tuple[int, ...]) -> list[AxisWeights]:
        self.volume = self.volume.permute(order)
        middle = self.map @ [*((np.array(self.grid.shape) - 1) / 2), 1.0]  # slight skew is even on both sides
        made = []
        for axis, stored in enumerate(order):
            count, step = self.grid.shape[axis], self.map[stored, axis]
            positions = middle[stored] + step * (np.arange(count) - (count - 1) / 2)
            made.append(AxisWeights(positions, self.volume.shape[axis], abs(step), nearest=self.nearest))
        return made

    def rows(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Read rows ``start`` to ``stop`` of the grid.

        Returns:
            Values (stop - start, W, D), contiguous, and where they lie in the volume, bool of the same
            shape; None if all do. What lies outside repeats the edge.
        """
        if self.axes is None:
            return self._oblique_rows(start, stop)
        values = self._nearest_rows(start, stop) if self.nearest else self._linear_rows(start, stop)
        inside = [axis.inside for axis in self.axes]
        inside[0] = inside[0][start:stop]
        if all(bool(line.all()) for line in inside):
            return values, None
        return values, inside[0][:, None, None] & inside[1][:, None] & inside[2]

    def _nearest_rows(self, start: int, stop: int) -> Tensor:
        values = self.volume.index_select(0, self.axes[0].nearest[start:stop])
        for axis in (1, 2):
            values = values.index_select(axis, self.axes[axis].nearest)
        return values.contiguous()

    def _linear_rows(self, start: int, stop: int) -> Tensor:
        (rows, row_box), (columns, column_box), (slices, slice_box) = (
            axis.weights(*span)
            for axis, span in zip(self.axes, ((start, stop), (0, None), (0, None)), strict=True)
        )
        # slices first: so they lie in memory, and the last product brings them to the end at no cost
        stored = self.volume[row_box, column_box, slice_box].permute(2, 0, 1)
        values = self._floats(stored)
        values = (rows @ values) @ columns.T
        depth = values.shape[0]
        mixed = values.reshape(depth, -1).T @ slices.T
        return mixed.reshape(stop - start, *self.grid.shape[1:])

    def _floats(self, stored: Tensor) -> Tensor:
        values = stored.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        return values if self.limits is None else values.clamp_(*self.limits)

    def _oblique_rows(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        shape = (stop - start, *self.grid.shape[1:])
        values = torch.empty(shape, dtype=self.volume.dtype if self.nearest else torch.float32)
        inside = torch.empty(shape, dtype=torch.bool)
        for first in range(0, shape[1], BLOCK):
            for second in range(0, shape[2], BLOCK):
                box = (slice(0, shape[0]), slice(first, first + BLOCK), slice(second, second + BLOCK))
                corner = (start, first, second)
                values[box], inside[box] = self._block(corner, values[box].shape)
        return values, None if bool(inside.all()) else inside

    def _block(self, corner: Sequence[int], shape: Sequence[int]) -> tuple[Tensor, Tensor | bool]:
        lines = [np.arange(first, first + count) for first, count in zip(corner, shape, strict=True)]
        where, inside, box = torch.empty(1, *shape, 3), True, []
        for stored, size in enumerate(self.volume.shape):
            steps = [self.map[stored, axis] * line for axis, line in enumerate(lines)]
            low = sum(step.min() for step in steps) + self.map[stored, 3]
            high = sum(step.max() for step in steps) + self.map[stored, 3]
            first, last = (min(max(round(end), 0), size - 1) for end in (low - 0.5, high + 0.5))
            # grid_sample's -1 and 1 are the centres of the first and last voxel, its axes come last first
            scale = 2 / max(last - first, 1)
            i, j, k = (torch.from_numpy(step * scale).float() for step in steps)
            place = i[:, None, None] + j[:, None] + (k + ((self.map[stored, 3] - first) * scale - 1))
            if low < -0.5 or high > size - 0.5:
                faces = ((end - first) * scale - 1 for end in (-0.5, size - 0.5))
                inside = inside & (place >= next(faces)) & (place <= next(faces))
            where[0, ..., 2 - stored] = place
            box.append(slice(first, last + 1))
        values = functional.grid_sample(
            self._floats(self.volume[tuple(box)])[None, None],
            where,
            mode="nearest" if self.nearest else "bilinear",
            padding_mode="border",
            align_corners=True,
        )[0, 0]
        return values.to(self.volume.dtype) if self.nearest else values, inside


def _same_axes(linear: np.ndarray, shape: Sequence[int]) -> tuple[int, ...] | None:
    """The stored axis along which each axis of the grid runs; None where one runs across two."""
    order = tuple(int(axis) for axis in np.abs(linear).argmax(axis=0))
    if len(set(order)) < 3:
        return None
    rest = np.abs(linear) * np.asarray(shape)
    rest[list(order), [0, 1, 2]] = 0
    return order if rest.sum(axis=1).max() < SKEW else None
