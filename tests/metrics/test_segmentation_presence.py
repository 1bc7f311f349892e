# SPDX-License-Identifier: Apache-2.0
"""The score of both tasks over a set of volumes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from tomobundles.metrics import SegmentationPresenceMetrics, VolumeRecord, contest_score
from tomobundles.utils import InputError

NAN = float("nan")


def volume(*slices):
    """A (1, 1, n, D) map from D rows of n pixels."""
    return torch.tensor(slices, dtype=torch.uint8).T[None, None]


# Volume A, two slices of four pixels. Class 1: label 3, prediction 2, both 2 -> Dice 4/5. Class 2: label 1,
# not predicted -> 0. Presence: class 1 in slices 0 and 1 (one-sided), class 2 in slice 1.
LABEL_A, PREDICTION_A = volume([1, 1, 0, 0], [1, 2, 0, 0]), volume([1, 1, 0, 0], [0, 0, 0, 0])
PRESENCE_A = torch.tensor([[0.9, 0.8], [0.3, 0.2]])
# Volume B. Class 1: label 2, prediction 4, both 1 -> Dice 2/6. Class 2 absent, predicted once -> no Dice.
# Presence: class 1 in slice 0, class 2 nowhere (one-sided).
LABEL_B, PREDICTION_B = volume([1, 1, 0, 0], [0, 0, 0, 0]), volume([1, 0, 1, 1], [1, 2, 0, 0])
PRESENCE_B = torch.tensor([[0.7, 0.1], [0.25, 0.1]])
# Dice: class 1 (4/5 + 1/3)/2 = 17/30, class 2: 0; mean 17/60.
# AUC by volume: class 1 from B alone: 1. Class 2 from A alone: slice 1 has the class and the lower score: 0.
# Mean 1/2. Pooled: class 1 positives .9 .8 .7, negative .1 -> 1. Class 2 positive .2, negatives .3 .25 .1 ->
# 1/3. Mean 2/3.
# Score: (1/2 + 17/60) / 2 = 47/120.
EXPECTED = {
    "dice_REA": 17 / 30,
    "dice_SRF": 0.0,
    "dice": 17 / 60,
    "auc_pooled_REA": 1.0,
    "auc_pooled_SRF": 1 / 3,
    "auc_pooled": 2 / 3,
    "auc_volume_REA": 1.0,
    "auc_volume_SRF": 0.0,
    "auc_volume": 0.5,
    "score": 47 / 120,
}


@pytest.fixture
def metrics():
    return SegmentationPresenceMetrics(["REA", "SRF"])


def test_two_volumes_by_hand(metrics):
    metrics.update(PREDICTION_A, LABEL_A, PRESENCE_A, name="A")
    metrics.update(PREDICTION_B, LABEL_B, PRESENCE_B, name="B")
    assert metrics.aggregate() == pytest.approx(EXPECTED, abs=1e-12)
    assert list(metrics.aggregate()) == list(EXPECTED)
    assert [record.name for record in metrics.records] == ["A", "B"]
    assert metrics.records[1].reference.tolist() == [2, 0]
    assert metrics.records[1].predicted.tolist() == [4, 1]
    np.testing.assert_allclose(metrics.records[1].dice, [1 / 3, NAN])
    np.testing.assert_array_equal(metrics.records[1].auc, [1.0, NAN])


def test_the_mask_alone(metrics):
    metrics.update(PREDICTION_A, LABEL_A)
    values = metrics.aggregate()
    assert set(values) == {"dice_REA", "dice_SRF", "dice", "score"}
    assert values["score"] == values["dice"] == pytest.approx(0.4)
    assert metrics.records[0].auc is None


def test_presence_alone(metrics):
    metrics.update(None, LABEL_A, PRESENCE_A)
    values = metrics.aggregate()
    assert not any(name.startswith("dice") for name in values)
    assert values["score"] == values["auc_volume"] == 0.0
    assert metrics.records[0].dice is None


def test_a_class_without_example_is_left_out_of_the_mean(metrics):
    metrics.update(PREDICTION_B, LABEL_B)
    values = metrics.aggregate()
    assert math.isnan(values["dice_SRF"])
    assert values["dice"] == pytest.approx(1 / 3)


def test_an_unlabelled_volume_counts_nowhere(metrics):
    metrics.update(PREDICTION_A, LABEL_A, PRESENCE_A)
    expected = metrics.aggregate()
    metrics.update(PREDICTION_B, None, PRESENCE_B, name="unlabelled")
    np.testing.assert_equal(metrics.aggregate(), expected)
    assert metrics.records[1] == VolumeRecord(name="unlabelled")


def test_ignored_pixels_count_nowhere():
    metrics = SegmentationPresenceMetrics(["REA"], ignore_label=9)
    metrics.update(
        volume([1, 1], [1, 0], [0, 0]), volume([1, 9], [9, 0], [0, 0]), torch.tensor([[0.6, 0.9, 0.1]])
    )
    # one voxel each, the same: Dice 1; slice 1 is unknown, the other two are ranked rightly: AUC 1
    assert metrics.aggregate()["dice"] == metrics.aggregate()["auc_volume"] == 1.0


def test_nan_presence_spoils_the_score(metrics):
    metrics.update(PREDICTION_A, LABEL_A, torch.full((2, 2), NAN))
    values = metrics.aggregate()
    assert values["dice"] == pytest.approx(0.4)
    assert math.isnan(values["auc_pooled"])
    assert math.isnan(values["score"])


def test_nothing_seen_gives_nan(metrics):
    assert math.isnan(metrics.aggregate()["score"])
    metrics.update(PREDICTION_A, LABEL_A)
    metrics.reset()
    assert metrics.records == []


def test_a_record_survives_json(metrics):
    metrics.update(PREDICTION_B, LABEL_B, torch.rand(2, 2), name="B")
    metrics.update(None, None)
    for record in metrics.records:
        copy = VolumeRecord.from_lists(json.loads(json.dumps(record.as_lists())))
        for field in ("intersection", "predicted", "reference", "scores", "targets"):
            before, after = getattr(record, field), getattr(copy, field)
            assert (before is None) == (after is None)
            if before is not None:
                assert before.dtype == after.dtype
                np.testing.assert_array_equal(before, after)
        assert copy.name == record.name


@pytest.mark.parametrize(
    ("dice", "auc", "expected"), [(0.744, 0.986, 0.865), (0.5, NAN, 0.5), (NAN, 0.9, 0.9), (NAN, NAN, NAN)]
)
def test_contest_score(dice, auc, expected):
    assert contest_score(dice, auc) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("names", [[], ["REA", "REA"]])
def test_class_names_must_be_different(names):
    with pytest.raises(ValueError, match="class_names must be one or more different names"):
        SegmentationPresenceMetrics(names)


def test_a_bad_label_is_named(metrics):
    with pytest.raises(InputError, match=r"^/scans/v\.nii\nthe label holds the values 128\nMap its"):
        metrics.update(PREDICTION_A, LABEL_A.where(LABEL_A != 2, 128), name="/scans/v.nii")
    with pytest.raises(InputError, match=r"^the label holds"):
        metrics.update(PREDICTION_A, LABEL_A.where(LABEL_A != 2, 128))


def test_presence_must_fit(metrics):
    with pytest.raises(ValueError, match=r"= \(2, 2\), not \(2, 3\)"):
        metrics.update(PREDICTION_A, LABEL_A, torch.zeros(2, 3))
