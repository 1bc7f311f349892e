# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.nodules import boxes_to_nodules
from tomobundles.utils import InputError


def test_cubes_around_nodules():
    boxes = [[-10, 20, 30, 8, 8, 8], [1, 2, 3, 2, 4, 8]]
    np.testing.assert_allclose(boxes_to_nodules(boxes), [[-10, 20, 30, 8], [1, 2, 3, 4]])
    assert boxes_to_nodules([]) == []
    assert boxes_to_nodules(np.zeros((0, 6))) == []


@pytest.mark.parametrize(
    ("mode", "box"),
    [
        ("xyzxyz", [-12, 18, 28, -8, 22, 32]),
        ("xyzwhd", [-12, 18, 28, 4, 4, 4]),
        ("xxyyzz", [-12, -8, 18, 22, 28, 32]),
        ("xyxyzz", [-12, 18, -8, 22, 28, 32]),
    ],
)
def test_other_orders_of_the_six_numbers(mode, box):
    np.testing.assert_allclose(boxes_to_nodules([box], mode=mode), [[-10, 20, 30, 4]])


@pytest.mark.parametrize(
    ("boxes", "mode", "words"),
    [
        ([[1, 2, 3, 4, 5, 6]], "zyx", "box mode 'zyx'"),
        ([[1, 2, 3, 4]], "cccwhd", "box is"),
        ([[1, 2, 3, 4, 5, float("nan")]], "cccwhd", "box is"),
        ([["a"] * 6], "cccwhd", "box is"),
        ([[1, 2, 3, 4, 4, 0]], "cccwhd", r"box 0 has sides of \[4.0, 4.0, 0.0\] mm"),
        ([[5, 5, 5, 1, 1, 1]], "xyzxyz", "box 0 has sides"),
    ],
)
@pytest.mark.filterwarnings("ignore:Given boxes has invalid values")
def test_boxes_that_are_none(boxes, mode, words):
    with pytest.raises(InputError, match=words):
        boxes_to_nodules(boxes, mode=mode, path="list.json")
