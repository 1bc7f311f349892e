# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.utils.world import world_to_voxel

from .cases import GRID, NATIVE, NATIVE_SHAPE, VOXEL, WORLD, make_case, none_found


def test_the_sample_fits_itself():
    np.testing.assert_allclose(world_to_voxel(WORLD[:, :3], NATIVE), VOXEL)
    case = make_case()
    centres = np.rint(world_to_voxel(WORLD[:, :3], GRID)).astype(int)
    assert [case.image[tuple(centre)] for centre in centres] == [165, 165, 165]


def test_slices_and_pixels_are_the_nearest():
    case = make_case(voxel=np.array([[16.4, 24.6, 9.49], [20, 12, 14.51], [-3, 60, 99]]))
    assert case.slices.tolist() == [9, 15, 23]  # the last one is moved into the scan
    assert case.pixels.tolist() == [[25, 16], [12, 20], [43, 0]]  # x is the column, y the row


def test_slices_are_counted_from_one_in_words():
    assert make_case().place(0) == "10 of 24"
    assert make_case(positions_mm=3.0 * np.arange(24)).place(0) == "10 of 24, z 27.0 mm"
    assert make_case(instance_numbers=range(24, 0, -1)).place(0) == "10 of 24, InstanceNumber 15"


def test_a_hit_is_a_centre_within_the_radius():
    # 4 mm from the first candidate: inside a radius of 4.5, not inside one of 4
    truth = WORLD[:1] + np.array([4, 0, 0, 1])
    assert make_case(truth=truth).hits.tolist() == [0, -1, -1]
    assert make_case(truth=WORLD[:1] + np.array([4, 0, 0, 0])).hits.tolist() == [-1, -1, -1]


def test_the_nearest_of_two_annotated_nodules_is_hit():
    truth = np.concatenate([WORLD[:1] + np.array([[3, 0, 0, 2], [1, 0, 0, 0]]), WORLD[2:]])
    assert make_case(truth=truth).hits.tolist() == [1, -1, 2]


@pytest.mark.parametrize("truth", [None, np.empty((0, 4))])
def test_nothing_is_hit_without_annotations(truth):
    assert make_case(truth=truth).hits.tolist() == [-1, -1, -1]


def test_reported_candidates_keep_their_ranks():
    case = make_case(classifier=np.array([0.9, 0.7, 0.1], np.float32))
    shown = case.reported(0.75)
    assert (len(case), len(shown)) == (3, 2)
    assert shown.probability.tolist() == case.probability[:2].tolist()
    assert shown.classifier.tolist() == case.classifier[:2].tolist()
    assert shown.slices.tolist() == [9, 14]
    assert case.reported(0.25) is case
    assert len(case.reported(1.0)) == 0


def test_a_threshold_is_compared_in_float32():
    """0.7 in float32 is below 0.7 in float64."""
    assert make_case(probability=np.float32([0.7, 0.6, 0.1])).count(0.7) == 1


def test_no_candidate_is_fine():
    case = none_found()
    assert (len(case), case.count(0), case.slices.tolist(), case.pixels.shape) == (0, 0, [], (0, 2))


def test_the_spacing_is_that_of_the_grid():
    grid = GRID @ np.diag([0.5, 0.75, 2, 1])
    np.testing.assert_allclose(make_case(affine=grid).spacing, [0.5, 0.75, 2])


BAD = np.array([[1.0, 2, 3, np.nan]])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "a/b"}, "is no name for results"),
        ({"seriesuid": " "}, "has no seriesuid"),
        ({"image": np.zeros((4, 5, 6))}, "no gray"),
        ({"image": np.zeros((4, 5), np.uint8)}, "no gray"),
        ({"image": np.zeros((4, 0, 6), np.uint8)}, "no gray"),
        ({"affine": np.eye(3)}, r"affine of scan1 is no affine \(4, 4\)"),
        ({"native_affine": np.diag([1.0, 1, 0, 1])}, "native_affine of scan1 is no affine"),
        ({"lungs_affine": np.full((4, 4), np.nan)}, "lungs_affine of scan1 is no affine"),
        ({"affine": NATIVE}, "not on a lung grid"),
        ({"lungs_affine": None}, "come together"),
        ({"lungs": np.zeros((1, 2, 3, 4))}, r"lungs of scan1 have the shape \(1, 2, 3, 4\)"),
        ({"mask": np.zeros((4, 5, 6))}, "mask .* does not fit"),
        ({"nodules": np.zeros((3, 3))}, r"nodules of scan1 have the shape \(3, 3\), expected is \(3, 4\)"),
        ({"nodules": WORLD[:2]}, "voxel of scan1 have the shape"),
        ({"voxel": VOXEL[:, :2]}, r"voxel of scan1 have the shape \(3, 2\)"),
        ({"detector": np.zeros(4)}, r"detector of scan1 have the shape \(4,\)"),
        ({"classifier": np.zeros(2)}, r"classifier of scan1 have the shape \(2,\)"),
        ({"truth": np.zeros((2, 3))}, r"truth of scan1 have the shape \(2, 3\)"),
        ({"classifier": np.float32([0.5, np.inf, np.nan])}, "classifier of scan1 hold NaN or infinity"),
        ({"truth": BAD}, "truth of scan1 hold NaN"),
        ({"probability": np.float32([np.nan, 0.5, 0.1])}, "probability of scan1 hold NaN"),
        ({"nodules": WORLD * [1, 1, np.inf, 1]}, "nodules of scan1 hold NaN or infinity"),
        ({"nodules": WORLD * [1, 1, 1, 0]}, "diameter that is not positive"),
        ({"probability": np.float32([1.5, 0.5, 0.1])}, "outside 0-1"),
        ({"probability": np.float32([0.5, 0.6, 0.1])}, "not in descending order"),
        ({"native_shape": (3, 4)}, "native_shape"),
        ({"native_shape": (3, 4, 0)}, "native_shape"),
        ({"axes": "XYT"}, "permutation of XYZ"),
        ({"instance_numbers": [1]}, "1 InstanceNumbers for 24 slices"),
        ({"slice_names": ["a", "b"]}, "2 slice names for 24 slices"),
        ({"slice_names": ["a"] * NATIVE_SHAPE[2]}, "1 slice names for 24 slices"),
        ({"positions_mm": np.arange(3.0)}, "3 positions for 24 slices"),
    ],
)
def test_what_does_not_fit_is_refused(changes, problem):
    with pytest.raises(InputError, match=problem):
        make_case(**changes)
