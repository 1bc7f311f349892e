# SPDX-License-Identifier: Apache-2.0
"""The scores of a set of studies, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tomobundles.metrics import SliceClassificationMetrics, SliceRecord
from tomobundles.utils import InputError

NAN = math.nan
CLASSES = ("IPH", "EDH")


def with_any(p: Tensor) -> Tensor:
    return torch.cat([p, 1 - (1 - p).prod(dim=0, keepdim=True)])


def predict(context: list[list[float]], raw: list[list[float]] | None = None, **more: Tensor) -> dict:
    """A prediction from scores, where posteriors are the scores themselves."""
    p, q = torch.tensor(context), torch.tensor(raw or context)
    made = {"logits": q.logit(), "context_logits": p.logit(), "raw": with_any(q), "context": with_any(p)}
    return made | more


# Two studies, scores with context. IPH: .9 .6 .2 | .3 .4, present in slices 0 and 2 of A, in no slice of B.
# EDH: .1 .7 .1 | .6 .2, present in slice 1 of A; in B slice 0 unknown, slice 1 absent.
A = [[0.9, 0.6, 0.2], [0.1, 0.7, 0.1]]
B = [[0.3, 0.4], [0.6, 0.2]]
LABEL_A = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 1, 1]])
LABEL_B = torch.tensor([[0.0, 0], [NAN, 0], [NAN, 0]])


@pytest.fixture
def metrics() -> SliceClassificationMetrics:
    made = SliceClassificationMetrics(CLASSES)
    made.update(predict(A, patient=torch.tensor([0.9, 0.7, 0.95])), LABEL_A, name="A")
    made.update(predict(B, patient=torch.tensor([0.4, 0.6, 0.7])), LABEL_B, name="B")
    return made


def test_f2_by_hand(metrics: SliceClassificationMetrics) -> None:
    values = metrics.aggregate()
    # at 0.5, IPH: TP .9, FP .6, FN .2 -> 5 / (5 + 4 + 1). EDH: TP .7, nothing else (.6 is unknown) -> 1.
    # Together TP 2, FP 1, FN 1: 10 / (10 + 4 + 1).
    assert values["f2_micro"] == pytest.approx(10 / 15)
    assert values["f2_IPH"] == pytest.approx(0.5)
    assert values["f2_EDH"] == 1
    assert values["f2"] == pytest.approx(0.75)
    # any: slices 0 and 1 found, 2 missed; B's second is rightly negative: 10 / (10 + 4)
    assert values["f2_any"] == pytest.approx(10 / 14)


def test_ranking_by_hand(metrics: SliceClassificationMetrics) -> None:
    values = metrics.aggregate()
    # IPH: present .9 .2, absent .6 .3 .4: .9 wins 3 pairs, .2 none: 3/6. Precision at .9: 1, at .2: 2/5.
    assert values["auc_IPH"] == pytest.approx(0.5)
    assert values["ap_IPH"] == pytest.approx((1 + 2 / 5) / 2)
    assert values["auc_EDH"] == values["ap_EDH"] == 1
    assert values["auc"] == pytest.approx(0.75)
    # 3 absent ones: 95 % specificity allows no false alarm: .9 is found; all present ones need the cut .2,
    # below all absent ones
    assert values["sensitivity_at_95_specificity_IPH"] == 0.5
    assert values["specificity_at_95_sensitivity_IPH"] == 0
    # any: .91 .88 .28 present, 1 - .6 * .8 = .52 absent: 2 of 3 pairs
    assert values["auc_any"] == pytest.approx(2 / 3)


def test_probabilities_by_hand(metrics: SliceClassificationMetrics) -> None:
    values = metrics.aggregate()
    brier = ((0.1**2 + 0.6**2 + 0.8**2 + 0.3**2 + 0.4**2) / 5, (0.1**2 + 0.3**2 + 0.1**2 + 0.2**2) / 4)
    assert (values["brier_context_IPH"], values["brier_context_EDH"]) == pytest.approx(brier)
    assert values["brier_context"] == pytest.approx(sum(brier) / 2)
    # every IPH score is in its own bin: mean |p - y|
    assert values["ece_context_IPH"] == pytest.approx((0.1 + 0.6 + 0.8 + 0.3 + 0.4) / 5, abs=1e-6)
    # posteriors are the scores here, and raw and context the same
    for name in ("ece", "brier", "log_loss"):
        for key in ("score", "score_raw", "raw"):
            assert values[f"{name}_{key}"] == pytest.approx(values[f"{name}_context"], abs=1e-6)
    iph = [0.9, 1 - 0.6, 0.2, 1 - 0.3, 1 - 0.4]
    edh = [1 - 0.1, 0.7, 1 - 0.1, 1 - 0.2]
    either = [0.91, 0.88, 0.28, 1 - 0.52]
    loss = -np.log(iph).sum() - np.log(edh).sum() - 2 * np.log(either).sum()
    assert values["log_loss_context"] == pytest.approx(loss / (5 + 4 + 2 * 4), rel=1e-6)


def test_patients_by_hand(metrics: SliceClassificationMetrics) -> None:
    values = metrics.aggregate()
    # IPH: A has it (.9), B not (.4). EDH: A has it; of B that is unknown, as is any.
    assert values["patient_auc_IPH"] == values["patient_auc"] == 1
    assert math.isnan(values["patient_auc_EDH"])
    assert values["patient_brier_IPH"] == pytest.approx((0.1**2 + 0.4**2) / 2)
    assert values["patient_ece_IPH"] == pytest.approx((0.1 + 0.4) / 2, abs=1e-6)
    assert values["patient_brier_EDH"] == pytest.approx(0.3**2)
    metrics.records[1].study_label = torch.tensor([0.0, 0, 0])
    assert metrics.aggregate()["patient_auc_EDH"] == 1


def test_without_context_and_with_are_both_there() -> None:
    # the slice on its own finds the one-slice bleed that smoothing erases
    metrics = SliceClassificationMetrics(["EDH"])
    metrics.update(
        predict([[0.1, 0.3, 0.2]], raw=[[0.1, 0.9, 0.2]]), torch.tensor([[0.0, 1, 0], [0, 1, 0]]), name="A"
    )
    values = metrics.aggregate()
    assert (values["f2_micro"], values["f2_micro_raw"]) == (0, 1)
    assert (values["f2_EDH"], values["f2_raw_EDH"]) == (0, 1)
    assert values["auc_EDH"] == values["auc_raw_EDH"] == 1
    assert values["brier_raw_EDH"] < values["brier_context_EDH"]


def test_calibrated_probabilities_are_scored_as_given(metrics: SliceClassificationMetrics) -> None:
    before = metrics.aggregate()
    assert not any("calibrated" in name for name in before)
    for record in metrics.records:
        record.scores["calibrated"] = torch.full_like(record.scores["context"], 0.5)
    values = metrics.aggregate()
    assert values["brier_calibrated_IPH"] == pytest.approx(0.25)
    assert values["log_loss_calibrated"] == pytest.approx(math.log(2))
    assert {name: values[name] for name in before} == pytest.approx(before, nan_ok=True)


def test_a_score_of_exactly_a_half_is_positive() -> None:
    metrics = SliceClassificationMetrics(["EDH"])
    metrics.update({"logits": torch.zeros(1, 2)}, torch.tensor([[1.0, 0], [1, 0]]))
    assert metrics.aggregate()["f2_micro"] == pytest.approx(5 / 6)


def test_logits_alone() -> None:
    metrics = SliceClassificationMetrics(["EDH"])
    metrics.update({"logits": torch.tensor([[3.0, -3.0]])}, torch.tensor([[1.0, 0], [1, 0]]))
    values = metrics.aggregate()
    assert values["auc_any"] == values["f2_any"] == 1
    assert not any("context" in name or "patient" in name for name in values)
    assert list(metrics.intervals(samples=5)) == ["f2_micro", "auc_EDH", "auc_any"]


def test_logits_rank_where_scores_are_equal() -> None:
    # sigmoid(20) and sigmoid(30) are both 1 in float32, and the posterior of -5 and -9 both 0
    metrics = SliceClassificationMetrics(["EDH"])
    logits = torch.tensor([[20.0, 30.0, -9.0, -5.0]])
    metrics.update(
        {"logits": logits, "context": torch.zeros(2, 4)}, torch.tensor([[0.0, 1, 0, 1], [NAN] * 4])
    )
    assert metrics.aggregate()["auc_EDH"] == pytest.approx(3 / 4)


def test_undefined_is_nan_not_zero() -> None:
    metrics = SliceClassificationMetrics(CLASSES)
    assert math.isnan(metrics.aggregate()["f2_micro"])
    assert metrics.intervals() == {}
    metrics.update(predict([[0.1, 0.2], [0.1, 0.2]], patient=torch.zeros(3)), name="unlabelled")
    assert all(math.isnan(value) for value in metrics.aggregate().values())
    metrics.update(
        predict([[0.1, 0.2], [0.1, 0.2]], patient=torch.zeros(3)), torch.zeros(3, 2), name="normal"
    )
    values = metrics.aggregate()
    for name in ("f2_micro", "f2_IPH", "f2", "auc_IPH", "ap", "sensitivity_at_95_specificity", "patient_auc"):
        assert math.isnan(values[name]), name
    assert values["brier_context_IPH"] == pytest.approx((0.1**2 + 0.2**2) / 2)
    metrics.reset()
    assert metrics.records == []


def test_an_unlabelled_study_counts_nowhere(metrics: SliceClassificationMetrics) -> None:
    expected = metrics.aggregate()
    metrics.update(predict(A, patient=torch.ones(3)), name="unlabelled")
    assert metrics.aggregate() == pytest.approx(expected, nan_ok=True)


def test_a_network_that_diverged_is_not_scored(metrics: SliceClassificationMetrics) -> None:
    for record in metrics.records:
        record.scores = {key: value * NAN for key, value in record.scores.items()}
    assert all(math.isnan(value) for value in metrics.aggregate().values())
    assert np.isnan(list(metrics.intervals(samples=5).values())).all()


def test_records_of_other_processes(metrics: SliceClassificationMetrics) -> None:
    other = SliceClassificationMetrics(CLASSES)
    other.records = [SliceRecord.from_lists(record.as_lists()) for record in metrics.records]
    assert other.aggregate() == pytest.approx(metrics.aggregate(), nan_ok=True, abs=0)


def cohort(studies: int, *, seed: int = 0) -> SliceClassificationMetrics:
    generator = torch.Generator().manual_seed(seed)
    metrics = SliceClassificationMetrics(CLASSES)
    for index in range(studies):
        logits = 1.5 * torch.randn(2, 12, generator=generator) - (1 if index % 2 else 5)
        label = (torch.rand(2, 12, generator=generator) < logits.sigmoid()).float()
        q = with_any((2 * logits).sigmoid())
        metrics.update(
            {"logits": logits, "raw": q, "context": q, "patient": q.amax(dim=1)},
            torch.cat([label, label.amax(dim=0, keepdim=True)]),
            name=f"s{index}",
            patient=f"p{index // 2}",
        )
    return metrics


def test_intervals_hold_the_values() -> None:
    metrics = cohort(40)
    values, intervals = metrics.aggregate(), metrics.intervals(samples=200, seed=1)
    names = ["auc_IPH", "auc_EDH", "auc_any"]
    assert list(intervals) == ["f2_micro", *names, *(f"patient_{name}" for name in names)]
    for name, interval in intervals.items():
        assert interval.value == pytest.approx(values[name], abs=1e-12)
        assert interval.low < interval.value <= interval.high
    assert intervals == metrics.intervals(samples=200, seed=1)
    wide = metrics.intervals(samples=200, seed=1, level=0.99)["auc_IPH"]
    assert wide.low < intervals["auc_IPH"].low


def test_a_calibration_can_be_fitted_on_the_records() -> None:
    metrics = cohort(150)
    calibration = metrics.fit_calibration(note="150 studies")
    assert calibration.class_names == CLASSES
    assert calibration.note == "150 studies"
    assert calibration.context[0].slope == pytest.approx(0.5, abs=0.08)
    assert calibration.patient[0].n_pos + calibration.patient[0].n_neg == 150
    assert calibration.context[0].n_pos + calibration.context[0].n_neg == 1800
    assert metrics.fit_calibration(method="temperature").context[0].intercept == 0
    assert metrics.fit_calibration(beta=1).thresholds[0] > calibration.thresholds[0]
    other = cohort(150, seed=1)
    for record in other.records:
        record.scores["calibrated"] = calibration.apply("context", record.scores["context"])
    values = other.aggregate()
    assert values["ece_calibrated"] < 0.04 < values["ece_context"]
    assert values["log_loss_calibrated"] < values["log_loss_context"]


def test_calibration_needs_posteriors() -> None:
    metrics = SliceClassificationMetrics(["EDH"])
    with pytest.raises(ValueError, match="needs studies with 'raw' and 'context' posteriors"):
        metrics.fit_calibration()
    metrics.update({"logits": torch.zeros(1, 2)}, torch.zeros(2, 2))
    with pytest.raises(ValueError, match="needs studies with"):
        metrics.fit_calibration()
    with pytest.raises(InputError, match="calibration method 'none'"):
        cohort(2).fit_calibration(method="none")


@pytest.mark.parametrize("names", [[], ["IPH", "IPH"], ["IPH", "any"]])
def test_class_names_are_checked(names: list[str]) -> None:
    with pytest.raises(ValueError, match="class_names must be different names without 'any'"):
        SliceClassificationMetrics(names)
