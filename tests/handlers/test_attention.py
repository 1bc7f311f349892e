# SPDX-License-Identifier: Apache-2.0
"""Where a network with attention gates looks in a slice."""

import numpy as np
import pytest
import torch
from torch import nn

from tomobundles.data.volumes import ArrayVolume
from tomobundles.handlers.attention import attention_of_slice, best_window, has_attention
from tomobundles.networks import AttentionUNet, RepeatedGray


class _Gates(nn.Module):
    """Gives its input's mean over each 2 x 2 pixels, and each pixel of its first and last slice, as maps."""

    def __init__(self, divisor=8):
        super().__init__()
        self.divisor = divisor
        self.weight = nn.Parameter(torch.ones(1))
        self.seen = None

    def forward(self, image, *, attention=False):
        self.seen = (image.shape, self.training)
        coarse = nn.functional.avg_pool2d(image[:, 1:2], 2)
        return {"logits": image[:, :1], "attention": [coarse, image[:, :1], image[:, -1:]]}


def _grays(shape=(5, 10, 12)):
    return ArrayVolume(np.random.default_rng(0).random(shape, dtype=np.float32))


def test_networks_with_and_without_gates():
    assert has_attention(AttentionUNet(in_channels=3, width=2))
    assert has_attention(RepeatedGray(AttentionUNet(in_channels=3, width=2)))
    assert not has_attention(RepeatedGray(nn.Conv2d(3, 1, 1)))
    assert not has_attention(nn.Conv2d(3, 1, 1))


def test_maps_are_those_of_the_slice_without_its_padding():
    """10 x 12 pixels are padded to 16 x 16: of the coarse 8 x 8, 5 x 6 lie in the slice."""
    grays, network = _grays(), _Gates().train()
    coarse, before, after = attention_of_slice(network, grays, 2, num_slices=3)
    assert network.seen == (torch.Size([1, 3, 16, 16]), False)
    assert network.training
    pooled = grays.array[2].reshape(5, 2, 6, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(coarse, pooled, rtol=1e-6)
    np.testing.assert_array_equal(before, grays.array[1])
    np.testing.assert_array_equal(after, grays.array[3])


@pytest.mark.parametrize(("index", "neighbours"), [(0, (0, 1)), (4, (3, 4))])
def test_the_first_and_the_last_slice_repeat(index, neighbours):
    grays = _grays()
    _, *found = attention_of_slice(_Gates(), grays, index, num_slices=3)
    for one, neighbour in zip(found, neighbours, strict=True):
        np.testing.assert_array_equal(one, grays.array[neighbour])


def test_a_slice_of_odd_size_whose_coarse_map_ends_in_the_padding():
    """5 x 9 pixels are padded to 8 x 16: a coarse pixel belongs to the slice if any of its pixels does."""
    coarse, *_ = attention_of_slice(_Gates(), _grays((3, 5, 9)), 1, num_slices=3)
    assert coarse.shape == (3, 5)


def test_part_of_a_slice():
    grays, part = _grays(), (slice(1, 9), slice(4, 12))
    network = _Gates()
    _, before, _ = attention_of_slice(network, grays, 2, num_slices=3, part=part)
    np.testing.assert_array_equal(before, grays.array[1][part])
    assert network.seen[0][-2:] == (8, 8)


def test_a_network_of_its_own_size_and_of_one_slice():
    network = RepeatedGray(AttentionUNet(in_channels=3, width=2))
    maps = attention_of_slice(network, _grays((2, 20, 30)), 1, num_slices=1)
    # padded to 32 x 32; gates at an eighth to the whole, of which the slice has so much
    assert [one.shape for one in maps] == [(3, 4), (5, 8), (10, 15), (20, 30)]
    assert all(((one >= 0) & (one <= 1)).all() for one in maps)


def test_all_of_a_slice_that_inference_takes_whole():
    mask = np.zeros((100, 120), bool)
    assert best_window((100, 120), mask) == (slice(0, 100), slice(0, 120))


@pytest.mark.parametrize(
    ("place", "rows", "columns"),
    [
        ((0, 0), slice(0, 1440), slice(0, 1440)),
        ((2999, 2999), slice(1560, 3000), slice(1560, 3000)),
        ((1500, 1000), slice(780, 2220), slice(280, 1720)),  # centred on the voxel's middle
        (None, slice(780, 2220), slice(780, 2220)),
    ],
)
def test_of_a_large_slice_the_part_about_its_vessels(place, rows, columns):
    mask = np.zeros((3000, 3000), bool)
    if place is not None:
        mask[place] = True
    assert best_window(mask.shape, mask) == (rows, columns)


def test_a_mask_on_another_grid():
    mask = np.zeros((300, 300), bool)
    mask[150, 100] = True  # lies at 1005, 1505 of 3000
    assert best_window((3000, 3000), mask) == (slice(785, 2225), slice(285, 1725))
