# SPDX-License-Identifier: Apache-2.0
"""The asymmetric loss against its formula."""

from __future__ import annotations

import math

import pytest
import torch

from tomobundles.losses import AsymmetricLoss, LabelledBCE
from tomobundles.utils import InputError


def value_and_slope(loss: AsymmetricLoss, logit: float, label: float) -> tuple[float, float]:
    logits = torch.tensor([[logit]], requires_grad=True)
    value = loss({"logits": logits}, torch.tensor([[label]]))
    value.backward()
    return value.item(), logits.grad.item()


def test_by_hand() -> None:
    # z = 0, p = 1/2. Present: (1/2)^1 ln 2. Absent: p_m = 0.45, 0.45^4 * -ln 0.55.
    loss = AsymmetricLoss()
    assert value_and_slope(loss, 0.0, 1.0)[0] == pytest.approx(math.log(2) / 2)
    assert value_and_slope(loss, 0.0, 0.0)[0] == pytest.approx(-(0.45**4) * math.log(0.55))


def test_slope_by_hand() -> None:
    # dp/dz = 1/4 at z = 0. Present: d/dp[-(1-p) ln p] = ln p - (1-p)/p = -ln 2 - 1.
    # Absent: d/dp_m[-p_m^4 ln(1-p_m)] = p_m^4/(1-p_m) - 4 p_m^3 ln(1-p_m).
    loss = AsymmetricLoss()
    assert value_and_slope(loss, 0.0, 1.0)[1] == pytest.approx((-math.log(2) - 1) / 4)
    absent = 0.45**4 / 0.55 - 4 * 0.45**3 * math.log(0.55)
    assert value_and_slope(loss, 0.0, 0.0)[1] == pytest.approx(absent / 4)


def test_a_detached_weight_changes_the_slope_alone() -> None:
    # the powers are constants: present -(1-p)/p / 4, absent p_m^4/(1-p_m) / 4
    loss = AsymmetricLoss(detach_weight=True)
    value, slope = value_and_slope(loss, 0.0, 1.0)
    assert (value, slope) == pytest.approx((math.log(2) / 2, -1 / 4))
    assert value_and_slope(loss, 0.0, 0.0)[1] == pytest.approx(0.45**4 / 0.55 / 4)
    assert torch.is_grad_enabled()


def test_below_the_margin_an_absent_label_costs_nothing() -> None:
    logit = math.log(0.05 / 0.95) - 0.01
    assert value_and_slope(AsymmetricLoss(), logit, 0.0) == (0.0, 0.0)
    assert value_and_slope(AsymmetricLoss(clip=0.0), logit, 0.0)[0] > 0


def test_without_focus_and_margin_it_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(20, 5, generator=generator)
    label = (torch.rand(20, 5, generator=generator) > 0.7).float()
    plain = AsymmetricLoss(gamma_pos=0, gamma_neg=0, clip=0)
    assert plain({"logits": logits}, label).item() == pytest.approx(
        LabelledBCE()({"logits": logits}, label).item(), rel=1e-6
    )


@pytest.mark.parametrize("settings", [(1, 4, 0.05), (0, 2, 0.01), (0.5, 0.5, 0.05), (2, 2, 0), (0.5, 0.5, 0)])
def test_extreme_logits(settings: tuple[float, float, float]) -> None:
    loss = AsymmetricLoss(gamma_pos=settings[0], gamma_neg=settings[1], clip=settings[2])
    for logit in (-1e4, -50.0, 50.0, 1e4):
        for label in (0.0, 1.0):
            value, slope = value_and_slope(loss, logit, label)
            assert math.isfinite(value)
            assert math.isfinite(slope)
            assert value >= 0
    # a present label at z = -50 costs 50, whatever the focus: (1-p) = 1 to 22 digits
    assert value_and_slope(loss, -50.0, 1.0) == pytest.approx((50.0, -1.0))


def test_a_certain_false_alarm_is_bounded_by_the_margin() -> None:
    # p = 1, p_m = 0.95: 0.95^4 * -ln 0.05; without the margin it is z itself
    assert value_and_slope(AsymmetricLoss(), 50.0, 0.0)[0] == pytest.approx(-(0.95**4) * math.log(0.05))
    assert value_and_slope(AsymmetricLoss(clip=0), 50.0, 0.0) == pytest.approx((50.0, 1.0))


def test_at_the_margin_itself_gradients_are_numbers() -> None:
    logits = torch.logit(torch.tensor([[0.05, 0.050001, 0.049999]])).requires_grad_()
    AsymmetricLoss(gamma_neg=0.5)({"logits": logits}, torch.zeros(1, 3)).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gamma_pos": -1}, "gamma_pos is -1\nGive an exponent of 0 or more"),
        ({"gamma_neg": math.inf}, "gamma_neg is inf"),
        ({"gamma_neg": math.nan}, "gamma_neg is nan"),
        ({"clip": 1.0}, "clip is 1.0\nGive a margin"),
        ({"clip": -0.1}, "clip is -0.1"),
    ],
)
def test_refusals(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AsymmetricLoss(**settings)
