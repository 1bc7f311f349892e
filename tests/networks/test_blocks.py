# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import nn

from tomobundles.networks.blocks import (
    ConcurrentSELayer,
    DecoderNode,
    DilatedCentre,
    PresenceHead,
    attention_block,
    check_option,
    conv_block,
)
from tomobundles.utils import InputError


# 3x3 convolution a -> b: 9ab + b; batch norm 2b. From 2 to 4 channels:
# plain:    (72 + 4 + 8) + (144 + 4 + 8) = 240
# residual: (72 + 4 + 8) + (144 + 4), then batch norm 8, and 1x1 shortcut 2 * 4 + 4 = 12: 252
# dense:    growth 2: (36 + 2 + 4) + (4 -> 2: 72 + 2 + 4), then 1x1 6 -> 4: 24 + 4 + 8 = 36: 156
@pytest.mark.parametrize(("kind", "count"), [("plain", 240), ("residual", 252), ("dense", 156)])
def test_conv_block(kind: str, count: int) -> None:
    block = conv_block(kind, 2, 4, norm="batch")
    assert sum(p.numel() for p in block.parameters()) == count
    output = block(torch.randn(3, 2, 5, 7))
    assert output.shape == (3, 4, 5, 7)
    assert (output >= 0).all()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in conv_block(kind, 2, 4, norm=None).modules())


def test_residual_shortcut() -> None:
    # With silent convolutions the shortcut alone is left, rectified.
    block = conv_block("residual", 2, 2, norm=None)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.tensor([[[[1.0, -2.0]], [[-3.0, 4.0]]]])
    assert torch.equal(block(x), x.clamp(min=0))


def test_dense_block_of_one_channel() -> None:
    assert conv_block("dense", 1, 1, norm=None)(torch.randn(1, 1, 4, 4)).shape == (1, 1, 4, 4)


def test_scse_by_hand() -> None:
    # Channel gate: zero weights and second bias ln 3 -> sigmoid = 3 / 4 for every channel. Spatial gate: the
    # sum of the two channels x ln 3: the pixel with 1 and 0 gives sigmoid(ln 3) = 3 / 4, the other 1 / 2.
    layer = ConcurrentSELayer(2)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    log3 = torch.tensor(3.0).log().item()
    nn.init.constant_(layer.channel.fc[2].bias, log3)
    nn.init.constant_(layer.spatial.weight, log3)
    x = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]]]])
    expected = torch.tensor([[[[0.75 + 0.75, 0.0]], [[0.0, 0.0]]]])
    torch.testing.assert_close(layer(x), expected)


def test_attention_block() -> None:
    assert isinstance(attention_block(None, 4), nn.Identity)
    assert isinstance(attention_block("scse", 4), ConcurrentSELayer)


def test_dilated_centre_sums_input_and_outputs() -> None:
    # Centre taps of 2, no bias, batch norm at its initial identity (up to eps): 1 + 2 + 4 + 8 = 15 times x.
    centre = DilatedCentre(1, (1, 2, 4)).eval()
    for layer in centre.layers:
        nn.init.zeros_(layer.conv.weight)
        nn.init.zeros_(layer.conv.bias)
        layer.conv.weight.data[0, 0, 1, 1] = 2
    x = torch.rand(1, 1, 6, 6)
    torch.testing.assert_close(centre(x), 15 * x, rtol=1e-4, atol=0)
    assert [layer.conv.dilation for layer in centre.layers] == [(1, 1), (2, 2), (4, 4)]


def test_decoder_node_takes_all_skips() -> None:
    node = DecoderNode(6, 3, skips=2, block="plain", attention=None)
    skips = [torch.randn(1, 3, 8, 12, requires_grad=True) for _ in range(2)]
    output = node(torch.randn(1, 6, 4, 6), skips)
    assert output.shape == (1, 3, 8, 12)
    output.sum().backward()
    assert all(skip.grad.any() for skip in skips)


@pytest.mark.parametrize(("pooling", "expected"), [("max", 7.0), ("avg", 2.5)])
def test_presence_head_by_hand(pooling: str, expected: float) -> None:
    # 1x1 convolution: 2 x + 1. Map 0, 1, -1, 3 -> 1, 3, -1, 7: maximum 7, mean 2.5.
    head = PresenceHead(1, 1, pooling=pooling, dropout=0.5).eval()
    nn.init.constant_(head.conv.weight, 2)
    nn.init.constant_(head.conv.bias, 1)
    logits = head(torch.tensor([[[[0.0, 1.0], [-1.0, 3.0]]]]))
    assert torch.equal(logits, torch.tensor([[expected]]))


def test_bad_option() -> None:
    check_option("size", 2, (1, 2))
    with pytest.raises(InputError, match="size is 3\nUse one of 1, 2"):
        check_option("size", 3, (1, 2))
