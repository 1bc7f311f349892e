# SPDX-License-Identifier: Apache-2.0
"""Dice, precision and recall of a volume that is given slab by slab."""

from __future__ import annotations

import math

import numpy as np

from .vessel_masks import binary_mask


class DiceCounts:
    """True positive, false positive and false negative voxels, slice by slice."""

    def __init__(self) -> None:
        self._slices: list[tuple[int, int, int]] = []

    def update(
        self, prediction: np.ndarray, reference: np.ndarray, *, region: np.ndarray | None = None
    ) -> None:
        """Take in the next slices.

        Args:
            prediction: ``(dz, Y, X)`` bool or integers, vessel where not 0.
            reference: the same shape.
            region: the same shape; voxels outside count nowhere. None: all count.

        Raises:
            ValueError: shapes differ.
        """
        given = [array for array in (reference, region) if array is not None]
        if prediction.ndim != 3 or any(array.shape != prediction.shape for array in given):
            shapes = [prediction.shape, *(array.shape for array in given)]
            raise ValueError(f"slabs must be (dz, Y, X) and of one shape, not {shapes}")
        for index in range(len(prediction)):  # a slice and its temporaries stay in cache
            predicted = binary_mask(prediction[index]).view(bool)
            wanted = binary_mask(reference[index]).view(bool)
            if region is not None:
                known = binary_mask(region[index]).view(bool)
                predicted, wanted = predicted & known, wanted & known
            both = np.count_nonzero(predicted & wanted)
            self._slices.append((both, np.count_nonzero(predicted) - both, np.count_nonzero(wanted) - both))

    def by_slice(self) -> np.ndarray:
        """``(Z, 3)`` int64: true positives, false positives, false negatives of each slice, in voxels."""
        return np.array(self._slices, dtype=np.int64).reshape(-1, 3)

    def compute(self) -> dict[str, float]:
        """``dice``, ``precision``, ``recall``, see ``scores_of_counts``; two empty masks score 1."""
        return scores_of_counts(*self.by_slice().sum(axis=0), empty=1.0)


def scores_of_counts(
    true_positives: int, false_positives: int, false_negatives: int, *, empty: float = math.nan
) -> dict[str, float]:
    """Dice 2 TP / (2 TP + FP + FN), precision TP / (TP + FP), recall TP / (TP + FN).

    Args:
        true_positives: voxels in both masks.
        false_positives: voxels in the prediction alone.
        false_negatives: voxels in the reference alone.
        empty: all three where neither mask has a voxel. Where one mask has none, its own ratio (precision
            of an empty prediction, recall of an empty reference) is 0, as Dice is.

    Returns:
        ``dice``, ``precision``, ``recall``, in [0, 1] or ``empty``.
    """
    hits, wrong, missed = int(true_positives), int(false_positives), int(false_negatives)
    if hits + wrong + missed == 0:
        return {"dice": empty, "precision": empty, "recall": empty}
    return {
        "dice": 2 * hits / (2 * hits + wrong + missed),
        "precision": hits / max(hits + wrong, 1),
        "recall": hits / max(hits + missed, 1),
    }
