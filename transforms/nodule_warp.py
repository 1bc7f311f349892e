# SPDX-License-Identifier: Apache-2.0
"""A crop as a map: where each of its voxels lies in a volume, and where points of the volume lie in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .cut_box import cut_box
from .smooth_field import dense_field, field_at, knots, slopes_at, solve


class CropWarp:
    """The map of a crop: place u shows the volume at centre + matrix (u - middle + field(u)).

    Image and points go through this one map. The field is smooth (``smooth_field``), None for an affine map.
    A map that only shifts is rounded to whole voxels and then read without interpolation.

    Args:
        shape: (D0, D1, D2) of the crop.
        matrix: (3, 3) offsets in the crop to offsets in the volume, of full rank; None for none.
        controls: (n0, n1, n2, 3) displacements in voxels of the crop, at ``knots`` of its axes.

    Attributes:
        centre: (3,) float64, the place in the volume that the middle of the crop shows, but for the field.
    """

    def __init__(
        self, shape: Sequence[int], *, matrix: np.ndarray | None = None, controls: np.ndarray | None = None
    ) -> None:
        self.shape = tuple(int(size) for size in shape)
        self.middle = (np.array(self.shape) - 1) / 2
        self.is_shift = matrix is None and controls is None
        self.matrix = np.eye(3) if matrix is None else np.asarray(matrix, np.float64)
        self.controls = controls
        self.centre = np.zeros(3)

    def place(self, point: Sequence[float], at: Sequence[float]) -> CropWarp:
        """Move the crop so that ``point`` of the volume lies at ``at`` of the crop; return it."""
        self.centre = np.zeros(3)
        self.centre = np.asarray(point, np.float64) - self.source(np.asarray(at, np.float64)[None])[0]
        if self.is_shift:
            self.centre = np.floor(self.centre - self.middle + 0.5) + self.middle
        return self

    def source(self, places: np.ndarray) -> np.ndarray:
        """Places in the crop (N, 3) to places in the volume."""
        offsets = places - self.middle
        if self.controls is not None:
            offsets = offsets + field_at(self.controls, self.shape, places)
        return self.centre + offsets @ self.matrix.T

    def locate(self, points: np.ndarray) -> np.ndarray:
        """Places in the volume (N, 3) to places in the crop, the inverse of ``source``."""
        places = self.middle + np.linalg.solve(self.matrix, (points - self.centre).T).T
        return places if self.controls is None else solve(self.controls, self.shape, places)

    def zoom(self, places: np.ndarray) -> np.ndarray:
        """How many times larger a small ball of the volume is shown at each place (N, 3), as a length."""
        volume = np.abs(np.linalg.det(self.matrix)) * np.ones(len(places))
        if self.controls is not None:
            slopes = slopes_at(self.controls, self.shape, places)
            volume = volume * np.linalg.det(np.eye(3) + slopes)
        return volume ** (-1 / 3)

    def span(self, volume_shape: Sequence[int]) -> Tensor:
        """Positions of the crop's first and last voxels in the volume, (6,) float32.

        The volume's first voxel centre is -0.5 and its last 0.5 along each axis. Of a turned crop these are
        the means over its first and over its last plane: the centre -+ half the size, times the share of
        the axis' direction that is left. A mirrored axis runs from high to low. The field is left out.
        """
        half = np.diag(self.matrix) * self.middle
        last = np.maximum(np.array(volume_shape) - 1, 1)
        ends = [(self.centre + side * half) / last - 0.5 for side in (-1, 1)]
        return torch.from_numpy(np.concatenate(ends)).float()

    def read(self, volume: Tensor, *, fill: int, nearest: bool = False) -> Tensor:
        """Read the crop, trilinear or nearest voxel; only the box that it needs is touched.

        Args:
            volume: (H, W, D) of any real type.
            fill: value outside the volume.
            nearest: for masks.

        Returns:
            (D0, D1, D2) float32.
        """
        if self.is_shift:
            start = np.rint(self.centre - self.middle).astype(int).tolist()
            return cut_box(volume, start, self.shape, fill=fill).float()
        low, high = self._bounds(volume.shape)
        if (high <= low).any():
            return torch.full(self.shape, float(fill))
        box = volume[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
        values = functional.grid_sample(
            box.to(torch.float32, copy=True).sub_(fill)[None, None],  # outside, grid_sample gives 0
            self._coordinates(low, high)[None],
            mode="nearest" if nearest else "bilinear",
            padding_mode="zeros",
            align_corners=False,
        )
        return values[0, 0].add_(fill)

    def _bounds(self, limits: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        reach = self.middle
        if self.controls is not None:
            reach = reach + np.abs(self.controls).max(axis=(0, 1, 2))
        reach = np.abs(self.matrix) @ reach
        low = np.floor(self.centre - reach).clip(min=0)
        high = np.minimum(np.ceil(self.centre + reach) + 1, limits)
        return low, high

    def _coordinates(self, low: np.ndarray, high: np.ndarray) -> Tensor:
        lines = [knots(size) for size in self.shape]
        controls = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1) - self.middle
        if self.controls is not None:
            controls = controls + self.controls
        places = self.centre - low + controls @ self.matrix.T
        # grid_sample's -1 and 1 are the outer faces of the box, its components come last axis first
        return dense_field(((2 * places + 1) / (high - low) - 1)[..., ::-1].copy(), self.shape)
