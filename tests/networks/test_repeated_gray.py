# SPDX-License-Identifier: Apache-2.0
"""A gray slice as three equal channels."""

import pytest
import torch
from torch import nn

from tomobundles.networks import load_weights
from tomobundles.networks.repeated_gray import RepeatedGray
from tomobundles.utils import InputError


class _Three(nn.Module):
    divisor = 16

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)

    def forward(self, image, *, doubled=False):
        return self.conv(image) * (2 if doubled else 1)


def test_channels_are_the_slice():
    network = _Three()
    image = torch.rand(2, 1, 4, 5)
    weight, bias = network.conv.weight.sum(), network.conv.bias
    torch.testing.assert_close(RepeatedGray(network)(image), image * weight + bias)
    torch.testing.assert_close(RepeatedGray(network)(image, doubled=True), 2 * (image * weight + bias))
    assert RepeatedGray(network).divisor == 16
    assert RepeatedGray(nn.Identity(), channels=2).divisor == 1


def test_weights_fit_with_and_without(tmp_path):
    wrapped, bare = RepeatedGray(_Three()), _Three()
    torch.save(wrapped.state_dict(), tmp_path / "wrapped.pt")
    torch.save(bare.state_dict(), tmp_path / "bare.pt")
    load_weights(RepeatedGray(_Three()), tmp_path / "wrapped.pt")
    fresh = load_weights(RepeatedGray(_Three()), tmp_path / "bare.pt")
    torch.testing.assert_close(fresh.network.conv.weight, bare.conv.weight)


def test_refusals():
    with pytest.raises(InputError, match="3 slices for a network of one"):
        RepeatedGray(_Three())(torch.rand(1, 3, 4, 4))
    with pytest.raises(InputError, match="channels is 0"):
        RepeatedGray(_Three(), channels=0)
