# SPDX-License-Identifier: Apache-2.0
"""Nodules from the world to the lung grid, and detections back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from ..utils import InputError
from ..utils.world import voxel_to_world, world_to_voxel
from .candidates_in_lungs import labels_at

UNKNOWN_MM = 10.0  # LUNA16 counts a finding of unknown size as one of 10 mm
NODULE, IGNORE = 1.0, -1.0  # kinds of rows of a label; 0 is a row that is not used


class NodulesToGridd(MapTransform):
    """Put a scan's nodules on its lung grid, as the label for training.

    "label" becomes float32 (K, 5): i, j, k, diameter in voxels of the grid, and kind, 1 for a nodule, -1 for
    an excluded finding, which is neither nodule nor background; one of unknown size counts as 10 mm.
    "false_positive_points" (P, 4) float32 are the sample's "false_positives", if it has them.

    Nodules outside the mask of the lungs (label 0, or beyond it) cannot be found later: they are counted in
    the warnings of "lung_quality", where the sample has both.

    Args:
        keys: key of the image on the lung grid.
        nodules_key: (N, 4) world x, y, z in LPS mm, diameter in mm.
        excluded_key: (M, 4) likewise; diameters <= 0 are unknown.
        false_positives_key: (P, 4) likewise; left out where a sample has none.
        lungs_key: key of the lungs' labels.
        quality_key: key of the record of their quality.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        nodules_key: str = "nodules",
        excluded_key: str = "excluded",
        false_positives_key: str = "false_positives",
        lungs_key: str = "lungs",
        quality_key: str = "lung_quality",
    ) -> None:
        super().__init__(keys)
        self.nodules_key, self.excluded_key = nodules_key, excluded_key
        self.false_positives_key = false_positives_key
        self.lungs_key, self.quality_key = lungs_key, quality_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add "label" and, where there are any, "false_positive_points"."""
        result = dict(data)
        affine = result[self.keys[0]].affine.numpy()
        nodules, excluded = (_rows(result.get(key, ())) for key in (self.nodules_key, self.excluded_key))
        label = torch.cat([_kind(to_grid(nodules, affine), NODULE), _kind(to_grid(excluded, affine), IGNORE)])
        result["label"] = label
        if self.false_positives_key in result:
            points = to_grid(_rows(result[self.false_positives_key]), affine)
            result["false_positive_points"] = torch.from_numpy(points).float()
        if self.lungs_key in result and self.quality_key in result:
            result[self.quality_key] = self._judged(nodules, result[self.lungs_key], result[self.quality_key])
        return result

    def _judged(self, nodules: np.ndarray, lungs: MetaTensor, quality: Mapping[str, Any]) -> dict[str, Any]:
        outside = int((labels_at(lungs, nodules[:, :3]) == 0).sum())
        if not outside:
            return dict(quality)
        warning = f"{outside} of {len(nodules)} nodules outside the lung mask"
        return dict(quality) | {"warnings": [*quality.get("warnings", ()), warning]}


class NodulesToWorldd(MapTransform):
    """Give a scan's detections their places in the world and in the stored array.

    Adds to the detections' dictionary "world" (N, 4) float64, x, y, z in LPS mm and diameter in mm, and
    "voxel" (N, 3) float64, row, column and slice of the stored array.

    Args:
        keys: keys of dictionaries with "points" (N, 4): i, j, k, diameter in voxels of the lung grid.
        image_key: key of the image on the lung grid (``LungGridd``).

    Raises:
        InputError: the image's meta has no "native_affine": it is not on a lung grid.
    """

    def __init__(self, keys: KeysCollection = "pred", *, image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the sample with "world" and "voxel" in each dictionary of detections."""
        result = dict(data)
        image = result[self.image_key]
        if "native_affine" not in image.meta:
            raise InputError("the image is not on a lung grid", remedy="put LungGridd before the network")
        affine = image.affine.cpu().numpy()
        native = np.asarray(torch.as_tensor(image.meta["native_affine"]).cpu(), np.float64)
        for key in self.key_iterator(result):
            points = result[key]["points"].detach().cpu().double().numpy()
            world = to_world(points, affine)
            voxel = world_to_voxel(world[:, :3], native)
            places = {"world": torch.from_numpy(world), "voxel": torch.from_numpy(voxel)}
            result[key] = dict(result[key]) | places
        return result


def to_grid(nodules: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """World rows (N, 4), LPS mm and diameter in mm, to rows i, j, k, diameter in voxels of a cubic grid.

    Diameters <= 0 are unknown and count as 10 mm.
    """
    size = np.where(nodules[:, 3] > 0, nodules[:, 3], UNKNOWN_MM) / _spacing(affine)
    return np.column_stack([world_to_voxel(nodules[:, :3], affine), size])


def to_world(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Inverse of :func:`to_grid` for known diameters: (N, 4) float64."""
    return np.column_stack([voxel_to_world(points[:, :3], affine), points[:, 3] * _spacing(affine)])


def _spacing(affine: np.ndarray) -> float:
    return float(np.abs(np.linalg.det(np.asarray(affine, np.float64)[:3, :3])) ** (1 / 3))


def _rows(rows: Any) -> np.ndarray:
    return np.asarray(rows, np.float64).reshape(-1, 4)


def _kind(rows: np.ndarray, kind: float) -> Tensor:
    return torch.from_numpy(np.column_stack([rows, np.full(len(rows), kind)])).float()
