# SPDX-License-Identifier: Apache-2.0
"""What all vessel losses have in common, and what of the label they look at."""

from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import Tensor

from tomobundles.losses import (
    BoundaryDoU,
    MultiTaskLoss,
    VesselBCE,
    VesselDice,
    VesselFocal,
    VesselSurfaceLoss,
    VesselTerm,
    split_label,
)
from tomobundles.losses.vessel_label import weighted_mean
from tomobundles.utils import InputError

LOSSES = {
    "dice": VesselDice(),
    "dice_per_sample": VesselDice(per_sample=True),
    "bce": VesselBCE(),
    "bce_weighted": VesselBCE(pos_weight=5.0),
    "focal": VesselFocal(),
    "focal_plain": VesselFocal(alpha=None, gamma=0.5),
    "dou": BoundaryDoU(),
    "surface": VesselSurfaceLoss(),
    "surface_per_sample": VesselSurfaceLoss(per_sample=True),
    "surface_target": VesselSurfaceLoss(neighbours="target"),
    "surface_winners": VesselSurfaceLoss(false_area=0),
}
BOTH = pytest.mark.parametrize("channels", [1, 3])


@pytest.fixture(params=LOSSES.values(), ids=LOSSES.keys())
def loss(request: pytest.FixtureRequest) -> VesselTerm:
    return request.param


def random(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def tube(radius: float = 3.0, *, shift: int = 0, size: int = 24, batch: int = 1) -> Tensor:
    """A straight vessel through three slices, ``(batch, 3, size, size)``."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size) - shift, indexing="ij")
    disc = (y - size / 2) ** 2 + (x - size / 2) ** 2 <= radius**2
    return disc.double().expand(batch, 3, size, size).clone()


def label_of(target: Tensor, weight: Tensor | None = None) -> Tensor:
    return torch.cat([target, torch.ones_like(target) if weight is None else weight], dim=1)


def sure(target: Tensor, channels: int, logit: float = 60.0) -> Tensor:
    return (2 * split_label(label_of(target), channels)[0] - 1) * logit


def test_split_label() -> None:
    label = torch.arange(6.0).view(1, 6, 1, 1)
    target, weight = split_label(label, 1)
    assert (target.item(), weight.item()) == (1, 4)
    target, weight = split_label(label, 3)
    assert (target.flatten().tolist(), weight.flatten().tolist()) == ([0, 1, 2], [3, 4, 5])


def test_weighted_mean_by_hand() -> None:
    # (1 * 3 + 5 * 1) / 4
    assert weighted_mean(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 1.0])).item() == 2
    assert weighted_mean(torch.tensor([1.0, 5.0]), torch.zeros(2)).item() == 0


@BOTH
def test_perfect_prediction_costs_nothing(loss: VesselTerm, channels: int) -> None:
    for target in (tube(batch=2), torch.zeros(2, 3, 8, 8).double(), torch.ones(2, 3, 8, 8).double()):
        assert abs(loss(sure(target, channels), label_of(target)).item()) < 1e-6


@BOTH
def test_wrong_predictions_cost_more(loss: VesselTerm, channels: int) -> None:
    target = tube()
    right = loss(sure(target, channels, logit=3), label_of(target))
    unsure = loss(sure(target, channels, logit=0), label_of(target))
    wrong = loss(sure(1 - target, channels, logit=3), label_of(target))
    assert 0 <= right < min(unsure, wrong)
    # An inverted prediction has the right surface.
    assert isinstance(loss, VesselSurfaceLoss) or unsure < wrong


@BOTH
def test_gradient(loss: VesselTerm, channels: int) -> None:
    logits = random((2, channels, 4, 5)).requires_grad_()
    label = label_of((random((2, 3, 4, 5), 1) > 0.3).double(), random((2, 3, 4, 5), 2).abs())
    assert torch.autograd.gradcheck(lambda z: loss(z, label), (logits,))


@BOTH
def test_ignored_voxels_have_no_say(loss: VesselTerm, channels: int) -> None:
    weight = torch.ones(1, 3, 24, 24).double()
    weight[..., :9] = 0
    label = label_of(tube(), weight)
    logits = random((1, channels, 24, 24)).requires_grad_()
    value = loss(logits, label)
    value.backward()
    assert not logits.grad[..., :9].any()
    assert logits.grad[..., 10:].any()
    other = logits.detach().clone()
    other[..., :9] = 30
    torch.testing.assert_close(loss(other, label), value.detach())


@BOTH
def test_all_ignored(loss: VesselTerm, channels: int) -> None:
    logits = random((2, channels, 6, 6)).requires_grad_()
    value = loss(logits, label_of(torch.zeros(2, 3, 6, 6).double(), torch.zeros(2, 3, 6, 6).double()))
    value.backward()
    assert value.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("logit", [-1e4, -200.0, 200.0, 1e4])
def test_extreme_logits(loss: VesselTerm, logit: float) -> None:
    logits = torch.full((1, 3, 24, 24), logit, requires_grad=True)
    value = loss(logits, label_of(tube()))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@BOTH
def test_kinds_of_numbers(loss: VesselTerm, channels: int) -> None:
    logits, label = random((2, channels, 6, 6)).float(), label_of(tube(size=6, batch=2))
    expected = loss(logits, label.float())
    assert expected.shape == ()
    assert expected.dtype == torch.float32
    assert loss(logits, label.to(torch.uint8)) == expected
    assert loss(logits.double(), label).dtype == torch.double
    meta = loss(MetaTensor(logits), MetaTensor(label.float()))
    assert type(meta) is Tensor
    assert meta == expected
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(logits, label) == expected
        assert loss(logits.bfloat16(), label).dtype == torch.float32


def test_three_channels_are_what_one_sees_plus_the_neighbours() -> None:
    target = torch.cat([torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)], dim=1)
    one, three = torch.full((1, 1, 4, 4), -60.0), torch.full((1, 3, 4, 4), -60.0)
    for name in ("dice", "bce", "focal", "dou"):
        assert LOSSES[name](one, label_of(target)).item() == pytest.approx(0, abs=1e-6)
        assert LOSSES[name](three, label_of(target)).item() > 0.5


def test_summed_by_config() -> None:
    names = ("VesselDice", "VesselBCE", "VesselFocal", "BoundaryDoU", "VesselSurfaceLoss")
    config = {
        "_target_": "tomobundles.losses.MultiTaskLoss",
        "terms": {name: {"_target_": f"tomobundles.losses.{name}"} for name in names},
        "weights": {"VesselFocal": 10},
    }
    loss = ConfigParser({"loss": config}).get_parsed_content("loss")
    assert isinstance(loss, MultiTaskLoss)
    logits = random((2, 1, 8, 8)).float().requires_grad_()
    label = label_of(tube(size=8, batch=2)).float()
    total = loss(logits, label)
    total.backward()
    by_hand = sum(
        w * term(logits, label)
        for w, term in (
            (1, VesselDice()),
            (1, VesselBCE()),
            (10, VesselFocal()),
            (1, BoundaryDoU()),
            (1, VesselSurfaceLoss()),
        )
    )
    torch.testing.assert_close(total, by_hand)
    assert list(loss.terms) == list(names)
    assert logits.grad.any()
    with pytest.raises(InputError, match="loss term 'VesselDice': label of shape"):
        loss(logits, label[:, :3])


@pytest.mark.parametrize("shape", [(2, 2, 8, 8), (2, 8, 8), (2, 1, 8, 9), (1, 1, 8, 8)])
def test_shapes_that_do_not_fit(loss: VesselTerm, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"label of shape .* for logits of shape") as error:
        loss(torch.zeros(shape), torch.zeros(2, 6, 8, 8))
    assert str(shape) in str(error.value)


def test_label_without_weights(loss: VesselTerm) -> None:
    with pytest.raises(InputError, match=r"label of shape \(2, 3, 8, 8\)"):
        loss(torch.zeros(2, 1, 8, 8), torch.zeros(2, 3, 8, 8))


def test_a_dictionary_is_no_logits(loss: VesselTerm) -> None:
    with pytest.raises(InputError, match="needs logits from the network, which gives a dict"):
        loss({"logits": torch.zeros(2, 1, 8, 8)}, torch.zeros(2, 6, 8, 8))
