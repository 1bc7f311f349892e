# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms.lungs.body import find_body

from .chests import SPACING, simple_chest


def test_lungs_are_inside_and_the_air_around_is_not():
    hu, lungs = simple_chest()
    body = find_body(hu, spacing=SPACING)
    assert body.mask[lungs > 0].all()
    assert not body.mask[:, 0].any()
    assert body.centre_x == pytest.approx(85, abs=0.1)
    assert body.centre_y[30] == pytest.approx(65, abs=0.1)
    assert not body.crop


def test_a_table_and_the_gap_behind_the_back_are_outside():
    hu, lungs = simple_chest()
    hu[:, 119:121] = 200  # a shell of two voxels that touches the back
    hu[:, 128:130] = 200
    hu[:, 119:130, [0, 1, -2, -1]] = 200  # closed at the sides, foam inside
    hu[:, 121:128, 2:-2] = -900
    body = find_body(hu, spacing=SPACING)
    assert not body.mask[:, 122:127].any()
    assert body.mask[lungs > 0].all()


def test_a_thin_wall_holds_air_only_without_opening():
    hu = np.full((1, 40, 40), -1000.0)
    hu[0, 5:35, 5:35] = 0
    hu[0, 6:34, 6:34] = -850
    assert find_body(hu, spacing=SPACING, opening=False).mask[0, 20, 20]
    assert not find_body(hu, spacing=SPACING).mask[0, 20, 20]


def test_an_open_mouth_is_outside():
    hu, _ = simple_chest()
    hu[55, :66, 80:90] = -1000
    assert not find_body(hu, spacing=SPACING).mask[55, 30, 85]


def test_a_cut_lung_is_inside_where_its_neighbour_is():
    hu, lungs = simple_chest()
    crop = np.s_[:, 20:110, 45:85]  # through the right lung
    body = find_body(hu[crop], spacing=SPACING)
    assert body.crop
    inside = body.mask[lungs[crop] > 0].mean()
    assert inside > 0.95


def test_an_empty_image_has_no_body():
    body = find_body(np.full((2, 10, 10), -1000.0), spacing=SPACING)
    assert not body.mask.any()
    assert body.centre_x == 4.5
