# SPDX-License-Identifier: Apache-2.0
"""Bit codes of cubes."""

import numpy as np
import pytest

from tomobundles.metrics.surface_cubes import layer_codes, plane_of_slices, plane_outside


@pytest.mark.parametrize("corner", range(8))
def test_each_corner_has_its_bit(corner):
    z, y, x = np.unravel_index(corner, (2, 2, 2))
    for which, shift in ((0, 8), (1, 0)):  # prediction, reference
        volumes = np.zeros((2, 2, 2, 2), np.uint8)
        volumes[which, z, y, x] = 1
        planes = [plane_of_slices(volumes[0, index], volumes[1, index]) for index in (0, 1)]
        codes, bands = layer_codes(*planes)
        assert bands is None
        assert len(codes) == 4  # the voxel is a corner of four cubes in this layer
        # the cube of all eight voxels is the one of which it is this corner
        assert 1 << (7 - corner) << shift in codes


def test_full_volume():
    ones = np.ones((1, 1), np.uint8)
    plane = plane_of_slices(ones, ones, region=ones, bands=ones * 4)
    codes, bands = layer_codes(plane_outside(plane), plane, num_bands=3)
    # the voxel is the last, third, second and first corner of the upper face of four cubes
    assert codes.tolist() == [1 << 8 | 1, 2 << 8 | 2, 4 << 8 | 4, 8 << 8 | 8]
    assert bands.tolist() == [0, 0, 0, 0]


def test_region_needs_all_corners():
    mask = np.ones((2, 3), np.uint8)
    region = np.array([[1, 1, 0], [1, 1, 0]], np.uint8)
    plane = plane_of_slices(mask, mask, region=region)
    assert plane.inside.tolist() == [[True, True, False, False]] * 3
    assert len(layer_codes(plane_outside(plane), plane)[0]) == 6


def test_the_reference_names_the_band():
    prediction, reference = np.array([[1, 1]], np.uint8), np.array([[0, 1]], np.uint8)
    bands = np.array([[2, 3]], np.uint8)  # two bands: prediction of the second, reference of the first
    plane = plane_of_slices(prediction, reference, bands=bands)
    _, found = layer_codes(plane, plane_outside(plane), num_bands=2)
    assert found.tolist() == [1, 0, 0] * 2  # the cube left of both holds the prediction's voxel alone
