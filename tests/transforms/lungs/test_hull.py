# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms.lungs.hull import fill_hull, hull_of


def _u():
    plane = np.ones((6, 6), bool)
    plane[1:5, 2:4] = False
    plane[0, 2:4] = False
    return plane


def test_area_by_hand():
    assert hull_of(_u())[1] == pytest.approx(36)
    line = np.zeros((5, 5), bool)
    line[2, 1:4] = True
    assert hull_of(line)[1] == pytest.approx(3)


def test_a_hull_is_filled_up_to_the_ratio():
    assert fill_hull(_u(), largest_ratio=1.5).all()  # 36 of 26 pixels
    np.testing.assert_array_equal(fill_hull(_u(), largest_ratio=1.3), _u())


def test_pixels_whose_centre_is_outside_stay_out():
    triangle = np.tril(np.ones((8, 8), bool))
    triangle[4, 2] = False
    filled = fill_hull(triangle, largest_ratio=2)
    assert filled[4, 2]
    assert filled[triangle].all()
    assert not filled[0, 7]
