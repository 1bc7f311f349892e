# SPDX-License-Identifier: Apache-2.0
"""What every loss on labels by slice does with centre slices, unknown labels and reductions."""

from __future__ import annotations

import math

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor

from tomobundles.losses import AsymmetricLoss, LabelledBCE, MultiTaskLoss
from tomobundles.losses.slice_labels import match_label
from tomobundles.utils import InputError

NAN = math.nan
LOSSES = [LabelledBCE, AsymmetricLoss]


def random_case(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator)
    return logits, (torch.rand(shape, generator=generator) > 0.5).float()


def test_centre_slices_by_hand() -> None:
    # five slices 0..4: one label slice is slice 2, three are 1..3
    logits = torch.arange(5.0).expand(2, 3, 5)
    assert match_label(logits, torch.zeros(2, 3))[0].unique().tolist() == [2]
    assert match_label(logits, torch.zeros(2, 3, 1))[0].unique().tolist() == [2]
    assert match_label(logits, torch.zeros(2, 3, 3))[0][0, 0].tolist() == [1, 2, 3]
    assert match_label(logits, torch.zeros(2, 3, 5))[0] is not None
    assert match_label(logits[..., 0], torch.zeros(2, 3, 1))[0].shape == (2, 3, 1)


def test_the_row_any_is_left_out() -> None:
    label = torch.tensor([[0.0, 1.0, 9.0]])
    assert match_label(torch.zeros(1, 2), label)[1].flatten().tolist() == [0, 1]
    assert match_label(torch.zeros(1, 3), label)[1].flatten().tolist() == [0, 1, 9]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float64])
def test_labels_of_any_number_type(dtype: torch.dtype) -> None:
    label = match_label(torch.zeros(1, 2), MetaTensor(torch.ones(1, 2).to(dtype)))[1]
    assert type(label) is Tensor
    assert label.dtype == torch.float32


@pytest.mark.parametrize(
    ("logits", "label"),
    [
        ((2, 5), (1, 5)),  # batch
        ((2, 5), (2, 4)),  # rows
        ((2, 5), (2, 7)),
        ((2, 5, 5), (2, 5, 2)),  # no centre
        ((2, 5, 3), (2, 5, 5)),  # more slices than there are
        ((2, 5), (2,)),
        ((2, 5, 3, 1), (2, 5, 3)),
    ],
)
def test_labels_that_do_not_fit(logits: tuple[int, ...], label: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"label of shape \(.*\) for logits of shape \(.*\)\nGive \(B, K\)"):
        match_label(torch.zeros(logits), torch.zeros(label))


def test_bce_by_hand() -> None:
    # p = 3/4 in all entries: present ones cost ln(4/3), absent ones ln 4; one of three is unknown
    prediction = {"logits": torch.full((1, 3), math.log(3))}
    label = torch.tensor([[1.0, 0.0, NAN]])
    total = math.log(4 / 3) + math.log(4)
    assert LabelledBCE()(prediction, label).item() == pytest.approx(total)
    assert LabelledBCE(reduction="mean")(prediction, label).item() == pytest.approx(total / 2)


@pytest.mark.parametrize("loss", LOSSES)
def test_only_known_centre_entries_have_a_gradient(loss: type) -> None:
    logits = torch.zeros(2, 2, 3, requires_grad=True)
    loss()({"logits": logits}, torch.tensor([[1.0, NAN, 1.0], [NAN, 0.0, 1.0]])).backward()
    expected = torch.zeros(2, 2, 3, dtype=torch.bool)
    expected[0, 0, 1] = expected[1, 1, 1] = True
    assert torch.equal(logits.grad != 0, expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_unknown_label_is_not_an_absent_one(loss: type) -> None:
    logits, label = random_case(4, 5)
    unknown = label.clone()
    unknown[0] = NAN
    without = loss()({"logits": logits[1:]}, label[1:])
    assert loss()({"logits": logits}, unknown).item() == pytest.approx(without.item(), rel=1e-6)
    assert loss()({"logits": logits}, unknown) != loss()({"logits": logits}, unknown.nan_to_num(0.0))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_nothing_known(loss: type, reduction: str) -> None:
    logits = torch.full((2, 5), 1e4, requires_grad=True)
    value = loss(reduction=reduction)({"logits": logits}, torch.full((2, 6), NAN))
    value.backward()
    assert value == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_sum_adds_up_and_the_mean_divides(loss: type) -> None:
    logits, label = random_case(4, 5, 3)
    whole = loss()({"logits": logits}, label)
    parts = sum(loss()({"logits": logits[i : i + 1]}, label[i : i + 1]) for i in range(4))
    assert whole.shape == ()
    assert whole.item() == pytest.approx(parts.item(), rel=1e-6)
    assert loss(reduction="mean")({"logits": logits}, label).item() == pytest.approx(whole.item() / 60)


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_under_autocast(loss: type) -> None:
    logits, label = random_case(4, 5)
    half = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss()({"logits": half}, label)
    assert value.dtype == torch.float32
    assert value == loss()({"logits": half.float()}, label)


@pytest.mark.parametrize("loss", LOSSES)
def test_as_a_term_of_the_multi_task_loss(loss: type) -> None:
    logits, label = random_case(4, 5)
    terms = {
        "context": {"_target_": f"tomobundles.losses.{loss.__name__}"},
        "slices": {"_target_": f"tomobundles.losses.{loss.__name__}", "key": "slice_logits"},
    }
    both = MultiTaskLoss(terms, weights={"slices": 0.5})
    value = both({"logits": logits, "slice_logits": -logits}, label)
    expected = loss()({"logits": logits}, label) + 0.5 * loss()({"logits": -logits}, label)
    assert value == expected
    with pytest.raises(InputError, match="loss term 'context': label of shape"):
        both({"logits": logits, "slice_logits": logits}, label[:1])


@pytest.mark.parametrize("loss", LOSSES)
def test_refusals(loss: type) -> None:
    with pytest.raises(InputError, match="reduction is 'max'\nUse one of sum, mean"):
        loss(reduction="max")
    with pytest.raises(InputError, match="needs 'logits' from the network, which gives presence"):
        loss()({"presence": torch.zeros(1, 5)}, torch.zeros(1, 5))
