# SPDX-License-Identifier: Apache-2.0
import numpy as np

from tomobundles.transforms.lungs.sides import halves, split_sides

from .chests import ellipsoid, simple_chest


def test_separate_lungs():
    _, lungs = simple_chest()
    np.testing.assert_array_equal(split_sides(lungs > 0, centre_x=85), lungs)
    np.testing.assert_array_equal(halves(lungs > 0, centre_x=85), lungs)


def test_joined_lungs_are_parted_by_erosion():
    _, lungs = simple_chest(shift=8)
    joined = lungs > 0
    joined[28:32, 62:68, 60:110] = True  # a bridge of 6 x 4 voxels
    sides = split_sides(joined, centre_x=85)
    assert ((sides == 1) & (lungs == 1)).sum() > 0.99 * (lungs == 1).sum()
    assert ((sides == 2) & (lungs == 2)).sum() > 0.99 * (lungs == 2).sum()
    np.testing.assert_array_equal(sides > 0, joined)


def test_joined_lungs_off_the_middle():
    """The middle would cut the left lung; erosion finds the bridge."""
    one = ellipsoid((30, 65, 50), (20, 30, 22))
    other = ellipsoid((30, 65, 105), (20, 30, 29))
    joined = one | other
    joined[30, 65, 60:90] = True
    sides = split_sides(joined, centre_x=80)
    assert (sides[other] == 2).mean() > 0.99
    assert (sides[one] == 1).mean() > 0.99


def test_one_lung_across_the_middle_is_one_lung():
    lung = ellipsoid((30, 65, 75), (20, 30, 25))
    assert np.unique(split_sides(lung, centre_x=85)[lung]).tolist() == [1]


def test_no_lung():
    assert not split_sides(np.zeros((2, 3, 4), bool), centre_x=2).any()
