# SPDX-License-Identifier: Apache-2.0
"""Blocks of the 3D networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tomobundles.networks.residual_blocks_3d import (
    ConvNorm,
    ResidualBlock3d,
    UpNorm,
    check_lengths,
    check_volume,
    halve_momentum,
    initialise_3d,
    residual_stage,
    run_stage,
)
from tomobundles.utils import InputError


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# A k^3 convolution a -> b has k^3 ab + b parameters, batch norm 2b.
def test_parameters_by_hand() -> None:
    assert parameters(ConvNorm(2, 3)) == 27 * 6 + 3 + 6
    assert parameters(UpNorm(2, 3)) == 8 * 6 + 3 + 6
    assert parameters(ResidualBlock3d(3, 3)) == 2 * (27 * 9 + 9)
    assert parameters(ResidualBlock3d(2, 3)) == (27 * 6 + 9) + (27 * 9 + 9) + (6 + 9)
    assert parameters(residual_stage(2, 3, 3)) == 171 + 252 + 15 + 2 * 504


@pytest.mark.parametrize("channels", [(2, 3), (3, 3)])
def test_residual_block_by_hand(channels: tuple[int, int]) -> None:
    torch.manual_seed(0)
    block = ResidualBlock3d(*channels).eval()
    with torch.no_grad():
        for norm in (m for m in block.modules() if isinstance(m, nn.BatchNorm3d)):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, channels[0], 4, 5, 6)
    before = x.clone()
    first, second = block.first, block.second
    hidden = F.relu(first.norm(F.conv3d(x, first.conv.weight, first.conv.bias, padding=1)))
    expected = second.norm(F.conv3d(hidden, second.conv.weight, second.conv.bias, padding=1))
    if channels[0] != channels[1]:
        short = block.shortcut
        expected = F.relu(expected + short.norm(F.conv3d(x, short.conv.weight, short.conv.bias)))
    else:
        expected = F.relu(expected + x)
    torch.testing.assert_close(block(x), expected)
    assert torch.equal(x, before)  # what runs in place is never the input


def test_up_norm_doubles() -> None:
    assert UpNorm(2, 3)(torch.randn(1, 2, 2, 3, 4)).shape == (1, 3, 4, 6, 8)


def test_initialisation() -> None:
    torch.manual_seed(0)
    conv = nn.Conv3d(16, 64, 3)
    initialise_3d(conv)
    # variance 2 / fan-in, fan-in 27 * 16
    assert conv.weight.std().item() == pytest.approx((2 / 432) ** 0.5, rel=0.02)
    assert not conv.bias.any()


def test_running_averages_of_two_passes_are_those_of_one() -> None:
    torch.manual_seed(0)
    one, two = ConvNorm(1, 4), ConvNorm(1, 4)
    two.load_state_dict(one.state_dict())
    halve_momentum(two)
    x = torch.randn(2, 1, 4, 4, 4)
    one(x)
    run_stage(two, x, again=True).sum().backward()
    torch.testing.assert_close(two.norm.running_var, one.norm.running_var)
    torch.testing.assert_close(two.norm.running_mean, one.norm.running_mean)


@pytest.mark.parametrize(("shape", "text"), [((1, 1, 16, 16), "shape"), ((1, 2, 16, 16, 16), "1 channel")])
def test_refuses_other_shapes(shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(InputError, match=text):
        check_volume(torch.zeros(shape), divisor=16)


@pytest.mark.parametrize("size", [8, 24, 0])
def test_refuses_other_sizes(size: int) -> None:
    check_volume(torch.zeros(1, 1, 16, 32, 48), divisor=16)
    with pytest.raises(InputError, match=f"16 x {size} x 16 voxels: all must be multiples of 16"):
        check_volume(torch.zeros(1, 1, 16, size, 16), divisor=16)


@pytest.mark.parametrize("numbers", [(1,), (1, 0), (1, 2.5)])
def test_refuses_wrong_lengths(numbers: tuple) -> None:
    check_lengths(widths=((1, 2), 2))
    with pytest.raises(InputError, match="widths is"):
        check_lengths(widths=(numbers, 2))
