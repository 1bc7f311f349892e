# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from tomobundles.transforms import BONE, WATER, WINDOW_HU, gray_to_input, hu_to_gray


def test_the_window():
    hu = np.array([-3024, -1200, -1197, -1196, 596, 597, 600, 3000], np.int16)
    gray = hu_to_gray(hu)  # 7.06 HU a step
    assert gray.dtype == np.uint8
    assert gray.tolist() == [0, 0, 0, 1, 254, 255, 255, 255]
    assert WINDOW_HU == (-1200, 600)
    assert hu_to_gray(np.array([0.0, 282.0])).tolist() == [WATER, BONE]


def test_the_input_of_a_network():
    gray = torch.tensor([0, 128, 192, 255], dtype=torch.uint8)
    assert gray_to_input(gray).tolist() == [-1, 0, 0.5, 127 / 128]
    assert gray_to_input(gray).dtype == torch.float32
    assert gray_to_input(gray, torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.uint16])
def test_any_type(dtype):
    assert hu_to_gray(np.full((2, 3), 100, dtype)).tolist() == [[184] * 3] * 2
