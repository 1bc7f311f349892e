# SPDX-License-Identifier: Apache-2.0
"""The second stage's network."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tomobundles.networks import NoduleClassifier
from tomobundles.networks.nodule_classifier import _inner_half
from tomobundles.utils import InputError

TINY = {"size": 16, "channels": [2, 3, 4, 5]}


# By hand, k^3 ab + 3b for a convolution a -> b with batch norm: 1 -> 16: 480. A block a -> b: 27ab + 27bb
# + ab + 9b: 28 * 512 + 27 * 1024 + 288 = 42,272; 168,512; 672,896. Last layer 129. Zoom: 27 * 16 more.
@pytest.mark.parametrize(
    ("zoom", "count"), [(False, 480 + 42_272 + 168_512 + 672_896 + 129), (True, 884_289 + 432)]
)
def test_parameters(zoom: bool, count: int) -> None:
    assert sum(p.numel() for p in NoduleClassifier(zoom=zoom).parameters()) == count


def test_operations_a_crop() -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        NoduleClassifier().eval()(torch.zeros(1, 1, 32, 32, 32))
    assert counter.get_total_flops() / 1e9 == pytest.approx(0.63, abs=0.005)


@pytest.mark.parametrize("zoom", [False, True])
def test_one_logit_a_crop(zoom: bool) -> None:
    torch.manual_seed(0)
    network = NoduleClassifier(**TINY, zoom=zoom).eval()
    crops = torch.randn(3, 1, 16, 16, 16)
    logits = network(crops)
    assert logits.shape == (3, 1)
    torch.testing.assert_close(network(crops[1:2]), logits[1:2])
    plain = network(MetaTensor(crops))
    assert type(plain) is Tensor
    assert torch.equal(plain, logits)


def test_inner_half_is_the_middle_twice_as_large() -> None:
    crops = torch.zeros(1, 1, 16, 16, 16)
    crops[..., 4:12, 4:12, 4:12] = 1
    assert _inner_half(crops).eq(1).all()
    crops[..., :4, :, :] = 9  # outside: not seen
    assert _inner_half(crops).eq(1).all()


def test_it_learns_with_the_usual_loss() -> None:
    torch.manual_seed(0)
    network = NoduleClassifier(**TINY, dropout=0.0).train()
    label = torch.tensor([[0.0], [1.0]] * 4)
    crops = 0.3 * torch.randn(8, 1, 16, 16, 16)
    crops[:, :, 6:10, 6:10, 6:10] += label.view(8, 1, 1, 1, 1)
    loss, optimizer = torch.nn.BCEWithLogitsLoss(), torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(20):
        optimizer.zero_grad()
        value = loss(network(crops), label)
        value.backward()
        optimizer.step()
    assert value.item() < 0.2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": 20}, "size is 20"),
        ({"size": 0}, "size is 0"),
        ({"channels": [1, 2]}, "channels is"),
    ],
)
def test_refuses_options(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        NoduleClassifier(**options)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((1, 1, 16, 16), "shape"),
        ((1, 2, 16, 16, 16), "1 channel"),
        ((1, 1, 16, 16, 20), "multiples of 16"),
        ((1, 1, 16, 16, 32), "Give 16 an axis"),
    ],
)
def test_refuses_other_crops(shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(InputError, match=text):
        NoduleClassifier(**TINY)(torch.zeros(shape))
