# SPDX-License-Identifier: Apache-2.0
"""Weights of misclassified examples."""

from __future__ import annotations

import math

import pytest
import torch

from tomobundles.losses import MisclassifiedWeights
from tomobundles.utils import InputError


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_by_hand() -> None:
    logits = torch.tensor([logit(0.1), logit(0.4), 0.0, logit(0.8)])
    # negatives: 0.5, 0.5, then 1 + 3 * 0.5 and 1 + 3 * 0.8; positives: 1 + 3 * 0.9, 1 + 3 * 0.6, 0.5, 0.5
    weights = MisclassifiedWeights()
    assert weights(logits, positive=False).tolist() == pytest.approx([0.5, 0.5, 2.5, 3.4])
    assert weights(logits, positive=True).tolist() == pytest.approx([3.7, 2.8, 0.5, 0.5])
    squared = MisclassifiedWeights(lambda_=2, gamma=2, easy=1)
    assert squared(logits, positive=False).tolist() == pytest.approx([1, 1, 1.5, 2.28])


def test_all_one() -> None:
    logits = torch.randn(50) * 10
    for positive in (False, True):
        assert MisclassifiedWeights(lambda_=0, easy=1)(logits, positive=positive).eq(1).all()


def test_no_gradient_and_no_overflow() -> None:
    logits = torch.tensor([-1e4, 1e4], requires_grad=True)
    weights = MisclassifiedWeights(gamma=0.5)(logits, positive=True)
    assert not weights.requires_grad
    assert weights.tolist() == [4.0, 0.5]


@pytest.mark.parametrize("options", [{"lambda_": -1}, {"gamma": math.nan}, {"easy": math.inf}])
def test_refuses(options: dict) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        MisclassifiedWeights(**options)
