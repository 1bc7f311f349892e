# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.networks.blocks import Convolution
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tomobundles.networks import GridUNet
from tomobundles.networks.any_size import pad_by_edge
from tomobundles.utils import InputError

CHANNELS = (4, 6, 8, 10, 12)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# By hand. A 3x3 convolution a -> b has 9ab + b parameters, batch norm 2b, the transposed 4x4 one 16ab + b.
# Encoder stage a -> b: 9ab + 9bb + 6b: 2,832 + 14,016 + 55,680 + 221,952 + 886,272 = 1,180,752.
# Node of a U-Net, d -> w with one skip: (16dw + w) + (18ww + w) + (9ww + w) = 16dw + 27ww + 3w; with d = 2w
#   59ww + 3w: 967,040 + 241,856 + 60,512 + 15,152 = 1,284,560. Each further skip of UNet++ adds 9ww.
# Presence head 256 * 3 + 3 = 771. Classifier 16 * 4 + 4 = 68.
# U-Net:   1,180,752 + 1,284,560 + 771 + 68 = 2,466,151
# UNet++:  column 2: 59ww + 3w + 9ww for w = 16, 32, 64: 17,456 + 69,728 + 278,720 = 365,904;
#          column 3: 19,760 + 78,944 = 98,704; column 4: 22,064.
#          2,466,151 - 68 + 365,904 + 98,704 + 22,064 + 4 * 68 = 2,953,027
# Dilated: four 3x3 convolutions 256 -> 256 with batch norm: 4 * (590,080 + 512) = 2,362,368 -> 5,315,395
@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"nested": False}, 2_466_151),
        ({}, 2_953_027),
        ({"dilations": [1, 2, 4, 8]}, 5_315_395),
        ({"deep_supervision": False}, 2_953_027 - 3 * 68),
        ({"nested": False, "deep_supervision": False}, 2_466_151),
        ({"presence_classes": 0}, 2_953_027 - 771),
        ({"presence_classes": 1}, 2_953_027 - 2 * 257),
        ({"in_channels": 5}, 2_953_027 + 2 * 9 * 16),
    ],
)
def test_parameters(options: dict, count: int) -> None:
    assert parameters(GridUNet(**options)) == count


# RF = RF + (k - 1) * strides before it. Two 3x3 convolutions at stride 1: 1 + 2 + 2 = 5; pool 2x2: 6, and two
# convolutions at stride 2: 6 + 4 + 4 = 14; then 16 + 16 = 32, 36 + 32 = 68, 76 + 64 = 140. Dilations at
# stride 16: 140 + 2 * 16 * (1 + 2 + 4) = 364, and 364 + 2 * 16 * 8 = 620.
@pytest.mark.parametrize(
    ("level", "dilations", "expected"),
    [
        (0, (), 5),
        (1, (), 14),
        (2, (), 32),
        (3, (), 68),
        (4, (), 140),
        (4, (1, 2, 4), 364),
        (4, (1, 2, 4, 8), 620),
    ],
)
def test_receptive_field(level: int, dilations: tuple[int, ...], expected: int) -> None:
    network = GridUNet(in_channels=1, channels=(1,) * 5, dilations=dilations).eval().double()
    network.pool = nn.AvgPool2d(2)  # passes a gradient to all that a max-pool may choose from
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)  # positive, so that no ReLU blocks and nothing cancels
    image = torch.ones(1, 1, 704, 704, dtype=torch.float64, requires_grad=True)
    features = network._encode(image)[level][0, 0]
    middle = features.shape[0] // 2
    features[middle, middle].backward()
    rows, columns = image.grad[0, 0].nonzero(as_tuple=True)
    assert rows.max() - rows.min() + 1 == expected
    assert columns.max() - columns.min() + 1 == expected


def test_no_padding_when_divisible() -> None:
    network = GridUNet(channels=CHANNELS)
    image = torch.randn(1, 3, 32, 48)
    assert pad_by_edge(image, 2**network.depth) is image


def test_padding_repeats_the_edge_and_is_cropped() -> None:
    network = GridUNet(channels=CHANNELS).eval()
    image = torch.randn(1, 3, 30, 45)
    # 30 -> 32 and 45 -> 48, at the lower and the right edge
    by_hand = network(F.pad(image, (0, 3, 0, 2), mode="replicate"))
    output = network(image)
    assert torch.equal(output["segmentation"], by_hand["segmentation"][..., :30, :45])
    assert torch.equal(output["presence"], by_hand["presence"])


def test_multiple_follows_the_levels() -> None:
    # Two levels are one pool: 7 pads to 8, not to 16.
    network = GridUNet(channels=(4, 8)).eval()
    seen = []
    network.encoder[0].register_forward_hook(lambda _, given, __: seen.append(given[0].shape))
    network(torch.zeros(1, 3, 7, 8))
    assert seen == [(1, 3, 8, 8)]


def test_deep_supervision_averages_the_logits() -> None:
    # Classifiers with zero weights and biases 1, 2, 3, 6 average to 3 everywhere.
    network = GridUNet(channels=CHANNELS).eval()
    for head, bias in zip(network.heads, (1.0, 2.0, 3.0, 6.0), strict=True):
        nn.init.zeros_(head.weight)
        nn.init.constant_(head.bias, bias)
    torch.testing.assert_close(
        network(torch.randn(1, 3, 16, 16))["segmentation"], torch.full((1, 4, 16, 16), 3.0)
    )


def test_only_the_last_node_without_deep_supervision() -> None:
    network = GridUNet(channels=CHANNELS, deep_supervision=False).eval()
    image = torch.randn(1, 3, 16, 16)
    last = network._decode_nested(network._encode(image))[-1]
    assert torch.equal(network(image)["segmentation"], network.heads[0](last))


def by_hand(network: GridUNet, image: Tensor) -> dict[str, Tensor]:
    """The forward pass written out on the bare weights, for two levels of pooling."""

    def conv(m: nn.Module, x: Tensor) -> Tensor:
        return F.conv2d(x, m.weight, m.bias, padding=m.dilation[0], dilation=m.dilation[0])

    def encode(level: int, x: Tensor) -> Tensor:
        for unit in network.encoder[level][0]:
            x = F.relu(F.batch_norm(conv(unit.conv, x), *norm(unit.adn.N)))
        return x

    def norm(m: nn.Module) -> tuple[Tensor, ...]:
        return m.running_mean, m.running_var, m.weight, m.bias

    def decode(name: str, deep: Tensor, *skips: Tensor) -> Tensor:
        node = network.decoder[name]
        x = F.conv_transpose2d(deep, node.up.conv.weight, node.up.conv.bias, stride=2, padding=1)
        for skip in skips:
            x = torch.cat([x, skip], 1)
        for unit in node.block:
            x = F.relu(conv(unit.conv, x))
        return x

    x00 = encode(0, image)
    x10 = encode(1, F.max_pool2d(x00, 2))
    x20 = encode(2, F.max_pool2d(x10, 2))
    total = layer = x20
    for unit in getattr(network.centre, "layers", []):
        layer = F.relu(F.batch_norm(conv(unit.conv, layer), *norm(unit.adn.N)))
        total = total + layer
    x11 = decode("x1_1", total, x10)
    if network.nested:
        x01 = decode("x0_1", x10, x00)
        last = [x01, decode("x0_2", x11, x00, x01)]
    else:
        last = [decode("x0_2", x11, x00)]
    maps = [F.conv2d(x, h.weight, h.bias) for h, x in zip(network.heads, last, strict=True)]
    head = network.presence.conv
    presence = F.conv2d(total, head.weight, head.bias).flatten(2).max(2).values
    return {"segmentation": sum(maps) / len(maps), "presence": presence}


@pytest.mark.parametrize(
    "options", [{"nested": False}, {}, {"dilations": (1, 2)}, {"nested": False, "dilations": (1, 2, 4)}]
)
def test_forward_by_hand(options: dict) -> None:
    torch.manual_seed(0)
    network = GridUNet(channels=(3, 4, 5), **options)
    network(torch.randn(4, 3, 16, 24))  # gives the batch norms statistics that differ from 0 and 1
    network.eval()
    image = torch.randn(2, 3, 16, 24)
    output, expected = network(image), by_hand(network, image)
    assert output.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(output[key], value)


def test_nodes_of_the_grid() -> None:
    nested = {f"x{i}_{j}" for j in range(1, 5) for i in range(5 - j)}
    assert set(GridUNet(channels=CHANNELS).decoder) == nested
    assert set(GridUNet(channels=CHANNELS, nested=False).decoder) == {"x3_1", "x2_2", "x1_3", "x0_4"}


@pytest.mark.parametrize(("block", "normalised"), [("plain", False), ("dense", False), ("residual", True)])
def test_only_residual_decoders_are_normalised(block: str, normalised: bool) -> None:
    decoder = GridUNet(channels=CHANNELS, block=block).decoder
    assert any(isinstance(m, nn.BatchNorm2d) for m in decoder.modules()) == normalised


def test_layer_counts() -> None:
    # From the study of the original: convolutions without the heads' 1x1 (UNet++: 35 in all, of which
    # four classifiers and one presence head), batch norms, transposed convolutions.
    def count(network: nn.Module, kind: type) -> int:
        return sum(isinstance(m, kind) for m in network.modules())

    for options, expected in (
        ({"nested": False}, (20, 10, 4)),
        ({}, (35, 10, 10)),
        ({"dilations": (1, 2, 4, 8)}, (39, 14, 10)),
    ):
        network = GridUNet(channels=CHANNELS, **options)
        kinds = (nn.Conv2d, nn.BatchNorm2d, nn.ConvTranspose2d)
        assert tuple(count(network, kind) for kind in kinds) == expected
    ups = [m for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert {(m.kernel_size, m.stride, m.padding, m.output_padding) for m in ups} == {
        ((4, 4), (2, 2), (1, 1), (0, 0))
    }
    assert any(isinstance(m, Convolution) for m in network.modules())


def test_initialisation() -> None:
    torch.manual_seed(0)
    network = GridUNet()
    # Kaiming-normal: deviation sqrt(2 / fan-in). Encoder 3x3 from 256: fan-in 256 * 9.
    weight = network.encoder[4][0][1].conv.weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)
    # torch counts the fan-in of a transposed convolution by its outputs: 128 * 16.
    weight = network.decoder["x3_1"].up.conv.weight
    assert weight.std().item() == pytest.approx((2 / (128 * 16)) ** 0.5, rel=0.01)
    norms = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    assert norms.mean().item() == pytest.approx(1, abs=0.005)
    assert norms.std().item() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("block", ["plain", "residual", "dense"])
@pytest.mark.parametrize("attention", [None, "scse"])
def test_logits_start_small(block: str, attention: str | None) -> None:
    # Logits of tens would start the training at a cross entropy of tens.
    torch.manual_seed(0)
    output = GridUNet(block=block, attention=attention)(torch.randn(2, 3, 64, 64))
    assert output["segmentation"].std() < 2


def test_dropout_is_off_in_evaluation() -> None:
    torch.manual_seed(0)
    network = GridUNet(channels=CHANNELS, presence_dropout=0.5)
    image = torch.randn(2, 3, 32, 32)
    assert not torch.equal(network(image)["presence"], network(image)["presence"])
    network.eval()
    assert torch.equal(network(image)["presence"], network(image)["presence"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": (16,)}, r"channels is \[16\]"),
        ({"block": "plane"}, "block is 'plane'\nUse one of 'plain', 'residual', 'dense'"),
        ({"attention": "se"}, "attention is 'se'\nUse one of None, 'scse'"),
        ({"presence_pooling": "mean"}, "presence_pooling is 'mean'\nUse one of 'max', 'avg'"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        GridUNet(**options)
