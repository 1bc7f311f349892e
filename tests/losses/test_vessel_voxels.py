# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tomobundles.losses import VesselBCE, VesselFocal
from tomobundles.utils import InputError

LOGITS = torch.tensor([0.2, 0.7]).logit().view(1, 1, 1, 2)


def label(*weights: float) -> Tensor:
    """Background, then vessel, in the centre slice."""
    result = torch.ones(1, 6, 1, 2)
    result[0, 1, 0] = torch.tensor([0.0, 1.0])
    result[0, 4, 0] = torch.tensor(weights)
    return result


def test_bce_by_hand() -> None:
    background, vessel = -math.log(0.8), -math.log(0.7)
    assert VesselBCE()(LOGITS, label(1, 1)).item() == pytest.approx((background + vessel) / 2)
    assert VesselBCE()(LOGITS, label(0.5, 2)).item() == pytest.approx((0.5 * background + 2 * vessel) / 2.5)
    assert VesselBCE()(LOGITS, label(0, 1)).item() == pytest.approx(vessel)
    weighted = VesselBCE(pos_weight=10)(LOGITS, label(1, 1)).item()
    assert weighted == pytest.approx((background + 10 * vessel) / 2)


def test_focal_by_hand() -> None:
    background, vessel = -0.75 * 0.2**2 * math.log(0.8), -0.25 * 0.3**2 * math.log(0.7)
    assert VesselFocal()(LOGITS, label(1, 1)).item() == pytest.approx((background + vessel) / 2)
    assert VesselFocal()(LOGITS, label(1, 3)).item() == pytest.approx((background + 3 * vessel) / 4)
    background, vessel = -(0.2**1.5) * math.log(0.8), -(0.3**1.5) * math.log(0.7)
    value = VesselFocal(alpha=None, gamma=1.5)(LOGITS, label(1, 1)).item()
    assert value == pytest.approx((background + vessel) / 2)


def test_focal_without_focus_is_cross_entropy() -> None:
    logits, target = torch.randn(2, 3, 5, 7), (torch.rand(2, 3, 5, 7) > 0.5).float()
    full = torch.cat([target, torch.ones_like(target)], dim=1)
    expected = F.binary_cross_entropy_with_logits(logits, target)
    torch.testing.assert_close(VesselFocal(alpha=None, gamma=0)(logits, full), expected)
    torch.testing.assert_close(VesselFocal(alpha=0.5, gamma=0)(logits, full), expected / 2)
    torch.testing.assert_close(VesselBCE()(logits, full), expected)


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan])
def test_bad_pos_weight(value: float) -> None:
    with pytest.raises(InputError, match=r"pos_weight is .*\nGive a positive number"):
        VesselBCE(pos_weight=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_bad_alpha(value: float) -> None:
    with pytest.raises(InputError, match=r"alpha is .*\nGive a number from 0 to 1"):
        VesselFocal(alpha=value)


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_bad_gamma(value: float) -> None:
    with pytest.raises(InputError, match=r"gamma is .*\nGive an exponent"):
        VesselFocal(gamma=value)
