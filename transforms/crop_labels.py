# SPDX-License-Identifier: Apache-2.0
"""A scan's nodules as the label of one of its crops."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .nodule_points import IGNORE, NODULE
from .nodule_warp import CropWarp

MOST_ROWS = 16  # rows of a crop's label; its nodules come first


def crop_rows(warp: CropWarp, rows: Tensor) -> Tensor:
    """Put all rows of a scan's label into a crop's coordinates, whether or not it shows them.

    Args:
        warp: the crop's map.
        rows: (K, 5) i, j, k, diameter, kind in voxels of the volume.

    Returns:
        (K, 5) float64 in voxels of the crop.
    """
    moved = rows.double().numpy().reshape(-1, 5).copy()
    moved[:, :3] = warp.locate(moved[:, :3])
    moved[:, 3] *= warp.zoom(moved[:, :3])
    return torch.from_numpy(moved)


def crop_label(warp: CropWarp, rows: Tensor) -> Tensor:
    """Put the rows of a scan's label that a crop shows into its coordinates.

    Rows whose centre lies outside the crop by more than half their diameter are left out. A nodule that is
    cut so that its centre lies outside is neither nodule nor background: it becomes one to ignore.

    Args:
        warp: the crop's map.
        rows: (K, 5) i, j, k, diameter, kind in voxels of the volume.

    Returns:
        (16, 5) float32 in voxels of the crop, nodules first, padded with rows of kind 0. Should a crop show
        more rows, those nearest to its middle are kept.
    """
    moved = crop_rows(warp, rows).numpy()
    outside = (np.abs(moved[:, :3] - warp.middle) - (warp.middle + 0.5)).max(axis=1, initial=-np.inf)
    moved[(outside > 0) & (moved[:, 4] == NODULE), 4] = IGNORE
    shown = moved[outside <= moved[:, 3] / 2]
    off_middle = np.linalg.norm(shown[:, :3] - warp.middle, axis=1)
    shown = shown[np.lexsort((off_middle, -shown[:, 4]))][:MOST_ROWS]
    label = np.zeros((MOST_ROWS, 5), np.float32)
    label[: len(shown)] = shown
    return torch.from_numpy(label)
