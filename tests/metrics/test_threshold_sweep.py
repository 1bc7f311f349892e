# SPDX-License-Identifier: Apache-2.0
"""Scores against the threshold, and the plateau."""

import math

import numpy as np
import pytest

from tomobundles.metrics.surface_dice import surface_dice
from tomobundles.metrics.threshold_sweep import DEFAULT_THRESHOLDS, threshold_plateau, threshold_sweep
from tomobundles.metrics.vessel_counts import DiceCounts
from tomobundles.utils import InputError

from .vessels import Array, tangle

REFERENCE = tangle((12, 16, 14), seed=1)
PROBABILITY = np.clip(
    0.6 * REFERENCE + np.random.default_rng(0).normal(0.1, 0.1, REFERENCE.shape), 0, 1
).astype(np.float32)


def curve(*values):
    return [{"threshold": (index + 1) / 10, "surface_dice": value} for index, value in enumerate(values)]


def test_each_row_is_that_of_its_mask():
    probability, reference = Array(PROBABILITY), Array(REFERENCE)
    rows = threshold_sweep(probability, reference, [0.6, 0.2, 0.4, 0.4], slab=5)
    assert [row["threshold"] for row in rows] == [0.2, 0.4, 0.6]
    assert probability.slices_read == reference.slices_read == 12  # one pass
    for row in rows:
        mask = np.greater_equal(PROBABILITY, row["threshold"])
        counts = DiceCounts()
        counts.update(mask, REFERENCE)
        expected = {"threshold": row["threshold"], "surface_dice": surface_dice(mask, REFERENCE)}
        assert row == expected | counts.compute()


def test_default_thresholds():
    assert DEFAULT_THRESHOLDS[0] == 0.05
    assert DEFAULT_THRESHOLDS[-1] == 0.95
    rows = threshold_sweep(Array(PROBABILITY), Array(REFERENCE))
    assert len(rows) == 19
    recalls = [row["recall"] for row in rows]
    assert recalls == sorted(recalls, reverse=True)


def test_region():
    region = np.zeros(REFERENCE.shape, np.uint8)
    region[:6] = 1
    (row,) = threshold_sweep(Array(PROBABILITY), Array(REFERENCE), [0.5], region=Array(region))
    counts = DiceCounts()
    counts.update(PROBABILITY[:6] >= 0.5, REFERENCE[:6])
    assert row["dice"] == counts.compute()["dice"]


@pytest.mark.parametrize("thresholds", [[], [0], [0.5, 1.5], [math.nan]])
def test_bad_thresholds_are_refused(thresholds):
    with pytest.raises(InputError, match="thresholds"):
        threshold_sweep(Array(PROBABILITY), Array(REFERENCE), thresholds)


def test_a_mask_has_no_thresholds():
    with pytest.raises(InputError, match="probabilities of type bool"):
        threshold_sweep(Array(REFERENCE), Array(REFERENCE))


def test_plateau_by_hand():
    # best at 0.3; 0.2 to 0.4 lose at most 0.01; 0.6 does too, but 0.5 between does not
    rows = curve(0.5, 0.795, 0.8, 0.792, 0.7, 0.799)
    assert threshold_plateau(rows[::-1]) == {
        "score": "surface_dice",
        "best_threshold": 0.3,
        "best": 0.8,
        "plateau_from": 0.2,
        "plateau_to": 0.4,
    }
    wide = threshold_plateau(rows, within=0.5)
    assert (wide["plateau_from"], wide["plateau_to"]) == (0.1, 0.6)


def test_ties_take_the_middle():
    assert threshold_plateau(curve(0.1, 0.8, 0.8, 0.8, 0.2))["best_threshold"] == 0.3
    assert threshold_plateau(curve(math.nan, 0.8, 0.8))["best_threshold"] == 0.2


def test_no_score_has_no_plateau():
    with pytest.raises(InputError, match="no threshold has a dice"):
        threshold_plateau(curve(0.5), score="dice")
    with pytest.raises(InputError, match="no threshold has a surface_dice"):
        threshold_plateau([])
