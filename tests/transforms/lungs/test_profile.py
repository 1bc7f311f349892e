# SPDX-License-Identifier: Apache-2.0
import numpy as np

from tomobundles.transforms.lungs.profile import lung_run, trace_airway, widen

MM = (5.0, 2.0, 2.0)


def test_the_run_with_the_largest_sum():
    areas = np.array([0, 30, 0, 50, 200, 220, 60, 0, 12, 12, 12, 12, 12, 0.0])
    assert lung_run(areas) == slice(3, 7)  # 12 cm2 lies below a tenth of the peak


def test_small_lungs_are_found_by_the_share_alone():
    assert lung_run(np.array([0, 4, 8, 4, 0.5, 0.0])) == slice(1, 4)


def test_no_air_is_no_run():
    run = lung_run(np.zeros(5))
    assert run.start == run.stop


def test_room_stays_in_the_scan():
    assert widen(slice(3, 7), voxels=2, count=20) == slice(1, 9)
    assert widen(slice(1, 7), voxels=2, count=8) == slice(0, 8)


def _airway():
    """A trachea of 5 x 5 voxels (1 cm2) from slice 4 to 11, lungs of 30 x 30 below it."""
    air = np.zeros((12, 60, 80), bool)
    air[4:, 20:25, 38:43] = True
    air[:6, 20:50, 5:35] = air[:6, 20:50, 45:75] = True
    return air


def test_the_trachea_is_followed_to_the_lungs():
    air = _airway()
    found = trace_airway(air, centre_x=40, spacing=MM, lowest_start=8)
    np.testing.assert_array_equal(found[6:], air[6:])
    assert not found[:4].any()


def test_it_stops_where_it_meets_the_lungs():
    air = _airway()
    air[5, 22, 35:45] = True  # joins both lungs and the trachea
    found = trace_airway(air, centre_x=40, spacing=MM, lowest_start=8)
    assert not found[:6].any()
    assert found[6:, 22, 40].all()


def test_it_starts_again_below_a_pharynx():
    air = _airway()
    air[10] = False  # a closed glottis
    assert trace_airway(air, centre_x=40, spacing=MM, lowest_start=8)[6:, 22, 40].tolist() == [True] * 4 + [
        False,
        True,
    ]


def test_nothing_off_centre_and_nothing_low_is_an_airway():
    air = np.zeros((12, 60, 80), bool)
    air[6:, 20:25, 2:7] = True  # 72 mm from the middle
    air[:4, 20:25, 38:43] = True  # below the lowest start
    assert not trace_airway(air, centre_x=40, spacing=MM, lowest_start=8).any()
