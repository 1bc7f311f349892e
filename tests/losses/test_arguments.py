# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from tomobundles.losses.arguments import get_class_map, get_logits
from tomobundles.utils import InputError

LOGITS = torch.zeros(2, 4, 3, 5)


def test_logits_are_plain_float32() -> None:
    logits = get_logits({"presence": MetaTensor(torch.ones(1, 3, dtype=torch.bfloat16))}, "presence")
    assert type(logits) is torch.Tensor
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_class_map(dtype: torch.dtype) -> None:
    label = torch.full((2, 1, 3, 5), 255).to(dtype)
    for given in (label, MetaTensor(label)):
        target = get_class_map(given, LOGITS)
        assert type(target) is torch.Tensor
        assert target.shape == (2, 3, 5)
        assert target.dtype == torch.int64
        assert (target == 255).all()


def test_class_map_for_presence() -> None:
    assert get_class_map(torch.zeros(2, 1, 3, 5), torch.zeros(2, 3)).shape == (2, 3, 5)


@pytest.mark.parametrize(
    ("prediction", "given"),
    [({"segmentation": LOGITS}, "segmentation"), ({}, "nothing"), (LOGITS, "Tensor"), ([LOGITS], "list")],
)
def test_missing_output(prediction: object, given: str) -> None:
    with pytest.raises(
        InputError, match=f"needs 'presence' from the network, which gives {given}\nUse the loss of"
    ):
        get_logits(prediction, "presence")


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 4, 3, 5), (1, 1, 3, 5), (2, 1, 5, 3)])
def test_label_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"label of shape \(.*\) for logits of shape \(2, 4, 3, 5\)"):
        get_class_map(torch.zeros(shape), LOGITS)
