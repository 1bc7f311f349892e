# SPDX-License-Identifier: Apache-2.0
"""Candidates outside the lungs are none: there the grid is painted as gray as water."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..utils.world import voxel_to_world, world_to_voxel


class CandidatesInLungsd(MapTransform):
    """Keep a scan's detections whose centre lies in the lungs or their margin.

    What lies outside was painted over by ``LungGridd``, so nothing was looked at there. Samples without
    lungs (a whole image that is searched) keep all.

    Args:
        keys: keys of dictionaries with "points" (N, 4): i, j, k, diameter in voxels of the lung grid; every
            other entry of N rows is filtered along.
        image_key: key of the image on the lung grid.
        lungs_key: key of the lungs' labels, 0 outside.
    """

    def __init__(
        self, keys: KeysCollection = "pred", *, image_key: str = "image", lungs_key: str = "lungs"
    ) -> None:
        super().__init__(keys)
        self.image_key, self.lungs_key = image_key, lungs_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the sample with fewer rows in each dictionary of detections."""
        result = dict(data)
        if self.lungs_key not in result:
            return result
        affine = result[self.image_key].affine.cpu().numpy()
        for key in self.key_iterator(result):
            found = result[key]
            points = found["points"].detach().cpu().double().numpy()
            inside = labels_at(result[self.lungs_key], voxel_to_world(points[:, :3], affine)) > 0
            kept = torch.from_numpy(inside)
            result[key] = {
                name: rows[kept] if _has_rows(name, rows, len(points)) else rows
                for name, rows in found.items()
            }
        return result


def labels_at(lungs: MetaTensor, points: np.ndarray) -> np.ndarray:
    """Labels (N,) of the voxels that hold points (N, 3) in LPS mm; 0 beyond the grid."""
    labels = lungs.as_tensor()[0].cpu().numpy()
    index = np.rint(world_to_voxel(points, lungs.affine.cpu().numpy())).astype(int)
    inside = ((index >= 0) & (index < labels.shape)).all(axis=1)
    found = np.zeros(len(index), labels.dtype)
    found[inside] = labels[tuple(index[inside].T)]
    return found


def _has_rows(name: str, rows: Any, count: int) -> bool:
    return name != "mask" and isinstance(rows, torch.Tensor) and rows.ndim > 0 and len(rows) == count
