# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tomobundles.networks import ResNeXtEncoder
from tomobundles.networks.resnext import RESNEXT_LAYERS, ResNeXtBottleneck
from tomobundles.utils import InputError


def parameters_by_hand(layers: list[int]) -> int:
    """From Xie et al., table 1: stem, then bottlenecks of 1x1, 3x3 in 32 groups, 1x1, and projections."""
    total, channels = 64 * 3 * 7 * 7 + 2 * 64, 64
    for stage, blocks in enumerate(layers):
        inner, out = 128 * 2**stage, 256 * 2**stage
        for index in range(blocks):
            total += channels * inner + inner * inner // 32 * 9 + inner * out + 2 * (inner + inner + out)
            total += channels * out + 2 * out if index == 0 else 0
            channels = out
    return total


@pytest.mark.parametrize(
    ("backbone", "published"), [("resnext50_32x4d", 25_028_904), ("resnext101_32x4d", 44_177_704)]
)
def test_parameters(backbone: str, published: int) -> None:
    with torch.device("meta"):
        encoder = ResNeXtEncoder(backbone)
    own = sum(p.numel() for p in encoder.parameters())
    classifier = 2048 * 1000 + 1000
    assert own == published - classifier == parameters_by_hand(RESNEXT_LAYERS[backbone])


@torch.no_grad()
@pytest.mark.parametrize("width", [4, 16, 24])
def test_maps(width: int) -> None:
    encoder = ResNeXtEncoder(in_channels=5, width=width).eval()
    maps = encoder(torch.zeros(2, 5, 64, 96))
    sizes = [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert encoder.channels == (width, 4 * width, 8 * width, 16 * width, 32 * width)
    expected = [(2, c, *size) for c, size in zip(encoder.channels, sizes, strict=True)]
    assert [tuple(map_.shape) for map_ in maps] == expected


def test_channels_at_full_width() -> None:
    with torch.device("meta"):
        encoder = ResNeXtEncoder()
    assert encoder.channels == (64, 256, 512, 1024, 2048)
    assert encoder.layer1[0].conv2.weight.shape == (128, 4, 3, 3)
    assert encoder.layer4[2].conv2.weight.shape == (1024, 32, 3, 3)


@pytest.mark.parametrize(("planes", "groups"), [(64, 32), (16, 32), (8, 16), (4, 8), (24, 16)])
def test_groups(planes: int, groups: int) -> None:
    assert ResNeXtBottleneck(planes, planes).conv2.groups == groups


@torch.no_grad()
def test_bottleneck_by_its_definition() -> None:
    torch.manual_seed(0)
    block = ResNeXtBottleneck(64, 16, stride=1).double().eval()
    x = torch.randn(1, 64, 6, 5, dtype=torch.double)
    # Groups are a dense convolution with zeros between them; batch norm is at its start, 1 / sqrt(1 + eps).
    weight = torch.zeros(32, 32, 3, 3, dtype=torch.double)
    weight[range(32), range(32)] = block.conv2.weight[:, 0]  # 32 groups of one channel
    scale = (1 + 1e-5) ** -0.5
    y = (F.conv2d(x, block.conv1.weight) * scale).relu()
    y = (F.conv2d(y, weight, padding=1) * scale).relu()
    torch.testing.assert_close(block(x.clone()), (F.conv2d(y, block.conv3.weight) * scale + x).relu())


def test_names_are_torchvisions() -> None:
    with torch.device("meta"):
        names = set(ResNeXtEncoder("resnext101_32x4d").state_dict())
    own = {"conv1.weight", "bn1.running_var", "layer3.22.conv3.weight", "layer2.0.downsample.1.bias"}
    assert own < names
    assert not {"fc.weight", "conv1.bias", "layer1.0.conv2.bias"} & names
    assert {name for name in names if "downsample.0" in name} == {
        f"layer{stage}.0.downsample.0.weight" for stage in (1, 2, 3, 4)
    }


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="backbone is 'resnet50'\nUse one of 'resnext50_32x4d'"):
        ResNeXtEncoder("resnet50")
    with pytest.raises(InputError, match="width is 0"):
        ResNeXtEncoder(width=0)
    with pytest.raises(InputError, match="in_channels is 0"):
        ResNeXtEncoder(in_channels=0)
