# SPDX-License-Identifier: Apache-2.0
"""The calibration of a network: applied, written, read, refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tomobundles.metrics import Calibration, PlattCalibrator, load_calibration
from tomobundles.utils import InputError

NAMES = ("IPH", "EDH")
LEVELS = ("raw", "context", "patient")


@pytest.fixture
def calibration() -> Calibration:
    maps = [
        PlattCalibrator(slope=slope, intercept=slope / 3, fitted=slope != 1, n_pos=3, n_neg=40)
        for slope in (0.5, 1, 2)
    ]
    return Calibration(
        class_names=NAMES,
        raw=tuple(maps),
        context=tuple(maps[::-1]),
        patient=(maps[1],) * 3,
        thresholds=(0.1, 0.2, 0.3),
        patient_thresholds=(0.4, 0.5, 1 / 3),
        note="20 patients",
    )


def test_each_row_has_its_map(calibration: Calibration) -> None:
    q = torch.tensor([[0.2, 0.3], [0.1, 0.6], [0.7, 0.8]])
    result = calibration.apply("raw", q)
    for one, before, after in zip(calibration.raw, q, result, strict=True):
        assert torch.equal(one.apply(before), after)
    assert torch.equal(calibration.apply("context", q)[2], calibration.context[2].apply(q[2]))
    assert torch.equal(calibration.apply("patient", q[:, 0]), q[:, 0])
    assert q.tolist() == torch.tensor([[0.2, 0.3], [0.1, 0.6], [0.7, 0.8]]).tolist()


def test_arrays_and_tensors_agree(calibration: Calibration) -> None:
    q = np.random.default_rng(0).random((3, 7)).astype(np.float32)
    array = calibration.apply("raw", q)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, calibration.apply("raw", torch.from_numpy(q)))


def test_any_is_never_below_a_class() -> None:
    # any is mapped down to .2^2 / (.2^2 + .8^2) = 1/17, but one class stays at .2
    maps = (PlattCalibrator(), PlattCalibrator(), PlattCalibrator(slope=2, fitted=True))
    calibration = replace(Calibration.identity(NAMES), context=maps)
    assert calibration.apply("context", torch.tensor([0.2, 0.0, 0.2])).tolist() == pytest.approx(
        [0.2, 0, 0.2]
    )
    assert calibration.apply("context", np.array([0.0, 0.0, 0.2]))[2] == pytest.approx(1 / 17)


def test_identity() -> None:
    calibration = Calibration.identity(NAMES, threshold=0.2)
    q = torch.tensor([[0.0, math.nan], [0.4, 0.4], [0.5, math.nan]])
    np.testing.assert_array_equal(calibration.apply("raw", q), q)
    assert calibration.thresholds == calibration.patient_thresholds == (0.2,) * 3
    assert calibration.not_fitted == {key: [*NAMES, "any"] for key in LEVELS}
    assert calibration.method == "identity"


def test_what_was_not_fitted_is_told(calibration: Calibration) -> None:
    assert calibration.not_fitted == {"raw": ["EDH"], "context": ["EDH"], "patient": ["IPH", "EDH", "any"]}


def test_apply_refuses(calibration: Calibration) -> None:
    with pytest.raises(ValueError, match="level must be one of raw, context, patient, not 'slice'"):
        calibration.apply("slice", torch.zeros(3))
    with pytest.raises(ValueError, match="2 rows of probabilities for 3 calibrated rows"):
        calibration.apply("raw", torch.zeros(2, 5))


def test_a_file_holds_all_of_it(calibration: Calibration, tmp_path: Path) -> None:
    path = calibration.save(tmp_path / "new" / "calibration.json")
    assert Calibration.load(path) == calibration
    assert load_calibration(str(path), class_names=["IPH", "EDH"]) == calibration
    assert [entry.name for entry in path.parent.iterdir()] == ["calibration.json"]
    content = json.loads(path.read_text())
    assert content == calibration.to_dict()
    assert content["raw"]["any"] == {
        "slope": 2,
        "intercept": 2 / 3,
        "fitted": True,
        "n_pos": 3,
        "n_neg": 40,
    }
    assert content["thresholds"] == {"IPH": 0.1, "EDH": 0.2, "any": 0.3}


def test_other_classes_are_refused(calibration: Calibration, tmp_path: Path) -> None:
    path = calibration.save(tmp_path / "calibration.json")
    with pytest.raises(
        InputError, match=r"calibration.json\nthe calibration is of IPH, EDH, not EDH, IPH\nUse"
    ):
        load_calibration(path, class_names=["EDH", "IPH"])


def test_damaged_files_are_refused(calibration: Calibration, tmp_path: Path) -> None:
    path = calibration.save(tmp_path / "calibration.json")
    with pytest.raises(InputError, match=r"none\.json\nno calibration can be read here: No such file"):
        Calibration.load(tmp_path / "none.json")
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"\xff\xfe\x00", b""):
        path.write_bytes(content)
        with pytest.raises(
            InputError, match=r"calibration\.json\nnot a calibration: the file is no JSON\nFit"
        ):
            Calibration.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format="x"), "its format is 'x'"),
        (lambda c: c.pop("thresholds"), "'thresholds' is missing"),
        (lambda c: c["raw"].pop("any"), "'any' is missing"),
        (lambda c: c["raw"]["any"].pop("slope"), "'slope' is missing"),
        (lambda c: c["raw"]["any"].update(slope="2"), "'2' is not a number"),
        (lambda c: c["raw"]["any"].update(slope=True), "True is not a number"),
        (lambda c: c["raw"]["any"].update(intercept=math.nan), "nan is not a number"),
        (lambda c: c["raw"]["any"].update(slope=-2), "make no probability that grows"),
        (lambda c: c["thresholds"].update(IPH=1.5), r"thresholds \[1.5"),
        (lambda c: c.update(method="isotonic"), "a calibration by 'isotonic'"),
        (lambda c: c.update(class_names=[]), "a calibration of 0 classes"),
        (lambda c: c.update(class_names=None), "not iterable"),
        (lambda c: c.update(raw=[1, 2]), "not a calibration"),
    ],
)
def test_damaged_content_is_refused(calibration: Calibration, tmp_path: Path, change, message: str) -> None:
    path = tmp_path / "calibration.json"
    content = calibration.to_dict()
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        Calibration.load(path)
    assert caught.value.path == str(path)


def test_a_list_is_no_calibration() -> None:
    with pytest.raises(InputError, match="not a calibration"):
        Calibration.from_dict([1, 2])


def test_rows_must_fit_the_classes(calibration: Calibration) -> None:
    with pytest.raises(InputError, match=r"2 classes with \[3, 3, 3, 2, 3\] rows"):
        replace(calibration, thresholds=(0.5, 0.5))
