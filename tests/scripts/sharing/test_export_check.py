# SPDX-License-Identifier: Apache-2.0
"""How far an exported network may be from the Python one."""

import math

import pytest
import torch
from torch import nn

from tomobundles.networks.export_form import ExportForm
from tomobundles.scripts.sharing.export_check import check_export, difference
from tomobundles.utils import InputError


class Plus(nn.Module):
    in_channels = 1

    def __init__(self, amount=0.0):
        super().__init__()
        self.amount = nn.Parameter(torch.tensor(float(amount)))

    def forward(self, image):
        return image + self.amount


def test_differences_by_hand():
    zero = torch.zeros(1, 2, 1, 1)
    one = torch.tensor([[1.0, 0.0]]).reshape(1, 2, 1, 1)
    # sigmoid(1) - sigmoid(0) = 0.231; the outputs themselves are 1 apart, in units of max(1, 0)
    assert difference(zero, one) == pytest.approx(1.0)
    # 20 against 10: a tenth apart in softmax or sigmoid by nothing, by half of the greatest
    assert difference({"features": 20 * one}, {"features": 10 * one}) == pytest.approx(0.5)
    # softmax of (6, 0) and (5, 0) differ by 0.0042; the logits by a sixth of 6
    assert difference({"segmentation": 6 * one}, {"segmentation": 5 * one}) == pytest.approx(1 / 6)
    # softmax of (0, 0) and (0.1, 0): 0.5 and 0.525; outputs differ by 0.1
    assert difference({"segmentation": zero}, {"segmentation": 0.1 * one}) == pytest.approx(0.1)
    assert difference({"a": zero}, {"a": zero}) == 0


def test_other_names_or_shapes_are_another_network():
    zero = torch.zeros(1, 2)
    assert difference({"a": zero}, {"b": zero}) == math.inf
    assert difference(zero, torch.zeros(2, 2)) == math.inf
    assert math.isnan(difference(zero, zero * math.nan))


def test_two_other_sizes_and_batches_are_tried():
    shapes = []

    def call(image):
        shapes.append(tuple(image.shape))
        return image + 5e-5

    assert check_export(ExportForm(Plus()), call, name="test") == pytest.approx(5e-5, rel=0.01)
    assert shapes == [(1, 1, 40, 80), (3, 1, 80, 40)]


@pytest.mark.parametrize("error", [2e-4, math.nan])
def test_more_is_refused(error):
    with pytest.raises(InputError, match=r"the test network differs by"):
        check_export(ExportForm(Plus()), lambda image: image + error, name="test")
