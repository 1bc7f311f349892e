# SPDX-License-Identifier: Apache-2.0
"""Intervals over patients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from tomobundles.metrics import Interval, bootstrap_auc, bootstrap_f_beta, bootstrap_interval

NAN = math.nan


def auc(scores: np.ndarray, targets: np.ndarray) -> float:
    positive, negative = scores[targets == 1], scores[targets == 0]
    if not len(positive) or not len(negative):
        return NAN
    return mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))


def cohort(patients: int, slices: int, *, seed: int = 0) -> tuple[list[str], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = [f"p{i}" for i in range(patients) for _ in range(slices)]
    ill = np.repeat(rng.random(patients) < 0.5, slices)
    targets = (ill & (rng.random(len(names)) < 0.6)).astype(float)
    scores = np.round(
        targets + np.repeat(rng.normal(0, 0.7, patients), slices) + rng.normal(size=len(names)), 1
    )
    return names, scores, targets


def test_two_patients_by_hand() -> None:
    # means 0, 1/2 and 1 with chances 1/4, 1/2, 1/4
    drawn: list[int] = []

    def mean(records: np.ndarray) -> float:
        drawn.append(len(records))
        return float(np.array([0.0, 1.0])[records].mean())

    interval = bootstrap_interval(["a", "b"], mean, samples=2000, level=0.4)
    assert interval == Interval(0.5, 0.5, 0.5)  # the middle 40 % of the samples are all 1/2
    assert bootstrap_interval(["a", "b"], mean, samples=2000, level=0.9) == Interval(0.5, 0.0, 1.0)
    assert set(drawn) == {2}


def test_all_records_of_a_patient_are_drawn_together() -> None:
    names = ["a", "b", "a", "c", "a"]

    def check(records: np.ndarray) -> float:
        counts = np.bincount(records, minlength=5)
        assert counts[0] == counts[2] == counts[4]
        assert counts[0] + counts[1] + counts[3] == 3
        return 0.0

    assert bootstrap_interval(names, check, samples=200) == (0.0, 0.0, 0.0)


def test_slices_of_a_patient_do_not_narrow_the_interval() -> None:
    # ten equal slices a patient say no more than one
    rng = np.random.default_rng(0)
    names, values = [f"p{i}" for i in range(30)], rng.normal(size=30)
    one = bootstrap_interval(names, lambda r: values[r].mean(), seed=3)
    ten = bootstrap_interval(np.repeat(names, 10).tolist(), lambda r: np.repeat(values, 10)[r].mean(), seed=3)
    assert ten == pytest.approx(one)
    assert one.high - one.low == pytest.approx(2 * 1.96 * values.std() / 30**0.5, rel=0.15)


def test_auc_at_once_is_that_of_the_loop() -> None:
    names, scores, targets = cohort(12, 9)
    at_once = bootstrap_auc(names, scores, targets, samples=150, seed=4)
    loop = bootstrap_interval(names, lambda r: auc(scores[r], targets[r]), samples=150, seed=4)
    assert at_once == pytest.approx(loop, abs=1e-12)
    assert at_once.low < at_once.value < at_once.high


def test_auc_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    names, scores, targets = cohort(5, 4)
    whole = bootstrap_auc(names, scores, targets, samples=50)
    monkeypatch.setattr("tomobundles.metrics.bootstrap._BLOCK", 60)
    assert bootstrap_auc(names, scores, targets, samples=50) == whole


def test_auc_leaves_out_unknown_records() -> None:
    names, scores, targets = cohort(8, 3)
    more = bootstrap_auc(
        [*names, "p0", "x"], np.append(scores, [9.0, NAN]), np.append(targets, [NAN, NAN]), samples=50
    )
    assert more == bootstrap_auc(names, scores, targets, samples=50)


def test_auc_takes_tensors_and_keeps_the_seed() -> None:
    names, scores, targets = cohort(8, 3)
    first = bootstrap_auc(names, torch.tensor(scores), torch.tensor(targets), samples=50, seed=1)
    assert first == bootstrap_auc(names, scores, targets, samples=50, seed=1)
    assert first != bootstrap_auc(names, scores, targets, samples=50, seed=2)


def test_auc_without_an_answer() -> None:
    names, scores, _ = cohort(4, 2)
    for targets in (np.zeros(8), np.ones(8), np.full(8, NAN)):
        assert np.isnan(bootstrap_auc(names, scores, targets, samples=20)).all()
    assert np.isnan(bootstrap_auc(names, scores * NAN, np.eye(8)[0], samples=20)).all()


def test_f2_at_once_is_that_of_the_loop() -> None:
    names, scores, targets = cohort(10, 6)
    predicted, truth = np.stack([scores > 0.5, scores > 1]).astype(float), np.stack([targets, targets])
    truth[1, 3] = NAN

    def f2(records: np.ndarray) -> float:
        p, y = predicted[:, records], truth[:, records]
        p, y = p[~np.isnan(y)], y[~np.isnan(y)]
        hits = (p * y).sum()
        return float(5 * hits / (5 * hits + 4 * (y.sum() - hits) + p.sum() - hits))

    at_once = bootstrap_f_beta(names, predicted, truth, samples=100, seed=2)
    assert at_once == pytest.approx(bootstrap_interval(names, f2, samples=100, seed=2), abs=1e-12)


def test_f2_by_hand() -> None:
    # TP 1, FP 1, FN 1: 5/10; one row may go without its axis
    assert bootstrap_f_beta(list("abc"), [1, 1, 0], [1, 0, 1], samples=10).value == 0.5
    assert np.isnan(bootstrap_f_beta(list("abc"), [0, 0, 0], [0, 0, 0], samples=10)).all()
    assert np.isnan(bootstrap_f_beta(list("abc"), [NAN, 0, 1], [0, 0, 1], samples=10)).all()


def test_one_patient_has_a_value_but_no_interval() -> None:
    value, low, high = bootstrap_auc(["a"] * 4, [1, 2, 3, 4], [0, 1, 0, 1], samples=20)
    assert value == 0.75
    assert math.isnan(low)
    assert math.isnan(high)


def test_rarely_defined_samples_give_no_interval() -> None:
    # the only present record of 20 is in 1 - (19/20)^20 = 64 % of the samples: an interval of those
    names = [str(i) for i in range(20)]
    assert not np.isnan(bootstrap_auc(names, np.arange(20.0), np.eye(20)[7])).any()
    # all three patients are in 3!/27 = 22 % of the samples: none
    value, low, high = bootstrap_interval(["a", "b", "c"], lambda r: 1.0 if len(set(r)) == 3 else NAN)
    assert value == 1
    assert math.isnan(low)
    assert math.isnan(high)


def test_many_slices_are_quick() -> None:
    names, scores, targets = cohort(100, 30)
    interval = bootstrap_auc(names, scores, targets, samples=1000)
    assert interval.high - interval.low < 0.2


def test_refusals() -> None:
    for patients, options in [([], {}), (["a"], {"samples": 0}), (["a"], {"level": 1.0})]:
        with pytest.raises(ValueError, match="cannot draw"):
            bootstrap_interval(patients, lambda records: 0.0, **options)
    with pytest.raises(ValueError, match="2 patients, 1 scores and 2 targets"):
        bootstrap_auc(["a", "b"], [1], [0, 1])
    with pytest.raises(ValueError, match=r"1 patients, predicted \(1, 2\) and targets \(1, 2\)"):
        bootstrap_f_beta(["a"], [1, 0], [0, 1])
