# SPDX-License-Identifier: Apache-2.0
"""A calibration fitted on held-out studies."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tomobundles.metrics import calibration_error, f_beta, f_beta_threshold, fit_calibration
from tomobundles.utils import InputError

NAN = math.nan


def drawn(n: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Posteriors (3, n) that are too sure by a factor of two in the logit, and their labels, any last."""
    generator = torch.Generator().manual_seed(seed)
    logits = 1.5 * torch.randn(2, n, generator=generator, dtype=torch.float64) - 1
    label = (torch.rand(2, n, generator=generator) < logits.sigmoid()).double()
    posterior = (2 * logits).sigmoid()
    any_posterior = 1 - (1 - posterior).prod(dim=0, keepdim=True)
    return torch.cat([posterior, any_posterior]), torch.cat([label, label.amax(dim=0, keepdim=True)])


@pytest.fixture
def examples() -> dict[str, Tensor]:
    raw, label = drawn(4000)
    patient, patient_label = drawn(300, seed=1)
    return {
        "raw": raw,
        "context": raw**0.5,
        "label": label,
        "patient": patient,
        "patient_label": patient_label,
    }


@pytest.mark.parametrize("method", ["platt", "temperature"])
def test_it_lowers_the_error_on_other_patients(examples: dict[str, Tensor], method: str) -> None:
    calibration = fit_calibration(class_names=["A", "B"], method=method, note="by test", **examples)
    assert calibration.raw[0].slope == pytest.approx(0.5, abs=0.05)
    assert (calibration.method, calibration.note) == (method, "by test")
    assert calibration.raw[0].n_pos + calibration.raw[0].n_neg == 4000
    assert calibration.patient[2].n_pos + calibration.patient[2].n_neg == 300
    q, y = drawn(4000, seed=2)
    for before, after, truth in zip(q[:2], calibration.apply("raw", q)[:2], y[:2], strict=True):
        assert calibration_error(after, truth) < 0.03 < calibration_error(before, truth)


def test_thresholds_are_the_best_cuts_of_what_comes_out(examples: dict[str, Tensor]) -> None:
    calibration = fit_calibration(class_names=["A", "B"], **examples)
    p = calibration.apply("context", examples["context"])
    for row, truth, cut in zip(p, examples["label"], calibration.thresholds, strict=True):
        assert cut == f_beta_threshold(row, truth)
        best = f_beta((row >= cut).double(), truth)
        assert best >= max(f_beta((row >= t).double(), truth) for t in torch.linspace(0, 1, 101))
        assert cut == pytest.approx(best / 5, abs=0.05)  # F* / (1 + beta^2)
    cuts = [
        f_beta_threshold(row, truth)
        for row, truth in zip(
            calibration.apply("patient", examples["patient"]), examples["patient_label"], strict=True
        )
    ]
    assert calibration.patient_thresholds == tuple(cuts)


def test_a_class_without_examples_is_passed_on_and_named(
    examples: dict[str, Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    examples["label"][1] = NAN
    examples["patient_label"][1] = 0.0
    with caplog.at_level(logging.WARNING, logger="tomobundles"):
        calibration = fit_calibration(class_names=["A", "B"], **examples)
    assert calibration.not_fitted == {level: ["B"] for level in ("raw", "context", "patient")}
    assert calibration.thresholds[1] == calibration.patient_thresholds[1] == pytest.approx(0.2)
    assert [message.partition(":")[0] for message in caplog.messages] == [
        f"no {level} calibration of B" for level in ("raw", "context", "patient")
    ]


def test_identity_finds_thresholds_alone(
    examples: dict[str, Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    calibration = fit_calibration(class_names=["A", "B"], method="identity", **examples)
    assert torch.equal(calibration.apply("raw", examples["raw"]), examples["raw"])
    assert calibration.thresholds[0] == f_beta_threshold(examples["context"][0], examples["label"][0])
    assert calibration.raw[0].n_pos == examples["label"][0].sum()
    assert not caplog.messages


def test_threshold_by_hand() -> None:
    # present .9 .4, absent .6 .3 .1, of F2 = 5 TP / (taken + 4 * 2): cut .9 -> 5/9, .6 -> 5/10, .4 -> 10/11,
    # .3 -> 10/12. The best takes .4; halfway to .3.
    p, y = np.array([0.3, 0.9, 0.1, 0.4, 0.6]), np.array([0.0, 1, 0, 1, 0])
    assert f_beta_threshold(p, y) == pytest.approx(0.35)
    # of F0.5 = 1.25 TP / (taken + .25 * 2): 1.25/1.5, 1.25/2.5, 2.5/3.5: the first; halfway to .6
    assert f_beta_threshold(p, y, beta=0.5) == pytest.approx(0.75)
    assert f_beta_threshold(np.append(p, 0.99), np.append(y, NAN)) == pytest.approx(0.35)


def test_threshold_at_the_ends() -> None:
    assert f_beta_threshold(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])) == 0.5  # both or none
    assert f_beta_threshold(torch.tensor([0.3, 0.2]), torch.tensor([1.0, 1.0])) == pytest.approx(0.2)
    assert math.isnan(f_beta_threshold(torch.tensor([0.3]), torch.tensor([0.0])))
    assert math.isnan(f_beta_threshold(torch.tensor([NAN, 0.2]), torch.tensor([1.0, 1.0])))


def test_refusals(examples: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match="calibration method 'isotonic'\nUse one of platt"):
        fit_calibration(class_names=["A", "B"], method="isotonic", **examples)
    with pytest.raises(InputError, match=r"raw posteriors \(3, 4000\) and labels .*\nBoth need 2 rows"):
        fit_calibration(class_names=["A"], **examples)
    fewer = examples | {"patient_label": examples["patient_label"][:, 1:]}
    with pytest.raises(InputError, match=r"patient posteriors \(3, 300\) and labels \(3, 299\)"):
        fit_calibration(class_names=["A", "B"], **fewer)
    with pytest.raises(InputError, match="Look for NaN"):
        fit_calibration(class_names=["A", "B"], **examples | {"raw": examples["raw"] * NAN})
