# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tomobundles.networks import GridUNet, ResizedNetwork, SlicePresenceNet
from tomobundles.networks.resized_network import resize
from tomobundles.utils import InputError


class Echo(nn.Module):
    """Gives its input back as the segmentation, and remembers its size."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        self.size = tuple(image.shape[-2:])
        return {"segmentation": image, "presence": image.mean((2, 3))}


def test_resize_by_hand() -> None:
    # 1, 3 -> 4 pixels: centres at -0.25, 0.25, 0.75, 1.25 of the old ones: 1, 1.5, 2.5, 3
    row = torch.tensor([[[[1.0, 3.0]]]])
    assert torch.equal(resize(row, (1, 4)), torch.tensor([[[[1.0, 1.5, 2.5, 3.0]]]]))
    assert resize(row, [1, 2]) is row


def test_resize_filters_when_it_shrinks() -> None:
    # A checkerboard of 0 and 1 has mean 0.5; plain bilinear at a third of the size would pick single pixels.
    board = (torch.arange(48)[:, None] + torch.arange(48)) % 2 * torch.ones(1, 1, 48, 48)
    assert (resize(board, (16, 16)) - 0.5).abs().max() < 0.06
    plain = nn.functional.interpolate(board, size=(16, 16), mode="bilinear")
    assert (plain - 0.5).abs().max() == 0.5


def test_resize_keeps_bfloat16() -> None:
    maps = torch.rand(1, 1, 8, 8)
    half = resize(maps.bfloat16(), (4, 4))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), resize(maps, (4, 4)), rtol=0, atol=0.01)


def test_network_sees_the_size_and_maps_come_back() -> None:
    network = ResizedNetwork(Echo(), size=[8, 12])
    ramp = torch.linspace(0, 1, 33)[:, None].expand(2, 1, 33, 47).contiguous()
    output = network(ramp)
    assert network.network.size == (8, 12)
    assert output["segmentation"].shape == ramp.shape
    # A ramp survives but for the edges, where half a coarse pixel (1 / 16) is flat.
    torch.testing.assert_close(output["segmentation"], ramp, rtol=0, atol=1 / 16)
    torch.testing.assert_close(output["presence"], torch.full((2, 1), 0.5))


def test_none_passes_through() -> None:
    network = GridUNet(channels=(4, 8)).eval()
    image = torch.randn(1, 3, 9, 10)
    expected, actual = network(image), ResizedNetwork(network, size=None)(image)
    assert all(torch.equal(actual[key], value) for key, value in expected.items())


def test_presence_alone() -> None:
    network = ResizedNetwork(SlicePresenceNet(input_size=None), size=(32, 32)).eval()
    assert network(torch.randn(1, 3, 40, 50)).keys() == {"presence"}


@pytest.mark.parametrize("size", [(0, 8), (8,), (8, 8, 8), 8, (8.0, 8), "88"])
def test_bad_size(size: object) -> None:
    with pytest.raises(InputError, match=r"size is .*\nGive \[height, width\] in pixels"):
        ResizedNetwork(Echo(), size=size)
