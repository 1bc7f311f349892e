# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from scipy import ndimage
from torch import Tensor

from tomobundles.losses import BoundaryDoU, VesselDice
from tomobundles.losses.boundary_dou import boundary_alpha
from tomobundles.utils import InputError


def square(side: int, size: int = 40) -> Tensor:
    first = (size - side) // 2
    result = torch.zeros(1, 1, size, size)
    result[..., first : first + side, first : first + side] = 1
    return result


def label(target: Tensor, weight: Tensor | None = None) -> Tensor:
    ones = torch.ones_like(target) if weight is None else weight
    return torch.cat([target.expand(-1, 3, -1, -1), ones.expand(-1, 3, -1, -1)], dim=1)


@pytest.mark.parametrize(
    ("side", "boundary"),
    [(1, 1), (2, 4), (3, 8), (4, 12), (10, 36), (30, 116)],  # a square's rim, 4 (n - 1) pixels
)
def test_alpha_by_hand(side: int, boundary: int) -> None:
    alpha = boundary_alpha(square(side), torch.ones(1, 1, 40, 40))
    assert alpha.item() == pytest.approx(1 - 2 * boundary / side**2, abs=1e-6)


def test_alpha_uses_a_cross() -> None:
    # 3 x 3 without a corner: the middle's four neighbours are all there, C = 7 of S = 8.
    target = square(3)
    target[0, 0, 18, 18] = 0
    assert target.sum() == 8
    assert boundary_alpha(target, torch.ones_like(target)).item() == pytest.approx(1 - 14 / 8)


def test_alpha_of_random_masks_is_that_of_an_erosion() -> None:
    target = (torch.rand(3, 2, 20, 20, generator=torch.Generator().manual_seed(0)) > 0.1).float()
    alpha = boundary_alpha(target, torch.ones_like(target))
    for b in range(3):
        for c in range(2):
            mask = target[b, c].numpy() > 0
            rim = mask & ~ndimage.binary_erosion(mask)
            assert alpha[b, c].item() == pytest.approx(1 - 2 * rim.sum() / mask.sum(), abs=1e-6)


def test_no_target_and_the_patch_edge() -> None:
    assert boundary_alpha(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)).item() == -1
    # All of a 4 x 4 patch: its rim of 12 is boundary, as beyond the patch there is nothing.
    assert boundary_alpha(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4)).item() == pytest.approx(1 - 24 / 16)


def test_weights_count_in_alpha() -> None:
    # The inner pixel of 3 x 3 weighs 8, the rim 1 each: 1 - 2 * 8 / 16
    weight = torch.ones(1, 1, 3, 3)
    weight[0, 0, 1, 1] = 8
    assert boundary_alpha(torch.ones(1, 1, 3, 3), weight).item() == pytest.approx(0)


def test_by_hand() -> None:
    # A 4 x 4 square, C = 12, S = 16, alpha = -0.5; p = 0.5 in it, 0.1 elsewhere (4 x 6 patch: 8 pixels).
    # Z = 16 * 0.25 + 8 * 0.01 = 4.08, Y = 16, I = 8: (20.08 - 16) / (20.08 - 0.5 * 8 + 1)
    target = torch.zeros(1, 1, 4, 6)
    target[..., :4] = 1
    p = torch.full((1, 1, 4, 6), 0.1)
    p[..., :4] = 0.5
    assert BoundaryDoU()(p.logit(), label(target)).item() == pytest.approx(4.08 / 17.08, rel=1e-5)


def test_alpha_is_capped() -> None:
    # 30 x 30: alpha = 1 - 232 / 900 = 0.742; capped at 0.2, with one of the 900 missed:
    # (899 + 900 - 1798) / (1799 - (1 + alpha) * 899 + 1)
    target = square(30)
    p = target.clone()
    p[0, 0, 5, 5] = 0
    logits = (2 * p - 1) * 60
    for cap, alpha in ((0.8, 1 - 232 / 900), (0.2, 0.2)):
        expected = 1 / (1800 - (1 + alpha) * 899)
        assert BoundaryDoU(max_alpha=cap)(logits, label(target)).item() == pytest.approx(expected, rel=1e-3)


def test_boundary_only_is_dice_of_squares() -> None:
    # alpha = -1: (Z + Y - 2I) / (Z + Y + s); for 0 and 1 that is Dice with s in the denominator alone.
    target = torch.zeros(1, 1, 6, 6)
    target[0, 0, 2] = 1
    p = torch.zeros(1, 1, 6, 6)
    p[0, 0, 2, :3] = 1
    loss = BoundaryDoU(smooth=1e-6)((2 * p - 1) * 60, label(target)).item()
    assert loss == pytest.approx(3 / 9, abs=1e-5)
    assert loss == pytest.approx(VesselDice(smooth=1e-6)((2 * p - 1) * 60, label(target)).item(), abs=1e-5)


def test_empty_slice_by_hand() -> None:
    # Z = 16 * 0.25: 4 / (4 + 1), with a gradient towards less
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
    value = BoundaryDoU()(logits, label(torch.zeros(1, 1, 4, 4)))
    value.backward()
    assert value.item() == pytest.approx(0.8)
    assert (logits.grad > 0).all()


def test_mean_over_the_slices_that_count() -> None:
    # The second sample lies outside the volume: the mean is that of the first.
    target = torch.cat([square(4, 6), square(4, 6)])
    logits = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    weight = torch.ones(2, 1, 6, 6)
    weight[1] = 0
    both, first = BoundaryDoU()(logits, label(target, weight)), BoundaryDoU()(logits[:1], label(target[:1]))
    torch.testing.assert_close(both, first)


@pytest.mark.parametrize("value", [-0.1, 1.0, math.nan])
def test_bad_alpha(value: float) -> None:
    with pytest.raises(InputError, match=r"max_alpha is .*\nGive a number from 0"):
        BoundaryDoU(max_alpha=value)


def test_bad_smooth() -> None:
    with pytest.raises(InputError, match="smooth is 0"):
        BoundaryDoU(smooth=0)
