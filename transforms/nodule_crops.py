# SPDX-License-Identifier: Apache-2.0
"""Random training crops of a scan on its lung grid: nodules by size, false positives, and the rest."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable
from monai.transforms.traits import MultiSampleTrait
from torch import Tensor

from ..utils import InputError
from .crop_labels import crop_label, crop_rows
from .ct_window import WATER, gray_to_input
from .draw_nodules import draw_spheres
from .lung_samples import false_positive_points, plain, random_lung_point, read_sample
from .nodule_augmentation import CropAugmentation, read_augmentation
from .nodule_points import NODULE
from .nodule_warp import CropWarp
from .size_bins import SizeBins, check_bins, nodule_weights


class RandNoduleCropsd(Randomizable, MapTransform, MultiSampleTrait):
    """Draw crops from a scan on its lung grid; one resampling does the crop and all augmentation.

    A crop shows a nodule, drawn by its size, with probability ``nodule_share``; a false positive of an
    earlier detector ("false_positive_points" of the sample) with ``false_positive_share``; else any place in
    the lungs. What a scan does not have leaves its share to the others. A nodule or false positive lies
    anywhere in the crop that is at least ``margin`` from its border, and the crop stays in the lung box where
    it can.

    Each crop becomes a dictionary of plain tensors:

    - "image" float32 (1, c, c, c), -1 to 1 (``gray_to_input``), water outside the lung box;
    - "label" float32 (16, 5), see ``crop_label``; with ``masks`` float32 (1, c, c, c), 0 or 1: the sample's
      mask, or balls where it has none;
    - "box" float32 (6,): where the crop's first and last voxels lie in the lung box, see ``CropWarp.span``.

    Args:
        keys: key of the image, uint8 (1, H, W, D).
        crop_size: c, voxels.
        num_samples: crops of one call.
        nodule_share: probability of a nodule.
        false_positive_share: probability of a false positive.
        size_bins: rows [least diameter in voxels of the grid, weight of a nodule], see ``check_bins``.
        margin: voxels between a nodule's centre and the crop's border, at least.
        augmentation: options of ``CropAugmentation``; None for straight crops, read without interpolation.
        masks: give masks for segmentation instead of rows.
        mask_key: key of the nodules' mask, uint8 on the image's grid.
        planar: crops are single axial slices: "image" and mask (1, c, c), through the middle third of the
            nodule, and no "box". Needs ``masks``.

    Raises:
        InputError: sizes below 1, shares outside [0, 1] or with a sum above 1, negative margin, ``planar``
            without ``masks``; an image that is not uint8, a sample without "label".
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        crop_size: int = 96,
        num_samples: int = 2,
        nodule_share: float = 0.7,
        false_positive_share: float = 0.0,
        size_bins: SizeBins = ((0.0, 1.0),),
        margin: float = 12.0,
        augmentation: Mapping[str, Any] | CropAugmentation | None = None,
        masks: bool = False,
        mask_key: str = "mask",
        planar: bool = False,
    ) -> None:
        super().__init__(keys)
        self.shape = (crop_size, crop_size, 1 if planar else crop_size)
        self.num_samples = num_samples
        self.shares = (nodule_share, false_positive_share)
        self.size_bins = check_bins(size_bins)
        self.margin = margin
        self.masks, self.mask_key, self.planar = masks, mask_key, planar
        self._check()
        self.augmentation = read_augmentation(augmentation, self.shape)
        self.warps: list[CropWarp] = []

    def _check(self) -> None:
        if min(*self.shape, self.num_samples) < 1 or self.margin < 0:
            raise InputError(
                f"crop_size {self.shape[0]}, num_samples {self.num_samples}, margin {self.margin}",
                remedy="give a size and a number of at least 1 and a margin of at least 0",
            )
        if min(self.shares) < 0 or sum(self.shares) > 1 + 1e-9:
            raise InputError(
                f"nodule_share and false_positive_share are {self.shares}",
                remedy="give 0 to 1 each, with a sum of at most 1",
            )
        if self.planar and not self.masks:
            raise InputError("planar crops have no rows", remedy="set masks to true")

    def randomize(self, gray: Tensor, rows: Tensor, points: Tensor) -> None:
        """Draw ``self.warps``, the maps of ``num_samples`` crops."""
        nodules, weights = self._nodules(gray, rows)
        points = points.double().numpy()[:, :4]
        self.warps = [self._draw(gray, nodules, weights, points) for _ in range(self.num_samples)]

    def _nodules(self, gray: Tensor, rows: Tensor) -> tuple[np.ndarray, np.ndarray]:
        nodules = rows[rows[:, 4] == NODULE].double().numpy()[:, :4]
        last = np.array(gray.shape) - 1
        beyond = np.maximum(-nodules[:, :3], nodules[:, :3] - last).max(axis=1, initial=-1)
        nodules = nodules[beyond <= nodules[:, 3] / 2]  # the others are not in the picture
        weights = nodule_weights(nodules[:, 3], self.size_bins)
        return nodules[weights > 0], weights[weights > 0]

    def _draw(self, gray: Tensor, nodules: np.ndarray, weights: np.ndarray, points: np.ndarray) -> CropWarp:
        known = [len(nodules) > 0, len(points) > 0, True]
        shares = np.array([*self.shares, 1 - sum(self.shares)]).clip(min=0) * known
        source = 2 if not shares.sum() else self.R.choice(3, p=shares / shares.sum())
        if source == 2:
            return self._place_middle(self._warp(None), random_lung_point(self.R, gray), gray.shape)
        if source == 1:
            point = points[self.R.randint(len(points))]
            return self._place(self._warp(None), point[:3], gray.shape)
        nodule = nodules[self.R.choice(len(nodules), p=weights / weights.sum())]
        centre = nodule[:3].copy()
        if self.planar:
            centre[2] += self.R.uniform(-1, 1) * nodule[3] / 6
        return self._place(self._warp(nodule[3]), centre, gray.shape)

    def _warp(self, diameter: float | None) -> CropWarp:
        if self.augmentation is None:
            return CropWarp(self.shape)
        return self.augmentation.draw(self.R, self.shape, diameter)

    def _place(self, warp: CropWarp, point: np.ndarray, limits: Sequence[int]) -> CropWarp:
        """Place a crop so that it shows a point, off its border by the margin."""
        scale, room = _room(warp, limits)
        free = (warp.middle - self.margin).clip(min=0)  # how far the point may lie from the crop's middle
        reach = free * scale
        low = np.minimum(np.maximum(point - reach, room[0]), point + reach)
        high = np.maximum(np.minimum(point + reach, room[1]), point - reach)
        offset = np.linalg.solve(warp.matrix, point - self.R.uniform(low, high))
        return warp.place(point, warp.middle + np.clip(offset, -free, free))

    def _place_middle(self, warp: CropWarp, point: np.ndarray, limits: Sequence[int]) -> CropWarp:
        """Place a crop with its middle at a point, or as near as the lung box allows."""
        return warp.place(np.clip(point, *_room(warp, limits)[1]), warp.middle)

    def __call__(self, data: Mapping[Hashable, Any]) -> list[dict[Hashable, Tensor]]:
        """Return ``num_samples`` crops."""
        gray, rows = read_sample(data, self.keys[0])
        self.randomize(gray, rows, false_positive_points(data))
        return [self._sample(data, gray, rows, warp) for warp in self.warps]

    def _sample(
        self, data: Mapping[Hashable, Any], gray: Tensor, rows: Tensor, warp: CropWarp
    ) -> dict[Hashable, Tensor]:
        image = gray_to_input(warp.read(gray, fill=WATER))[None]
        label = self._mask(data, rows, warp) if self.masks else crop_label(warp, rows)
        if self.planar:
            return {self.keys[0]: image[..., 0], "label": label[..., 0]}
        return {self.keys[0]: image, "label": label, "box": warp.span(gray.shape)}

    def _mask(self, data: Mapping[Hashable, Any], rows: Tensor, warp: CropWarp) -> Tensor:
        if self.mask_key not in data:
            return draw_spheres(crop_rows(warp, rows), self.shape).float()
        mask = plain(data[self.mask_key])[0]
        return (warp.read(mask, fill=0, nearest=True) > 0).float()[None]


def _room(warp: CropWarp, limits: Sequence[int]) -> tuple[float, np.ndarray]:
    """Size of a crop's voxel in the volume, and where its middle may lie for it to stay inside, (2, 3)."""
    scale = float(np.abs(np.linalg.det(warp.matrix)) ** (1 / 3))
    half = warp.middle * scale
    return scale, np.sort([half, np.array(limits) - 1 - half], axis=0)
