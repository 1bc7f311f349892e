# SPDX-License-Identifier: Apache-2.0
"""Dice, precision and recall slab by slab."""

import numpy as np
import pytest

from tomobundles.metrics.vessel_counts import DiceCounts, scores_of_counts

PREDICTION = np.array([[[1, 1, 0, 0]], [[0, 0, 1, 1]]], np.uint8)
REFERENCE = np.array([[[1, 0, 1, 0]], [[0, 0, 0, 1]]], np.uint8)
# slice 0: one hit, one wrong, one missed; slice 1: one hit, one wrong


def test_by_hand():
    for step in (1, 2):
        counts = DiceCounts()
        for start in range(0, 2, step):
            counts.update(PREDICTION[start : start + step], REFERENCE[start : start + step] * 255)
        assert counts.by_slice().tolist() == [[1, 1, 1], [1, 1, 0]]
        assert counts.compute() == {"dice": 4 / 7, "precision": 2 / 4, "recall": 2 / 3}


def test_region():
    counts = DiceCounts()
    counts.update(PREDICTION > 0, REFERENCE, region=np.array([[[1, 1, 0, 0]], [[0, 0, 0, 1]]], bool))
    assert counts.by_slice().tolist() == [[1, 1, 0], [1, 0, 0]]


def test_empty_masks():
    assert DiceCounts().compute() == {"dice": 1, "precision": 1, "recall": 1}
    assert scores_of_counts(0, 3, 0) == scores_of_counts(0, 0, 3) == {"dice": 0, "precision": 0, "recall": 0}
    assert all(np.isnan(value) for value in scores_of_counts(0, 0, 0).values())


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 1, 4\), \(1, 1, 4\)"):
        DiceCounts().update(PREDICTION, REFERENCE[:1])
    with pytest.raises(ValueError, match="must be"):
        DiceCounts().update(PREDICTION[0], REFERENCE[0])
