# SPDX-License-Identifier: Apache-2.0
"""Scores of single classes, each worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import FBetaScore
from torch import Tensor

from tomobundles.metrics import (
    average_precision,
    brier_score,
    by_class,
    calibration_error,
    f_beta,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    weighted_log_loss,
)

NAN = math.nan


def row(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_by_class_leaves_out_what_is_unknown() -> None:
    scores = torch.tensor([[0.2, 0.6, NAN], [0.2, NAN, 0.6], [0.1, 0.1, 0.1], [0.5, 0.5, 0.5]])
    targets = torch.tensor([[0.0, 1.0, NAN], [0.0, 1.0, NAN], [NAN, NAN, NAN], [1.0, 1.0, 1.0]])
    values = by_class(brier_score, scores, targets)
    # class 0: (.04 + .16) / 2; class 1: a NaN score that counts; class 2: nothing known; class 3: .25
    assert values.dtype == torch.float64
    np.testing.assert_allclose(values, [0.1, NAN, NAN, 0.25], rtol=1e-6)


def test_by_class_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"scores \(1, 3\) and targets \(1, 2\) differ"):
        by_class(brier_score, torch.zeros(1, 3), torch.zeros(1, 2))


def test_average_precision_by_hand() -> None:
    # in order: present, absent, present: 1/2 * 1/1 + 1/2 * 2/3 = 5/6
    assert average_precision(row(0.9, 0.8, 0.7), row(1, 0, 1)) == pytest.approx(5 / 6)
    # all equal: one cut, precision is the prevalence
    assert average_precision(row(0.5, 0.5, 0.5, 0.5), row(1, 0, 0, 0)) == 0.25
    assert math.isnan(average_precision(row(0.1, 0.2), row(0, 0)))
    assert math.isnan(average_precision(row(0.1, 0.2), row(1, 1)))


def test_f2_by_hand() -> None:
    # TP 2, FP 1, FN 1: 10 / (10 + 4 + 1); F1: 4 / (4 + 1 + 1)
    predicted, targets = row(1, 1, 1, 0, 0), row(1, 1, 0, 1, 0)
    assert f_beta(predicted, targets) == pytest.approx(10 / 15)
    assert f_beta(predicted, targets, beta=1) == pytest.approx(4 / 6)
    assert f_beta(row(1, 0), row(0, 1)) == 0
    assert math.isnan(f_beta(row(0, 0), row(0, 0)))


def test_micro_f2_is_that_of_monai() -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, targets = ((torch.rand(200, 5, generator=generator) > 0.6).double() for _ in range(2))
    metric = FBetaScore(beta=2.0, reduction="mean")
    metric(predicted, targets)
    assert f_beta(predicted.flatten(), targets.flatten()) == pytest.approx(metric.aggregate()[0].item())


def test_sensitivity_at_specificity_by_hand() -> None:
    # 20 absent ones score 1..20, four present ones 25, 19.5, 10.5, 0. 95 % specificity allows one false
    # alarm (20): 25 and 19.5 are found: 1/2. 100 % allows none: 1/4. 45 % allows 11 (10..20): 3/4; 0 %: all.
    scores = torch.cat([torch.arange(1.0, 21.0), torch.tensor([25, 19.5, 10.5, 0])])
    targets = torch.cat([torch.zeros(20), torch.ones(4)])
    assert sensitivity_at_specificity(scores, targets) == 0.5
    assert sensitivity_at_specificity(scores, targets, specificity=1.0) == 0.25
    assert sensitivity_at_specificity(scores, targets, specificity=0.45) == 0.75
    assert sensitivity_at_specificity(scores, targets, specificity=0.0) == 1.0


def test_a_cut_takes_all_equal_scores() -> None:
    # the tie holds a present and an absent one: neither can be had alone
    assert sensitivity_at_specificity(row(0.5, 0.5, 0.1), row(1, 0, 0)) == 0.0
    assert sensitivity_at_specificity(row(0.5, 0.5, 0.1), row(1, 0, 0), specificity=0.5) == 1.0


def test_specificity_at_sensitivity_is_the_reverse() -> None:
    # to find both present ones the cut is .3: of three absent ones .1 and .2 stay below
    assert specificity_at_sensitivity(row(0.1, 0.2, 0.4, 0.3, 0.9), row(0, 0, 0, 1, 1)) == pytest.approx(
        2 / 3
    )
    for measure in (sensitivity_at_specificity, specificity_at_sensitivity):
        assert math.isnan(measure(row(0.1, 0.2), row(1, 1)))
        assert math.isnan(measure(row(0.1, 0.2), row(0, 0)))


def test_calibration_error_by_hand() -> None:
    # bins of 1/15: two entries of .1 (one present), one of .9 (present): 2/3 * |.1 - .5| + 1/3 * |.9 - 1|
    error = calibration_error(row(0.1, 0.1, 0.9), row(0, 1, 1))
    assert error == pytest.approx(2 / 3 * 0.4 + 1 / 3 * 0.1, abs=1e-6)
    # one bin: |mean probability - prevalence| = |1.1/3 - 2/3|
    assert calibration_error(row(0.1, 0.1, 0.9), row(0, 1, 1), bins=1) == pytest.approx(0.3, abs=1e-6)


def test_what_is_drawn_from_its_probability_is_calibrated() -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(20_000, generator=generator, dtype=torch.float64)
    y = (torch.rand(20_000, generator=generator) < p).double()
    assert calibration_error(p, y) < 0.02
    assert calibration_error(p**2, y) > 0.1
    assert brier_score(p, y) == pytest.approx(1 / 6, abs=0.005)  # integral of p (1 - p)


def test_log_loss_by_hand() -> None:
    # class .5 -> ln 2; any .8 -> -ln .8, twice; over a weight of 3
    p, y = torch.tensor([[0.5], [0.8]]), torch.tensor([[0.0], [1.0]])
    assert weighted_log_loss(p, y) == pytest.approx((math.log(2) - 2 * math.log(0.8)) / 3)


def test_log_loss_of_the_challenge() -> None:
    # six rows, weights 1 1 1 1 1 2: everything at a half is ln 2
    assert weighted_log_loss(torch.full((6, 4), 0.5), torch.zeros(6, 4)) == pytest.approx(math.log(2))


def test_log_loss_is_clipped_and_leaves_out_the_unknown() -> None:
    p = torch.tensor([[0.0, 0.5], [1.0, NAN]])
    y = torch.tensor([[1.0, NAN], [NAN, NAN]])
    assert weighted_log_loss(p, y) == pytest.approx(-math.log(1e-6))
    assert weighted_log_loss(p[:, :1], torch.tensor([[0.0], [1.0]])) == pytest.approx(0, abs=1e-5)
    assert math.isnan(weighted_log_loss(p, torch.full((2, 2), NAN)))
    assert math.isnan(weighted_log_loss(p, torch.tensor([[NAN, NAN], [NAN, 1.0]])))
