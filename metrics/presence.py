# SPDX-License-Identifier: Apache-2.0
"""Is a class in a slice: the truth from the label, and the area under the ROC curve of the scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_roc_auc
from torch import Tensor

from .dice import as_array

_ROWS = 32  # a block of 32 rows and its mask stay in cache (32 x 512 x 128 one-byte voxels are 2 MiB)


def presence_from_label(label: Tensor, *, num_classes: int, ignore_label: int = 255) -> Tensor:
    """For each class and slice, whether the class is there.

    Args:
        label: class map ``(1, H, W, D)`` or ``(H, W, D)``; slices lie along the last axis.
        num_classes: number of classes K, background not counted.
        ignore_label: label value of pixels of which nothing is known.

    Returns:
        ``(K, D)`` float32 for the classes 1 to K: 1 present, 0 absent, NaN unknown (no pixel of the class,
        but ignored pixels, which might hold it).

    Raises:
        ValueError: the label is not a volume of one channel.
    """
    if label.ndim == 4 and label.shape[0] == 1:
        label = label[0]
    if label.ndim != 3:
        raise ValueError(f"label must be (1, H, W, D) or (H, W, D), not {tuple(label.shape)}")
    voxels = as_array(label)
    values = np.array([*range(1, num_classes + 1), ignore_label])
    found = np.zeros((len(values), voxels.shape[-1]), bool)
    for start in range(0, voxels.shape[0], _ROWS):
        block = voxels[start : start + _ROWS]
        for index, value in enumerate(values):
            found[index] |= (block == value).any(axis=(0, 1))
    presence = found[:-1].astype(np.float32)
    presence[~found[:-1] & found[-1]] = np.nan
    return torch.from_numpy(presence)


def slice_auc(scores: Tensor, targets: Tensor) -> Tensor:
    """Area under the ROC curve of each class over slices; equal scores count one half.

    Args:
        scores: ``(K, D)``, higher means more likely present.
        targets: ``(K, D)``, 1 present, 0 absent, NaN left out.

    Returns:
        ``(K,)`` float64 in [0, 1]; NaN where all known slices are of one kind or a score is NaN.

    Raises:
        ValueError: the shapes differ.
    """
    if scores.shape != targets.shape:
        raise ValueError(f"scores {tuple(scores.shape)} and targets {tuple(targets.shape)} differ in shape")
    rows = zip(scores.detach().cpu().double(), targets.detach().cpu(), strict=True)
    return torch.tensor([_binary_auc(row, target) for row, target in rows], dtype=torch.float64)


def pooled_auc(scores: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """AUC of each class over all slices of all volumes taken together.

    Args:
        scores: one ``(K, D)`` for each volume; D may differ.
        targets: the same shapes, 1 present, 0 absent, NaN left out.

    Returns:
        ``(K,)`` float64; NaN for a class that is present in all known slices, or in none.
    """
    return slice_auc(torch.cat(list(scores), dim=1), torch.cat(list(targets), dim=1))


def per_volume_auc(scores: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """AUC of each class within a volume, then the mean over the volumes that have one.

    This is how the AI Challenger 2018 organisers scored detection: a volume whose slices all show the class,
    or none of them, says nothing about it and is left out.

    Args:
        scores: one ``(K, D)`` for each volume; D may differ.
        targets: the same shapes, 1 present, 0 absent, NaN left out.

    Returns:
        ``(K,)`` float64; NaN for a class without any usable volume, or with a NaN score in one of them.
    """
    areas = torch.stack([slice_auc(score, target) for score, target in zip(scores, targets, strict=True)])
    usable = torch.stack([(target == 0).any(dim=1) & (target == 1).any(dim=1) for target in targets]).cpu()
    return torch.where(usable, areas, 0.0).sum(dim=0) / usable.sum(dim=0)


def _binary_auc(scores: Tensor, targets: Tensor) -> float:
    known = ~targets.isnan()
    scores, targets = scores[known], targets[known]
    positives = int(targets.sum())
    if positives in (0, len(targets)) or scores.isnan().any():
        return float("nan")
    # it sums in the targets' own type: single precision would miscount from some thousand slices on
    return float(compute_roc_auc(scores, targets.double()))
