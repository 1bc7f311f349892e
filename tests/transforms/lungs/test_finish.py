# SPDX-License-Identifier: Apache-2.0
import numpy as np

from tomobundles.transforms.lungs.finish import MARGIN, add_margin, fill_lungs


def _lungs():
    sides = np.zeros((5, 30, 40), np.uint8)
    sides[1:4, 8:22, 5:15] = 1
    sides[1:4, 8:22, 25:35] = 2
    return sides


def test_vessels_and_nodules_are_filled():
    sides = _lungs()
    holed = sides.copy()
    holed[2, 12:15, 8:11] = 0  # enclosed
    holed[2, 16, 5:12] = 0  # a vessel from the hilum: closed by a voxel to each side
    np.testing.assert_array_equal(fill_lungs(holed), sides)


def test_without_closing_only_holes_are_filled():
    holed = _lungs()
    holed[2, 12:15, 8:11] = 0
    holed[2, 16, 5:12] = 0
    filled = fill_lungs(holed, closing=0)
    assert filled[2, 13, 9] == 1
    assert filled[2, 16, 5] == 0


def test_one_lung_stays_one_lung():
    sides = _lungs()
    sides[sides == 2] = 0
    np.testing.assert_array_equal(fill_lungs(sides), sides)


def test_margin_in_mm_and_the_order_of_labels():
    labels = add_margin(_lungs(), spacing=(5.0, 2.0, 2.0), margin_mm=4.0)
    assert (labels[_lungs() > 0] == _lungs()[_lungs() > 0]).all()
    assert labels[2, 10, 3:5].tolist() == [MARGIN] * 2  # two voxels of 2 mm
    assert labels[2, 10, 2] == 0
    assert not labels[0].any()  # the next slice is 5 mm off
    assert add_margin(_lungs(), spacing=(4.0, 2.0, 2.0), margin_mm=4.0)[0, 10, 10] == MARGIN


def test_the_hull_takes_in_a_pleural_notch_but_no_heart():
    sides = _lungs()
    sides[2, 12:15, 5:8] = 0  # a nodule at the pleura
    labels = add_margin(sides, spacing=(5.0, 2.0, 2.0), margin_mm=0)
    assert (labels[2, 12:15, 5:8] == MARGIN).all()
    sides[2, 9:21, 5:13] = 0  # a lung like a C, hull 140 of 44 pixels
    assert not (add_margin(sides, spacing=(5.0, 2.0, 2.0), margin_mm=0)[2] == MARGIN).any()
