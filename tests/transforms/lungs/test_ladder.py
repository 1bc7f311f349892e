# SPDX-License-Identifier: Apache-2.0
import numpy as np

from tomobundles.transforms.lungs.find import LADDER
from tomobundles.transforms.lungs.ladder import climb

from .chests import SPACING, dice, ellipsoid, simple_chest


def _climb(hu, ladder=LADDER):
    return climb(hu, ladder=ladder, spacing=SPACING, middle_x=85)


def test_healthy_lungs_take_the_lowest_level():
    hu, lungs = simple_chest()
    found = _climb(hu)
    assert found.level == -600
    np.testing.assert_array_equal(found.sides, lungs)
    assert list(found.scores) == list(LADDER)


def test_a_dense_lung_takes_a_higher_one():
    hu, lungs = simple_chest(lungs_hu=(-850, -450))
    found = _climb(hu)
    assert found.level == -400
    assert dice(found.sides == 2, lungs == 2) > 0.99
    assert found.scores[-600]["total"] < found.total


def test_a_lung_of_patches_is_not_cut_to_pieces():
    rng = np.random.default_rng(0)
    hu, lungs = simple_chest()
    patches = np.kron(rng.uniform(-800, -250, (20, 13, 17)), np.ones((3, 10, 10)))[: hu.shape[0]]
    hu[lungs == 2] = patches[lungs == 2]
    assert dice(_climb(hu).sides == 2, lungs == 2) > 0.95


def test_thin_walls_are_tried_when_nothing_is_found_with_opening():
    hu = np.full((60, 130, 170), -1000.0, np.float32)
    hu[ellipsoid((0, 65, 85), (1e6, 55, 78))] = 40
    for x in (48, 122):
        hu[ellipsoid((30, 65, x), (24, 38, 37))] = -850  # one voxel of wall at the side
    found = _climb(hu)
    assert min(found.scores[found.level]["volumes_ml"].values()) > 1000


def test_no_air_is_no_level():
    found = _climb(np.full((10, 40, 40), 40.0, np.float32))
    assert found.level is None
    assert found.sides is None
    assert found.total == 0
    assert found.scores == {}


def test_gas_alone_is_no_level():
    hu = np.full((30, 100, 100), -1000.0, np.float32)
    hu[:, 10:90, 10:90] = 40
    hu[10:20, 40:60, 40:60] = -1000
    found = _climb(hu)
    assert found.sides is None
    assert set(found.scores) == set(LADDER)
