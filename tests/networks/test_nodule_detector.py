# SPDX-License-Identifier: Apache-2.0
"""The nodule detector: counts, shapes, what it sees, its two halves."""

from __future__ import annotations

import copy

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tomobundles.networks import NoduleDetector
from tomobundles.utils import InputError

SMALL = {
    "channels": [16, 24, 48, 64, 64],
    "decoder_channels": [64, 48],
    "encoder_blocks": [2, 2, 2, 2],
    "decoder_blocks": [2, 2],
    "stem": "strided",
}
TINY = {
    "channels": [2, 3, 4, 5, 6],
    "decoder_channels": [5, 4],
    "encoder_blocks": [1, 1, 1, 1],
    "decoder_blocks": [1, 1],
    "head_channels": 4,
}


def tiny(**options: object) -> NoduleDetector:
    torch.manual_seed(0)
    return NoduleDetector(**(TINY | options)).eval()


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# By hand. A k^3 convolution a -> b with batch norm has k^3 ab + 3b parameters (c3, c1), the transposed one
# 8ab + 3b (up). A block a -> b: c3(a, b) + c3(b, b), and c1(a, b) where a != b.
#   stem        c3(1, 24) 720 + c3(24, 24) 15,624                                      16,344
#   1/2         (24 -> 32) 20,832 + 27,744 + 864, (32 -> 32) 55,488                    104,928
#   1/4         (32 -> 64) 55,488 + 110,784 + 2,240, (64 -> 64) 221,568                390,080
#   1/8, 1/16   six blocks (64 -> 64)                                                1,329,408
#   up, 1/8     32,960; (128 -> 64) 221,376 + 110,784 + 8,384, two of 221,568          816,640
#   up, 1/4     32,960; (131 -> 128) 453,120 + 442,752 + 17,152, two of 885,504      2,716,992
#   head        128 * 64 + 64 = 8,256; 64 * 15 + 15 = 975                                9,231
def by_hand(c: list[int], d: list[int], n: list[int], m: list[int], *, stem: int) -> int:
    def conv(a: int, b: int, k: int = 27) -> int:
        return k * a * b + 3 * b

    def stage(a: int, b: int, blocks: int) -> int:
        first = conv(a, b) + conv(b, b) + (conv(a, b, 1) if a != b else 0)
        return first + (blocks - 1) * 2 * conv(b, b)

    up = (min(c[4], d[0]), min(d[0], d[1]))
    return (
        conv(1, c[0], stem)
        + conv(c[0], c[0])
        + sum(stage(c[i], c[i + 1], n[i]) for i in range(4))
        + conv(c[4], up[0], 8)
        + stage(up[0] + c[3], d[0], m[0])
        + conv(d[0], up[1], 8)
        + stage(up[1] + c[2] + 3, d[1], m[1])
        + (d[1] * 64 + 64)
        + (64 * 15 + 15)
    )


def test_parameters() -> None:
    full = by_hand([24, 32, 64, 64, 64], [64, 128], [2, 2, 3, 3], [3, 3], stem=27)
    assert parameters(NoduleDetector()) == full == 5_383_623
    small = by_hand([16, 24, 48, 64, 64], [64, 48], [2, 2, 2, 2], [2, 2], stem=125)
    assert parameters(NoduleDetector(**SMALL)) == small == 2_092_567


def test_options_change_the_count_by_hand() -> None:
    # A fourth and fifth anchor: 10 channels of 64 weights and a bias. No coordinates: the first block at 1/4
    # keeps its 128 channels, so its first convolution is smaller and its shortcut is none.
    assert parameters(NoduleDetector(num_anchors=5)) == 5_383_623 + 10 * 65
    assert parameters(NoduleDetector(coordinates=False)) == 5_383_623 - 27 * 3 * 128 - 17_152
    # Stride 2: up 128 -> 32, a block 64 -> 32, and a head of 32 channels instead of 128.
    more = (8 * 128 * 32 + 96) + (27 * 64 * 32 + 96) + (27 * 32 * 32 + 96) + (64 * 32 + 96) - 96 * 64
    assert parameters(NoduleDetector(stride=2)) == 5_383_623 + more


def test_layers() -> None:
    network = NoduleDetector()
    assert sum(isinstance(m, nn.Conv3d) for m in network.modules()) == 40
    assert sum(isinstance(m, nn.ConvTranspose3d) for m in network.modules()) == 2


@pytest.mark.parametrize(("options", "kilo"), [({}, 160.9), (SMALL, 37.7)])
def test_operations_a_voxel(options: dict, kilo: float) -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        NoduleDetector(**options).eval()(torch.zeros(1, 1, 96, 96, 96))
    assert counter.get_total_flops() / 96**3 / 1000 == pytest.approx(kilo, abs=0.05)


@pytest.mark.parametrize("stem", ["full", "strided"])
@pytest.mark.parametrize("stride", [4, 2])
def test_shapes(stem: str, stride: int) -> None:
    network = tiny(stem=stem, stride=stride, num_anchors=2)
    output = network(torch.randn(2, 1, 16, 32, 48), torch.zeros(2, 6))
    assert output.shape == (2, 10, 16 // stride, 32 // stride, 48 // stride)
    assert output.dtype == torch.float32
    assert network.total_stride == 16


def test_every_sphere_starts_rare() -> None:
    torch.manual_seed(0)
    output = NoduleDetector(**(TINY | {"head_channels": 64})).eval()(torch.randn(1, 1, 32, 32, 32))
    logits = output.unflatten(1, (3, 5))[:, :, 0]
    assert torch.sigmoid(logits).mean().item() == pytest.approx(0.01, abs=0.005)
    assert output.unflatten(1, (3, 5))[:, :, 1:].abs().mean() < 0.5


def test_no_box_is_the_whole_box() -> None:
    network, image = tiny(), torch.randn(1, 1, 16, 16, 32)
    whole = torch.tensor([[-0.5, -0.5, -0.5, 0.5, 0.5, 0.5]])
    assert torch.equal(network(image), network(image, whole))
    assert not torch.equal(network(image), network(image, whole / 2))


def test_without_coordinates_the_box_does_not_matter() -> None:
    network, image = tiny(coordinates=False), torch.randn(1, 1, 16, 16, 16)
    assert torch.equal(network(image), network(image, torch.ones(1, 6)))


def test_meta_tensors_come_out_plain() -> None:
    network, image = tiny(), torch.randn(1, 1, 16, 16, 16)
    output = network(MetaTensor(image))
    assert type(output) is Tensor
    assert torch.equal(output, network(image))


# What the map of `fine` sees beyond its cell: two 3^3 convolutions 2 voxels, the strided stem's 2 + 2 (of
# which one is not needed on the high side), each of a block's two convolutions at half resolution 2.
@pytest.mark.parametrize(
    ("stem", "blocks", "margin"), [("full", 1, 6), ("full", 2, 10), ("strided", 1, 8), ("strided", 2, 12)]
)
@pytest.mark.parametrize("stride", [4, 2])
def test_fine_margin(stem: str, blocks: int, margin: int, stride: int) -> None:
    network = tiny(stem=stem, stride=stride, encoder_blocks=[blocks, 1, 1, 1]).double()
    assert (network.fine_margin, network.fine_stride) == (margin, stride)
    for module in network.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, nn.MaxPool3d):
                setattr(module, name, nn.AvgPool3d(2))  # passes a gradient to all it may choose from
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)  # positive, so that no ReLU blocks and nothing cancels
    image = torch.ones(1, 1, 48, 16, 16, dtype=torch.float64, requires_grad=True)
    (features,) = network.fine(image)
    cell = 24 // stride
    features[0, 0, cell].sum().backward()
    seen = image.grad[0, 0].amax(dim=(1, 2)).nonzero().flatten()
    assert seen.min() == 24 - margin
    assert seen.max() == 24 + stride - 1 + margin - (stem == "strided")


@pytest.mark.parametrize("stem", ["full", "strided"])
@pytest.mark.parametrize("stride", [4, 2])
def test_fine_in_slabs_is_the_same(stem: str, stride: int) -> None:
    network = tiny(stem=stem, stride=stride, encoder_blocks=[2, 1, 1, 1])
    image = torch.randn(1, 1, 64, 16, 16)
    margin = -(-network.fine_margin // stride) * stride
    with torch.no_grad():
        (whole,) = network.fine(image)
        slabs = []
        for start in range(0, 64, 16):
            low, high = max(start - margin, 0), min(start + 16 + margin, 64)
            (part,) = network.fine(image[:, :, low:high])
            slabs.append(part[:, :, (start - low) // stride :][:, :, : 16 // stride])
        joined = torch.cat(slabs, dim=2)
        torch.testing.assert_close(joined, whole, rtol=0, atol=1e-5)
        box = torch.rand(1, 6)
        torch.testing.assert_close(network.coarse((joined,), box), network(image, box), rtol=0, atol=1e-4)


def test_one_voxel_less_of_margin_is_not_the_same() -> None:
    network = tiny(stride=2)  # a margin of 6: with 4 the cells next to the cut differ
    image = torch.randn(1, 1, 32, 16, 16)
    (whole,) = network.fine(image)
    (part,) = network.fine(image[:, :, 12:])
    torch.testing.assert_close(part[:, :, 3:], whole[:, :, 9:])
    assert (part[:, :, 2] - whole[:, :, 8]).abs().max() > 1e-4


@pytest.mark.parametrize("options", [{}, {"stem": "strided", "stride": 2}])
def test_checkpointing_changes_nothing(options: dict) -> None:
    kept, again = (tiny(**options, dropout=0.0, checkpointing=value).train() for value in (False, True))
    image, box = torch.randn(2, 1, 32, 32, 32), torch.rand(2, 6)
    for network in (kept, again):
        network(image, box).square().sum().backward()
    for (name, one), other in zip(kept.named_parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4, msg=name)
    for (name, one), other in zip(kept.named_buffers(), again.buffers(), strict=True):
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(other, one, msg=name)


def test_bfloat16_and_channels_last_agree() -> None:
    network, image, box = tiny(), torch.randn(1, 1, 32, 32, 32), torch.rand(1, 6) - 0.5
    expected = network(image, box)
    last = copy.deepcopy(network).to(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(
        last(image.to(memory_format=torch.channels_last_3d), box), expected, rtol=0, atol=1e-4
    )
    half = copy.deepcopy(network).bfloat16()(image.bfloat16(), box)
    assert half.dtype == torch.bfloat16
    assert (half.float() - expected).abs().max() < 0.05


def test_all_parameters_learn() -> None:
    network = tiny(stride=2).train()
    network(torch.randn(2, 1, 32, 32, 32), torch.rand(2, 6)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"stem": "wide"}, "stem is 'wide'"),
        ({"stride": 3}, "stride is 3"),
        ({"num_anchors": 0}, "num_anchors is 0"),
        ({"channels": [1, 2, 3, 4]}, "channels is"),
        ({"decoder_channels": [64, 0]}, "decoder_channels is"),
        ({"encoder_blocks": [1]}, "encoder_blocks is"),
        ({"decoder_blocks": [3, 3, 3]}, "decoder_blocks is"),
    ],
)
def test_refuses_options(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        NoduleDetector(**options)


def test_refuses_inputs() -> None:
    network = tiny()
    with pytest.raises(InputError, match="multiples of 16"):
        network(torch.zeros(1, 1, 16, 16, 24))
    with pytest.raises(InputError, match="3D network of 1 channel"):
        network(torch.zeros(1, 3, 16, 16, 16))
    with pytest.raises(InputError, match="multiples of 4"):
        network.fine(torch.zeros(1, 1, 16, 16, 18))
    with pytest.raises(InputError, match="box of shape"):
        network(torch.zeros(2, 1, 16, 16, 16), torch.zeros(1, 6))
