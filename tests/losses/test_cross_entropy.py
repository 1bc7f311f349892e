# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tomobundles.losses import WeightedCrossEntropy
from tomobundles.utils import InputError


def test_by_hand() -> None:
    # Two pixels with p = (1/4, 3/4): true classes 0 and 1, weights 1 and 3:
    # (1 * ln 4 + 3 * ln(4/3)) / (1 + 3)
    logits = torch.tensor([0.25, 0.75]).log().view(1, 2, 1, 1).expand(1, 2, 1, 2)
    label = torch.tensor([[[[0, 1]]]], dtype=torch.uint8)
    loss = WeightedCrossEntropy([1, 3])({"segmentation": logits}, label)
    assert loss.shape == ()
    assert loss.item() == pytest.approx((math.log(4) + 3 * math.log(4 / 3)) / 4)


def test_ignored_pixels_do_not_count() -> None:
    logits = torch.tensor([0.25, 0.75]).log().view(1, 2, 1, 1).expand(1, 2, 1, 3)
    label = torch.tensor([[[[0, 1, 255]]]])
    loss = WeightedCrossEntropy([1, 3])({"segmentation": logits}, label)
    assert loss.item() == pytest.approx((math.log(4) + 3 * math.log(4 / 3)) / 4)
    other = torch.tensor([[[[0, 1, 7]]]])
    assert WeightedCrossEntropy([1, 3], ignore_label=7)({"segmentation": logits}, other) == loss


def test_equals_torch_value_and_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(2, 4, 5, 7, generator=generator, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    label = torch.randint(0, 4, (2, 1, 5, 7), generator=generator)
    label[0, 0, :2] = 255
    weights = [1.0, 5.0, 10.0, 20.0]
    loss = WeightedCrossEntropy(weights)({"segmentation": ours}, label)
    expected = nn.CrossEntropyLoss(torch.tensor(weights), ignore_index=255)(theirs, label[:, 0])
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_only_ignored_pixels() -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    loss = WeightedCrossEntropy([1, 1])({"segmentation": logits}, torch.full((1, 1, 3, 3), 255))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_bfloat16_is_computed_in_float32() -> None:
    logits = torch.randn(1, 2, 64, 64).bfloat16().requires_grad_()
    label = torch.ones(1, 1, 64, 64, dtype=torch.uint8)
    loss = WeightedCrossEntropy([1, 5])({"segmentation": logits}, label)
    assert loss.dtype == torch.float32
    assert loss == WeightedCrossEntropy([1, 5])({"segmentation": logits.float()}, label)
    loss.backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("weights", [[], [1, 0], [1, -2], [1, float("nan")], [1, float("inf")]])
def test_bad_weights(weights: list[float]) -> None:
    with pytest.raises(InputError, match="class weights are"):
        WeightedCrossEntropy(weights)


def test_weights_for_another_number_of_classes() -> None:
    with pytest.raises(InputError, match="2 class weights for a segmentation with 4 channels"):
        WeightedCrossEntropy([1, 5])({"segmentation": torch.zeros(1, 4, 2, 2)}, torch.zeros(1, 1, 2, 2))
