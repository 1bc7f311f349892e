# SPDX-License-Identifier: Apache-2.0
"""Networks without their batch norms."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tomobundles.networks import NoduleClassifier, NoduleDetector, fold_batch_norm, inference_network

TINY = {
    "channels": [2, 3, 4, 5, 6],
    "decoder_channels": [5, 4],
    "encoder_blocks": [1, 2, 1, 1],
    "decoder_blocks": [1, 1],
    "head_channels": 4,
}


def trained(network: nn.Module) -> nn.Module:
    """As if trained: norms that are far from the identity."""
    generator = torch.Generator().manual_seed(0)
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm3d)):
        norm.running_mean.normal_(generator=generator).mul_(0.3)
        norm.running_var.uniform_(0.5, 2, generator=generator)
        nn.init.uniform_(norm.weight, 0.5, 1.5, generator=generator)
        nn.init.normal_(norm.bias, std=0.3, generator=generator)
    return network


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2}, {"stem": "strided"}, {"stem": "strided", "stride": 2}]
)
def test_a_folded_detector_gives_the_same(options: dict) -> None:
    torch.manual_seed(0)
    network = trained(NoduleDetector(**TINY, **options)).train()
    folded = fold_batch_norm(network)
    assert not any(isinstance(m, nn.BatchNorm3d) for m in folded.modules())
    assert not folded.training
    assert not any(p.requires_grad for p in folded.parameters())
    image, box = torch.randn(2, 1, 32, 16, 16), torch.rand(2, 6)
    assert network.training  # the network itself is as it was
    assert all(p.requires_grad for p in network.parameters())
    expected = network.eval()(image, box)
    torch.testing.assert_close(folded(image, box), expected, rtol=0, atol=1e-5)
    assert folded.fine_margin == network.fine_margin


def test_a_folded_classifier_gives_the_same() -> None:
    torch.manual_seed(0)
    network = trained(NoduleClassifier(size=16, channels=[2, 3, 4, 5])).eval()
    crops = torch.randn(3, 1, 16, 16, 16)
    torch.testing.assert_close(fold_batch_norm(network)(crops), network(crops), rtol=0, atol=1e-5)


def test_by_hand() -> None:
    # 2x + 1, minus mean 3, over sqrt(4), times 6, plus 5: 6x - 1
    pair = nn.Sequential(nn.Conv3d(1, 1, 1), nn.BatchNorm3d(1, eps=0.0)).eval()
    with torch.no_grad():
        for tensor, value in (
            (pair[0].weight, 2),
            (pair[0].bias, 1),
            (pair[1].running_mean, 3),
            (pair[1].running_var, 4),
            (pair[1].weight, 6),
            (pair[1].bias, 5),
        ):
            tensor.fill_(value)
    folded = fold_batch_norm(pair)
    assert (folded[0].weight.item(), folded[0].bias.item()) == (6.0, -1.0)
    assert isinstance(folded[1], nn.Identity)


def test_what_cannot_be_folded_stays() -> None:
    networks = (
        nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2, track_running_stats=False)),
        nn.Sequential(nn.Conv3d(1, 2, 1), nn.ReLU(), nn.BatchNorm3d(2)),
    )
    for network in networks:
        folded = fold_batch_norm(network)
        assert any(isinstance(m, nn.BatchNorm3d) for m in folded.modules())
        x = torch.randn(1, 1, 2, 2, 2)
        assert torch.equal(folded(x), network.eval()(x))


def test_wrappers_are_left_out() -> None:
    network = NoduleDetector(**TINY)
    assert isinstance(fold_batch_norm(nn.DataParallel(network)), NoduleDetector)
    assert isinstance(fold_batch_norm(torch.compile(network)), NoduleDetector)


def test_inference_network() -> None:
    torch.manual_seed(0)
    network = trained(NoduleDetector(**TINY)).eval()
    image, box = torch.randn(1, 1, 32, 32, 32), torch.rand(1, 6)
    expected = network(image, box)
    plain = inference_network(network)
    assert plain.decode4[0].first.conv.weight.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(plain(image, box), expected, rtol=0, atol=1e-5)
    half = inference_network(network, torch.bfloat16, "cpu")
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert (half(image.bfloat16(), box).float() - expected).abs().max() < 0.1
