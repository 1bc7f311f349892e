# SPDX-License-Identifier: Apache-2.0
import math
from types import MappingProxyType

import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms import SlicePosteriorsd
from tomobundles.transforms.posteriors import with_any


class Halve:
    """A calibration that shows which level it was asked for."""

    factor = MappingProxyType({"raw": 0.5, "context": 0.25, "patient": 0.1})

    def apply(self, level, probability):
        return probability * self.factor[level]


def _logit(p):
    return math.log(p / (1 - p))


def test_any_by_hand():
    # 1 - (1 - 0.5) * (1 - 0.2) = 0.6
    assert with_any(torch.tensor([[0.5], [0.2]]))[:, 0].tolist() == pytest.approx([0.5, 0.2, 0.6])
    assert with_any(torch.tensor([0.5, 0.2])).tolist() == pytest.approx([0.5, 0.2, 0.6])


def test_without_context_or_calibration_all_are_sigmoids():
    logits = torch.tensor([[_logit(0.5), _logit(0.9)], [_logit(0.2), _logit(0.1)]])
    pred = SlicePosteriorsd()({"pred": {"logits": MetaTensor(logits)}})["pred"]
    for key in ("score", "score_raw"):
        assert torch.allclose(pred[key], torch.tensor([[0.5, 0.9], [0.2, 0.1]]))
    for key in ("raw", "context", "calibrated", "calibrated_raw"):
        assert pred[key].flatten().tolist() == pytest.approx([0.5, 0.9, 0.2, 0.1, 0.6, 0.91])
    assert pred["patient"].tolist() == pytest.approx([0.9, 0.2, 0.91])
    assert all(value.dtype == torch.float32 for value in pred.values())


def test_context_is_divided_by_its_gain_but_the_contests_score_is_not():
    logits, context = torch.full((1, 1), _logit(0.3)), torch.full((1, 1), 1.3 * _logit(0.8))
    pred = SlicePosteriorsd(context_gain=1.3)({"pred": {"logits": logits, "context_logits": context}})["pred"]
    assert pred["raw"][0].item() == pytest.approx(0.3)
    assert pred["context"][0].item() == pytest.approx(0.8)
    assert pred["score"].item() == pytest.approx(1 / (1 + math.exp(-1.3 * _logit(0.8))))


def test_posterior_and_calibration_are_applied_in_this_order():
    step = SlicePosteriorsd(posterior=torch.square, calibration=Halve())
    pred = step({"pred": {"logits": torch.full((1, 2), _logit(0.6))}, "image": 1})
    assert pred["image"] == 1
    pred = pred["pred"]
    assert pred["raw"][0].tolist() == pytest.approx([0.36, 0.36])
    assert pred["calibrated_raw"][0].tolist() == pytest.approx([0.18, 0.18])
    assert pred["calibrated"][0].tolist() == pytest.approx([0.09, 0.09])
    assert pred["patient"][0].item() == pytest.approx(0.036)


def test_the_sample_given_is_left_alone():
    given = {"pred": {"logits": torch.zeros(1, 1)}}
    SlicePosteriorsd()(given)
    assert list(given["pred"]) == ["logits"]
