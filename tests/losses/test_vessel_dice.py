# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.losses import DiceLoss
from torch import Tensor

from tomobundles.losses import VesselDice
from tomobundles.utils import InputError

# Two samples of two pixels in the centre slice: p 0.2, 0.6 | 0.5, 0.1, targets 0, 1 | 1, 0.
P = torch.tensor([[0.2, 0.6], [0.5, 0.1]]).view(2, 1, 1, 2)
TARGET = torch.tensor([[0.0, 1.0], [1.0, 0.0]])


def label(weight: float = 1.0) -> Tensor:
    """The last pixel has another weight than the rest; neighbouring slices say something else."""
    result = torch.ones(2, 6, 1, 2)
    result[:, 1, 0] = TARGET
    result[1, 4, 0, 1] = weight
    return result


def test_by_hand() -> None:
    # 1 - (2 * 1.1 + 1) / (1.4 + 2 + 1) = 1 - 3.2 / 4.4
    assert VesselDice()(P.logit(), label()).item() == pytest.approx(1 - 3.2 / 4.4)


def test_weights_by_hand() -> None:
    # the last pixel's 0.1 counts three times, or not at all
    assert VesselDice()(P.logit(), label(3)).item() == pytest.approx(1 - 3.2 / 4.6)
    assert VesselDice()(P.logit(), label(0)).item() == pytest.approx(1 - 3.2 / 4.3)


def test_per_sample_by_hand() -> None:
    # (2 * 0.6 + 0.5) / (0.8 + 1 + 0.5) and (2 * 0.5 + 0.5) / (0.6 + 1 + 0.5)
    expected = 1 - (1.7 / 2.3 + 1.5 / 2.1) / 2
    loss = VesselDice(smooth=0.5, per_sample=True)
    assert loss(P.logit(), label()).item() == pytest.approx(expected)


@pytest.mark.parametrize("per_sample", [True, False])
def test_equals_monais(per_sample: bool) -> None:
    logits = torch.randn(2, 3, 5, 7)
    target = (torch.rand(2, 3, 5, 7) > 0.7).float()
    weighted = torch.cat([target, torch.ones_like(target)], dim=1)
    mine = VesselDice(smooth=1e-5, per_sample=per_sample)(logits, weighted)
    # MONAI's takes a channel for a class: make the slices one axis of space.
    monai = DiceLoss(sigmoid=True, batch=not per_sample)(logits[:, None], target[:, None])
    torch.testing.assert_close(mine, monai)


def test_no_vessel_still_teaches() -> None:
    # 1 - 1 / (0.5 * 4 + 1), with a gradient towards less
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    value = VesselDice()(logits, torch.cat([torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)], dim=1))
    value.backward()
    assert value.item() == pytest.approx(1 - 1 / 3)
    assert (logits.grad > 0).all()


@pytest.mark.parametrize("smooth", [0, -1.0, float("inf"), float("nan")])
def test_bad_smooth(smooth: float) -> None:
    with pytest.raises(InputError, match=r"smooth is .*\nGive a positive number"):
        VesselDice(smooth=smooth)
