# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import ndimage

from tomobundles.transforms.lungs import planes

RANDOM = np.random.default_rng(0).random((6, 9, 11)) > 0.6


def _plane(*rows):
    return np.array([[character == "#" for character in row] for row in rows])[None]


def test_labels_do_not_cross_slices():
    labels, count = planes.label_planes(np.ones((3, 2, 2), bool))
    assert count == 3
    assert labels[:, 0, 0].tolist() == [1, 2, 3]


def test_border_and_holes():
    mask = _plane(".....", ".###.", ".#.#.", ".###.", ".....")
    labels, count = planes.label_planes(~mask)
    assert planes.touching_border(labels, count).tolist() == [False, True, False]
    assert planes.fill_planes(mask).sum() == 9
    assert planes.fill_planes(np.ones((1, 3, 3), bool)).all()


def test_the_largest_of_each_slice():
    mask = np.concatenate([_plane("##..#", "##..."), _plane(".....", "....."), _plane("#.###", ".....")])
    assert planes.largest_in_planes(mask).sum(axis=(1, 2)).tolist() == [4, 0, 3]


def test_opening_removes_what_is_thinner_than_three():
    mask = np.zeros((1, 9, 9), bool)
    mask[0, 2:5, 2:5] = True
    mask[0, 6:8] = True
    assert planes.open_planes(mask).sum() == 9
    assert planes.open_planes(np.ones((1, 4, 4), bool)).all()


def test_dilations_as_scipys():
    square, cross = np.ones((1, 3, 3)), ndimage.generate_binary_structure(3, 1)
    np.testing.assert_array_equal(planes.dilate_planes(RANDOM), ndimage.binary_dilation(RANDOM, square))
    np.testing.assert_array_equal(planes.dilate(RANDOM), ndimage.binary_dilation(RANDOM, cross))
    np.testing.assert_array_equal(planes.erode(RANDOM), ndimage.binary_erosion(RANDOM, cross, border_value=1))


def test_a_thin_volume_is_not_eroded_through():
    assert planes.erode(np.ones((1, 5, 5), bool)).all()


@pytest.mark.parametrize("radius", [0, 2, 5, 7.1])
def test_the_ball_is_that_of_a_distance_map(radius):
    mask = np.random.default_rng(1).random((9, 12, 14)) > 0.98
    wanted = ndimage.distance_transform_edt(~mask, sampling=(2.5, 2, 1.4)) <= radius
    np.testing.assert_array_equal(planes.dilate_mm(mask, radius_mm=radius, spacing=(2.5, 2, 1.4)), wanted)
