# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from monai.losses import DiceLoss
from torch import Tensor, nn

from tomobundles.losses import ExponentialLogarithmicDice, SoftDice
from tomobundles.losses.dice import batch_dice
from tomobundles.utils import InputError

LOSSES = [SoftDice(), ExponentialLogarithmicDice(), ExponentialLogarithmicDice(gamma=2.0)]

# Four pixels in two slices, three classes. True classes 0, 1 | 1, 0; class 2 is absent.
# p of class 1: 0.2, 0.6 | 0.5, 0.3; p of class 2: 0.1 everywhere.
# D_1 = 2 * (0.6 + 0.5) / (0.2 + 0.6 + 0.5 + 0.3 + 2) = 2.2 / 3.6
CLASS_1 = torch.tensor([[0.2, 0.6], [0.5, 0.3]])
LABEL = torch.tensor([[0, 1], [1, 0]], dtype=torch.uint8).view(2, 1, 1, 2)


def prediction(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    probability = torch.stack([0.9 - CLASS_1, CLASS_1, torch.full((2, 2), 0.1)], dim=1)
    return {"segmentation": probability.log().view(2, 3, 1, 2).to(dtype)}


def sure(label: Tensor, logit: float = 200.0, classes: int = 4) -> Tensor:
    """Logits that are certain of a label."""
    one_hot = nn.functional.one_hot(label[:, 0].long(), classes).movedim(-1, 1).float()
    return ((2 * one_hot - 1) * logit).requires_grad_()


def test_batch_dice_by_hand() -> None:
    dice, present = batch_dice(prediction()["segmentation"], LABEL[:, 0].long())
    torch.testing.assert_close(dice, torch.tensor([2.2 / 3.6, 0.0]))
    assert present.tolist() == [True, False]


def test_soft_dice_by_hand() -> None:
    # The absent class adds nothing, but divides.
    assert SoftDice()(prediction(), LABEL).item() == pytest.approx((1 - 2.2 / 3.6) / 2)


@pytest.mark.parametrize("gamma", [0.5, 0.3, 1.0, 2.0])
def test_exponential_logarithmic_dice_by_hand(gamma: float) -> None:
    expected = (-math.log(2.2 / 3.6)) ** gamma / 2
    loss = ExponentialLogarithmicDice(gamma)(prediction(), LABEL)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_ignored_pixels_are_in_no_sum() -> None:
    # Without the last pixel (p = 0.3, background): D_1 = 2.2 / (0.2 + 0.6 + 0.5 + 2) = 2.2 / 3.3
    label = LABEL.clone()
    label[1, 0, 0, 1] = 255
    assert SoftDice()(prediction(), label).item() == pytest.approx((1 - 2.2 / 3.3) / 2)
    label[1, 0, 0, 1] = 9
    assert SoftDice(ignore_label=9)(prediction(), label).item() == pytest.approx((1 - 2.2 / 3.3) / 2)
    elogdice = ExponentialLogarithmicDice(1.0, ignore_label=9)
    assert elogdice(prediction(), label).item() == pytest.approx(-math.log(2.2 / 3.3) / 2)


def test_agrees_with_monai_where_all_classes_are_present() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 9, 9, generator=generator)
    label = torch.randint(0, 4, (2, 1, 9, 9), generator=generator)
    monai = DiceLoss(
        include_background=False, to_onehot_y=True, softmax=True, batch=True, smooth_nr=0, smooth_dr=0
    )
    torch.testing.assert_close(SoftDice()({"segmentation": logits}, label), monai(logits, label))


def test_absent_class_has_no_gradient() -> None:
    # Class 1 alone occurs, so the loss is (1 - D_1) / 3 and its gradient that of D_1 alone.
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(2, 4, 5, 5, generator=generator, requires_grad=True)
    by_hand = ours.detach().clone().requires_grad_()
    label = torch.randint(0, 2, (2, 1, 5, 5), generator=generator)
    SoftDice()({"segmentation": ours}, label).backward()
    p = by_hand.softmax(1)[:, 1:2]
    ((1 - 2 * (p * label).sum() / (p.sum() + label.sum())) / 3).backward()
    torch.testing.assert_close(ours.grad, by_hand.grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("case", ["perfect", "wrong", "all absent", "all ignored", "one pixel"])
def test_extremes_are_finite(loss: nn.Module, dtype: torch.dtype, case: str) -> None:
    label = torch.arange(4).repeat(16).view(1, 1, 8, 8)
    if case in ("all absent", "all ignored"):
        label = torch.full_like(label, 0 if case == "all absent" else 255)
    if case == "one pixel":
        label = (torch.arange(64) == 5).long().view(1, 1, 8, 8)
    guess = (label + 1) % 4 if case in ("wrong", "all ignored") else label
    logits = sure(guess).detach().to(dtype).requires_grad_()
    value = loss({"segmentation": logits}, label)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    if case in ("all absent", "all ignored"):
        assert value == 0
        assert not logits.grad.any()
    if case == "wrong":
        assert value >= 1


def test_clamp_bounds() -> None:
    # D = 1 and D = 0 in every class: (-ln(1 - eps))^0.5 and (-ln eps)^0.5
    label = torch.arange(4).repeat(4).view(1, 1, 4, 4)
    loss = ExponentialLogarithmicDice(eps=1e-3)
    perfect = loss({"segmentation": sure(label)}, label).item()
    wrong = loss({"segmentation": sure((label + 1) % 4)}, label).item()
    assert perfect == pytest.approx((-math.log(1 - 1e-3)) ** 0.5, rel=1e-3)
    assert wrong == pytest.approx((-math.log(1e-3)) ** 0.5, rel=1e-5)


def test_tiny_lesion_keeps_its_gradient() -> None:
    # One pixel in 512 x 512, classes equally likely: D = 2 * 0.25 / (0.25 * 262144 + 1) = 7.6e-6. As
    # 1 - (1 - D) it would be off by up to 3e-8 / 7.6e-6 = 0.4 %.
    label = torch.zeros(1, 1, 512, 512, dtype=torch.uint8)
    label[0, 0, 100, 100] = 1
    logits = torch.zeros(1, 4, 512, 512, requires_grad=True)
    loss = ExponentialLogarithmicDice(1.0)({"segmentation": logits}, label)
    assert loss.item() == pytest.approx(-math.log(0.5 / (0.25 * 512**2 + 1)) / 3, rel=1e-6)
    loss.backward()
    assert logits.grad[0, 1, 100, 100] < 0


@pytest.mark.parametrize("gamma", [0, -1, float("nan"), float("inf")])
def test_bad_gamma(gamma: float) -> None:
    with pytest.raises(InputError, match="gamma is"):
        ExponentialLogarithmicDice(gamma)


@pytest.mark.parametrize("eps", [0, 1e-9, 0.5, float("nan")])
def test_bad_eps(eps: float) -> None:
    with pytest.raises(InputError, match="eps is"):
        ExponentialLogarithmicDice(eps=eps)
