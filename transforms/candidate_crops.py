# SPDX-License-Identifier: Apache-2.0
"""Small cubes round candidates, for the network that tells nodules from false positives."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable
from monai.transforms.traits import MultiSampleTrait
from torch import Tensor

from ..utils import InputError
from .ct_window import WATER, gray_to_input
from .cut_box import cut_box
from .lung_samples import TRIES, false_positive_points, plain, random_lung_point, read_sample
from .nodule_augmentation import CropAugmentation, read_augmentation
from .nodule_points import NODULE
from .nodule_warp import CropWarp


def cut_crops(gray: Tensor, points: Tensor, size: int = 32) -> Tensor:
    """Cut a cube round each point, moved to whole voxels: at most half a voxel off, and nothing is blurred.

    Args:
        gray: (H, W, D) uint8 on the lung grid.
        points: (N, 3) or more columns, of which i, j, k are used.
        size: voxels along each axis.

    Returns:
        (N, 1, size, size, size) float32, -1 to 1; water outside the grid.
    """
    crops = torch.empty(len(points), 1, size, size, size, dtype=torch.uint8)
    for crop, point in zip(crops, plain(points).detach().cpu().double().numpy(), strict=True):
        start = np.floor(point[:3] - size / 2 + 1).astype(int).tolist()
        crop[0] = cut_box(plain(gray), start, (size,) * 3, fill=WATER)
    return gray_to_input(crops)


class RandCandidateCropsd(Randomizable, MapTransform, MultiSampleTrait):
    """Draw cubes round nodules and round false positives of a scan on its lung grid.

    Each draw becomes {"image": float32 (1, size, size, size), -1 to 1; "label": float32 (1,), 1 for a nodule,
    0 for none}. A detector's centres are not exact: a nodule's centre lies off the middle by less than
    ``shift_mm`` and than its radius, the hit radius; straight cubes are then moved to whole voxels. Where a
    scan has no false positives ("false_positive_points"), random points of its lungs stand for them, none
    within a nodule or an excluded finding. Where it has no nodules, all draws have label 0.

    Args:
        keys: key of the image, uint8 (1, H, W, D).
        size: voxels of a cube along each axis.
        num_samples: cubes of one call.
        positive_share: probability of a nodule.
        shift_mm: largest shift, voxels of the grid (mm at 1 mm).
        augmentation: options of ``CropAugmentation``; None for straight cubes.

    Raises:
        InputError: sizes below 1, a share outside [0, 1], a negative shift; an image that is not uint8, a
            sample without "label".
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        size: int = 32,
        num_samples: int = 4,
        positive_share: float = 0.5,
        shift_mm: float = 2.0,
        augmentation: Mapping[str, Any] | CropAugmentation | None = None,
    ) -> None:
        super().__init__(keys)
        if min(size, num_samples) < 1 or not 0 <= positive_share <= 1 or shift_mm < 0:
            raise InputError(
                f"size {size}, num_samples {num_samples}, positive_share {positive_share}, "
                f"shift_mm {shift_mm}",
                remedy="give sizes of at least 1, a share of 0 to 1 and a shift of at least 0",
            )
        self.shape = (size,) * 3
        self.num_samples, self.positive_share, self.shift = num_samples, positive_share, float(shift_mm)
        self.augmentation = read_augmentation(augmentation, self.shape)
        self.draws: list[tuple[CropWarp, float]] = []

    def randomize(self, gray: Tensor, rows: Tensor, points: Tensor) -> None:
        """Draw ``self.draws``: the map and the label of ``num_samples`` cubes."""
        spheres, kinds = rows.double().numpy()[:, :4], rows[:, 4].numpy()
        nodules, false = spheres[kinds == NODULE], points.double().numpy()
        self.draws = [self._draw(gray, spheres, nodules, false) for _ in range(self.num_samples)]

    def _draw(
        self, gray: Tensor, spheres: np.ndarray, nodules: np.ndarray, false: np.ndarray
    ) -> tuple[CropWarp, float]:
        if len(nodules) and self.R.uniform() < self.positive_share:
            nodule = nodules[self.R.randint(len(nodules))]
            # 0.95: a hit lies strictly within the radius
            return self._warp(nodule[:3], min(self.shift, 0.475 * nodule[3]), diameter=nodule[3]), 1.0
        if len(false):
            return self._warp(false[self.R.randint(len(false)), :3], self.shift), 0.0
        return self._warp(self._background(gray, spheres), 0.0), 0.0

    def _background(self, gray: Tensor, spheres: np.ndarray) -> np.ndarray:
        for _ in range(TRIES):
            point = random_lung_point(self.R, gray)
            if (np.linalg.norm(spheres[:, :3] - point, axis=1) > spheres[:, 3] / 2).all():
                break
        return point

    def _warp(self, point: np.ndarray, shift: float, *, diameter: float | None = None) -> CropWarp:
        warp = CropWarp(self.shape)
        if self.augmentation is not None:
            warp = self.augmentation.draw(self.R, self.shape, diameter)
        direction = self.R.normal(size=3)
        off = direction / np.linalg.norm(direction) * shift * self.R.uniform() ** (1 / 3)
        return warp.place(point + off, warp.middle)

    def __call__(self, data: Mapping[Hashable, Any]) -> list[dict[Hashable, Tensor]]:
        """Return ``num_samples`` cubes."""
        gray, rows = read_sample(data, self.keys[0])
        self.randomize(gray, rows, false_positive_points(data))
        return [
            {self.keys[0]: gray_to_input(warp.read(gray, fill=WATER))[None], "label": torch.tensor([label])}
            for warp, label in self.draws
        ]
