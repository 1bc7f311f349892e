# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch

from tomobundles.losses import PresenceBCE
from tomobundles.losses.presence import presence_targets

# Three slices of two pixels, classes 1 and 2: class 1 only; nothing; class 2 and an ignored pixel.
LABEL = torch.tensor([[0, 1], [0, 0], [2, 255]]).view(3, 1, 1, 2)


def test_targets_by_hand() -> None:
    present, known = presence_targets(LABEL[:, 0], 2)
    assert present.tolist() == [[True, False], [False, False], [False, True]]
    # In the third slice class 1 may hide below the ignored pixel; class 2 is there whatever it hides.
    assert known.tolist() == [[True, True], [True, True], [False, True]]


def test_loss_by_hand() -> None:
    # Logits ln 3 -> p = 3/4 everywhere: present entries (2 known) cost ln(4/3), absent ones (3 known) ln 4.
    logits = torch.full((3, 2), math.log(3))
    loss = PresenceBCE()({"presence": logits}, LABEL.to(torch.uint8))
    assert loss.shape == ()
    assert loss.item() == pytest.approx((2 * math.log(4 / 3) + 3 * math.log(4)) / 5)


def test_ignore_label_can_be_another() -> None:
    # 255 as 9: the same loss; and with 255 no longer ignored, all six entries are known.
    logits = torch.full((3, 2), math.log(3))
    nine = torch.where(LABEL == 255, 9, LABEL)
    assert PresenceBCE(ignore_label=9)({"presence": logits}, nine) == PresenceBCE()(
        {"presence": logits}, LABEL
    )
    loss = PresenceBCE(ignore_label=9)({"presence": logits}, LABEL)
    assert loss.item() == pytest.approx((2 * math.log(4 / 3) + 4 * math.log(4)) / 6)


def test_unknown_entries_have_no_gradient() -> None:
    logits = torch.zeros(3, 2, requires_grad=True)
    PresenceBCE()({"presence": logits}, LABEL).backward()
    assert (logits.grad != 0).tolist() == [[True, True], [True, True], [False, True]]


def test_nothing_known() -> None:
    logits = torch.full((1, 3), 1e4, requires_grad=True)
    loss = PresenceBCE()({"presence": logits}, torch.full((1, 1, 4, 4), 255))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_extreme_bfloat16_logits() -> None:
    logits = torch.tensor([[1e4, -1e4]] * 3, dtype=torch.bfloat16, requires_grad=True)
    loss = PresenceBCE()({"presence": logits}, LABEL)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
