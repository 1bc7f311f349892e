# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms.lungs.airspace import lung_air
from tomobundles.transforms.lungs.body import find_body

from .chests import SPACING, ellipsoid, simple_chest


def _kept(hu, spacing=SPACING):
    body = find_body(hu, spacing=spacing)
    return lung_air((hu < -500) & body.mask, hu, body, spacing=spacing)


def test_both_lungs_are_kept_whatever_their_sizes():
    hu, lungs = simple_chest(scale=(1, 0.4))  # 6 % of the other's volume, at most 9 cm2 in a slice
    np.testing.assert_array_equal(_kept(hu), lungs > 0)


def test_a_stomach_bubble_is_left_out():
    hu, lungs = simple_chest()
    bubble = ellipsoid((3, 50, 110), (3, 12, 12))
    hu[bubble & (lungs == 0)] = -1000
    assert not _kept(hu)[bubble & (lungs == 0)].any()


def test_crumbs_are_left_out():
    hu, _ = simple_chest()
    hu[30, 65, 84:87] = -850
    assert not _kept(hu)[30, 65, 85]


def test_air_far_from_the_axis_is_left_out():
    hu, lungs = simple_chest()
    pocket = ellipsoid((30, 65, 158), (20, 8, 3))  # 140 mm from the middle
    hu[pocket] = -850
    kept = _kept(hu)
    assert not kept[pocket].any()
    assert kept[lungs > 0].all()


def test_a_single_slice():
    hu, lungs = simple_chest()
    assert _kept(hu[30:31]).sum() == pytest.approx((lungs[30] > 0).sum())


def test_no_air():
    assert not _kept(np.full((4, 20, 20), 40.0)).any()
