# SPDX-License-Identifier: Apache-2.0
"""Dice of a whole volume from voxel counts, one class at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..utils import InputError

# 128 Ki one-byte voxels of each map and their boolean masks stay in a core's cache: measured twice as fast as
# 1 Mi, and four times as fast as one bincount over the pairs.
_CHUNK = 1 << 17


def volume_dice_counts(
    prediction: Tensor, label: Tensor, *, num_classes: int, ignore_label: int = 255
) -> tuple[Tensor, Tensor, Tensor]:
    """Count, for each class, the voxels that the Dice coefficient needs.

    The maps are walked in small pieces, so that no integer copy of the volume is made. Voxels whose label is
    ``ignore_label`` count nowhere, in the prediction neither.

    Args:
        prediction: class map of any shape, values 0 (background) to ``num_classes``.
        label: class map of the same shape, values 0 to ``num_classes`` and ``ignore_label``.
        num_classes: number of classes K, background not counted.
        ignore_label: label value of the voxels to leave out.

    Returns:
        ``(intersection, predicted, reference)``, each ``(K,)`` int64, in voxels, for the classes 1 to K.

    Raises:
        ValueError: the shapes differ.
        InputError: the label holds a value that is neither a class nor ``ignore_label``.
    """
    if prediction.shape != label.shape:
        raise ValueError(
            f"prediction {tuple(prediction.shape)} and label {tuple(label.shape)} differ in shape"
        )
    predicted_voxels, label_voxels = _flat_in_memory_order(prediction, label)
    counts = np.zeros((3, num_classes), np.int64)
    known = 0
    for start in range(0, label_voxels.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        known += _add_counts(counts, predicted_voxels[part], label_voxels[part], ignore_label)
    if known != label_voxels.size:
        raise InputError(
            f"the label holds the values {_strangers(label_voxels, num_classes, ignore_label)}",
            remedy=f"Map its grey values to the classes 0 to {num_classes}; {ignore_label} is ignored.",
        )
    intersection, predicted, reference = torch.from_numpy(counts)
    return intersection, predicted, reference


def dice_from_counts(intersection: Tensor, predicted: Tensor, reference: Tensor) -> Tensor:
    """Dice coefficient 2 |P and G| / (|P| + |G|) from voxel counts (Dice 1945, Ecology 26:297-302).

    A class that is absent from the reference has no Dice and gives NaN, whatever was predicted; a class that
    is there and was not predicted gives 0. This is the rule of the AI Challenger 2018 evaluation.

    Args:
        intersection: voxels of the class in both maps, any shape.
        predicted: voxels of the class in the prediction, same shape.
        reference: voxels of the class in the reference, same shape.

    Returns:
        float64 of the same shape, in [0, 1] or NaN.
    """
    dice = 2.0 * intersection.double() / (predicted + reference).double()
    return torch.where(reference > 0, dice, torch.nan)


def as_array(tensor: Tensor) -> np.ndarray:
    """A tensor's values as an array, without a copy where it lies on the CPU; metadata is left behind."""
    return tensor.detach().as_subclass(Tensor).cpu().numpy()


def _flat_in_memory_order(prediction: Tensor, label: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Flatten both maps alike, along the label's memory, so that a transposed view is not copied."""
    axes = sorted(range(label.ndim), key=label.stride, reverse=True)
    return as_array(prediction.permute(axes).reshape(-1)), as_array(label.permute(axes).reshape(-1))


def _add_counts(counts: np.ndarray, predicted: np.ndarray, label: np.ndarray, ignore_label: int) -> int:
    """Add one piece to ``counts`` (3, K); returns how many of its voxels have a known label."""
    valid = label != ignore_label
    known = label.size - np.count_nonzero(valid) + np.count_nonzero(label == 0)
    for index in range(counts.shape[1]):
        predicted_here = predicted == index + 1
        label_here = label == index + 1
        counts[0, index] += np.count_nonzero(predicted_here & label_here)
        counts[1, index] += np.count_nonzero(predicted_here & valid)
        counts[2, index] += (reference := np.count_nonzero(label_here))
        known += reference
    return known


def _strangers(label: np.ndarray, num_classes: int, ignore_label: int) -> str:
    values = np.setdiff1d(np.unique(label), [*range(num_classes + 1), ignore_label])
    return ", ".join(f"{value:g}" for value in values[:5]) + (", ..." if values.size > 5 else "")
