# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from tomobundles.networks.image_check import check_image, check_positive
from tomobundles.utils import InputError


@pytest.mark.parametrize("size", [(16, 16), (32, 48), (16, 160)])
def test_what_fits(size: tuple[int, int]) -> None:
    check_image(torch.zeros(2, 5, *size), channels=5, divisor=16)


@pytest.mark.parametrize("shape", [(5, 16, 16), (1, 3, 16, 16), (1, 5, 16, 16, 16)])
def test_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="for a network of 5 slices") as error:
        check_image(torch.zeros(shape), channels=5, divisor=16)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("size", [(16, 24), (24, 16), (8, 8)])
def test_other_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"{size[0]} x {size[1]} pixels: both must be multiples of 16"):
        check_image(torch.zeros(1, 5, *size), channels=5, divisor=16)


@pytest.mark.parametrize("number", [0, -1, 1.5, "3", None])
def test_numbers(number: object) -> None:
    check_positive(width=1, depth=2)
    with pytest.raises(InputError, match=r"width is .*\nGive a positive whole number"):
        check_positive(depth=2, width=number)
