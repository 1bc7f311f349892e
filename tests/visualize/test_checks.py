# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.checks import check_presence, check_volumes


def test_good_arrays_pass():
    image = np.zeros((2, 3, 4))
    check_volumes(image)
    check_volumes(image, np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4), np.int64))
    check_presence(np.array([[0.0, 1.0]]), 1, 2)


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3), np.uint8), r"image of shape \(2, 3\)"),
        (np.zeros((2, 3, 0)), np.zeros((2, 3, 0), np.uint8), r"image of shape \(2, 3, 0\)"),
        (np.zeros((2, 3, 4)), np.zeros((3, 2, 4), np.uint8), r"mask of shape \(3, 2, 4\) does not fit"),
        (np.zeros((2, 3, 4)), np.zeros((2, 3, 4), bool), "mask holds bool values"),
    ],
)
def test_wrong_volumes(image, mask, message):
    with pytest.raises(InputError, match=message):
        check_volumes(image, mask)


@pytest.mark.parametrize(
    ("presence", "message"),
    [
        (np.zeros((2, 2)), r"\(classes, slices\) = \(1, 2\) is expected"),
        (np.array([[0, 1.01]]), "outside 0-1"),
        (np.array([[-0.01, 1]]), "outside 0-1"),
        (np.array([[np.nan, 1]]), "NaN"),
    ],
)
def test_wrong_presence(presence, message):
    with pytest.raises(InputError, match=message):
        check_presence(presence, 1, 2)
