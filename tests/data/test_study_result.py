# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.study_result import at_threshold, check_name
from tomobundles.utils import InputError

from .study_results import make_study, probabilities


def test_decisions():
    study = make_study()
    expected = np.zeros((6, 4), bool)
    expected[3, 1:3] = expected[5, 1:3] = True  # 0.5 is at the threshold
    np.testing.assert_array_equal(study.decisions, expected)
    assert study.patient_decisions.tolist() == [False, False, False, True, False, True]
    assert study.key_slices.tolist() == [0, 0, 0, 2, 0, 2]
    assert study.num_slices == 4


def test_patients_may_have_thresholds_of_their_own():
    study = make_study(patient_thresholds=np.full(6, 0.85))
    assert study.patient_decisions.tolist() == [False] * 5 + [True]
    assert study.shown_classes.tolist() == [False, False, False, True, False, True]


def test_a_class_of_the_patient_alone_is_shown():
    values = probabilities()
    values["patient"][0] = 0.5
    assert make_study(probabilities=values).shown_classes.tolist() == [True, False, False, True, False, True]


def test_slices_that_context_smooths_away():
    away = make_study().smoothed_away
    assert np.argwhere(away).tolist() == [[4, 3]]


def test_like_is_compared_with_like():
    values = probabilities()
    values["calibrated_raw"] = np.zeros((6, 4), np.float32)
    values["calibrated_raw"][0, 1] = 0.5
    study = make_study(probabilities=values)
    assert np.argwhere(study.smoothed_away).tolist() == [[0, 1]]
    assert study.compared[1] is values["calibrated"]


def test_what_is_called_is_not_smoothed_away():
    values = probabilities()
    values["calibrated"][4, 3] = 0.5
    assert not make_study(probabilities=values).smoothed_away.any()


def test_thresholds_in_the_type_of_the_values():
    # float32(0.7) = 0.69999999 lies below 0.7
    assert at_threshold(np.array([[0.7]], np.float32), [0.7]).all()
    assert at_threshold(np.array([0.7, 0.2], np.float32), [0.7, 0.3]).tolist() == [True, False]


def test_positions():
    assert make_study().position(1) == -15
    assert make_study(positions_mm=None).position(1) is None


@pytest.mark.parametrize("name", ["", "..", ". ", "a/b", "a\\b", "a\0"])
def test_no_file_names(name):
    with pytest.raises(InputError, match="is no name for results"):
        check_name(name)


def changed(kind, value):
    return {"probabilities": probabilities() | {kind: value}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../x"}, "no name for results"),
        ({"image": np.zeros((3, 3))}, r"image of shape \(3, 3\)"),
        ({"probabilities": {"raw": probabilities()["raw"]}}, "no context probabilities of study case1"),
        (changed("raw", np.zeros((5, 4))), r"raw probabilities of study case1 has shape \(5, 4\)"),
        (changed("patient", np.zeros(5)), r"patient probabilities of study case1 has shape \(5,\)"),
        (changed("context", np.full((6, 4), np.nan)), "context probabilities .* NaN or values outside 0-1"),
        ({"thresholds": np.zeros(5)}, "thresholds of study case1 has shape"),
        ({"thresholds": np.full(6, 1.5)}, "thresholds of study case1 hold NaN"),
        ({"patient_thresholds": np.zeros(2)}, "patient thresholds of study case1 has shape"),
        ({"slice_names": ["a", "a", "b", "c"]}, "3 different slice names for 4 slices"),
        ({"slice_names": ["a", "b", "c"]}, "3 different slice names for 4 slices"),
        ({"slice_files": ["a"]}, "1 file names for 4 slices"),
        ({"affine": np.eye(3)}, "affine of study case1"),
        ({"positions_mm": np.zeros(3)}, "positions_mm of study case1"),
        ({"label": np.zeros((5, 4))}, "label of study case1"),
        ({"cam": np.zeros((6, 2, 2, 4))}, "cam of study case1"),
        ({"axes": "XYZT"}, "axes 'XYZT'"),
    ],
)
def test_wrong_input(changes, message):
    with pytest.raises(InputError, match=message):
        make_study(**changes)
