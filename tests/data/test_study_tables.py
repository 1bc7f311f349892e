# SPDX-License-Identifier: Apache-2.0
import csv

import numpy as np
import pytest

from tomobundles.data.study_result import StudyRefusal
from tomobundles.data.study_tables import (
    noisy_or,
    number,
    patient_columns,
    patient_row,
    refused_row,
    slice_columns,
    slice_rows,
    write_patients_csv,
    write_refusals_csv,
    write_slices_csv,
)
from tomobundles.utils import InputError

from .study_results import NAMES, make_study

REFUSAL = StudyRefusal(name="case2", patient="P2", study_uid="1.2", reason="a slice is missing\ngive it")


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def dicom_study(**changes):
    uids = [f"1.2.3.{index}" for index in range(4)]
    return make_study(study_uid="1.2", series_uid="1.2.3", slice_names=uids, slice_files=(), **changes)


def test_slices(tmp_path):
    rows = read(write_slices_csv(tmp_path / "slices.csv", slice_rows(make_study()), NAMES))
    assert list(rows[0])[:7] == ["patient", "study", "series", "SOPInstanceUID", "file", "slice", "z_mm"]
    assert list(rows[0])[7:11] == ["IPH_raw", "IPH_context", "IPH_calibrated", "IPH_decision"]
    assert list(rows[0])[-1] == "any_decision"
    assert [(row["slice"], row["z_mm"], row["file"], row["SOPInstanceUID"]) for row in rows[1:3]] == [
        ("1", "-15", "ab_1.jpg", ""),
        ("2", "-10", "ab_2.jpg", ""),
    ]
    assert [row["SDH_decision"] for row in rows] == ["0", "1", "1", "0"]
    assert (rows[3]["EDH_raw"], rows[3]["EDH_context"], rows[3]["EDH_calibrated"]) == (
        "0.625",
        "0.125",
        "0.125",
    )


def test_slices_of_dicom():
    rows = slice_rows(dicom_study(positions_mm=None))
    assert [row["SOPInstanceUID"] for row in rows] == ["1.2.3.0", "1.2.3.1", "1.2.3.2", "1.2.3.3"]
    assert {(row["study"], row["series"], row["file"], row["z_mm"]) for row in rows} == {
        ("1.2", "1.2.3", "", "")
    }


def test_patients(tmp_path):
    rows = [patient_row(make_study()), refused_row(REFUSAL, NAMES)]
    first, second = read(write_patients_csv(tmp_path / "patients.csv", rows, NAMES))
    assert (first["name"], first["patient"], first["status"], first["n_slices"]) == (
        "case1",
        "P1",
        "ok",
        "4",
    )
    assert (first["first_z_mm"], first["last_z_mm"]) == ("-20", "-5")
    sdh = {key[4:]: value for key, value in first.items() if key.startswith("SDH_")}
    # 1 - 0.75 * 0.5 * 0.25 * 0.75 = 0.9296875
    assert sdh == {
        "max": "0.75",
        "noisy_or": "0.929688",
        "probability": "0.8",
        "decision": "1",
        "n_positive": "2",
        "n_smoothed_away": "0",
        "key_slice": "2",
        "first_z_mm": "-15",
        "last_z_mm": "-10",
    }
    assert (first["EDH_n_smoothed_away"], first["EDH_n_positive"], first["EDH_first_z_mm"]) == ("1", "0", "")
    assert (second["name"], second["status"], second["study"]) == ("case2", "refused", "1.2")
    assert second["reason"] == "a slice is missing; give it"
    assert {second[key] for key in patient_columns(NAMES) if key[:3] in NAMES or key == "n_slices"} == {""}


def test_refusals(tmp_path):
    assert read(write_refusals_csv(tmp_path / "refusals.csv", [REFUSAL])) == [
        {
            "name": "case2",
            "patient": "P2",
            "study": "1.2",
            "series": "",
            "reason": "a slice is missing; give it",
        }
    ]


def test_nothing_to_list_is_a_table_all_the_same(tmp_path):
    assert write_refusals_csv(tmp_path / "r.csv", []).read_text() == "name,patient,study,series,reason\n"
    assert (
        write_slices_csv(tmp_path / "s.csv", [], NAMES).read_text() == ",".join(slice_columns(NAMES)) + "\n"
    )


def test_noisy_or():
    assert noisy_or(np.array([[0.5, 0.5], [0, 0], [1, 0.3]])).tolist() == [0.75, 0, 1]
    assert noisy_or(np.full(4, 1e-12)) == pytest.approx(4e-12, rel=1e-9)  # naively 1 - 1 + rounding


def test_numbers_without_exponents():
    assert [number(value) for value in (None, 0.0, 1e-7, 0.123456789)] == ["", "0", "0.0000001", "0.123457"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row | {"x": 1}, "a row has other columns than the table: x"),
        (lambda row: dict(reversed(row.items())), "a row has other columns than the table or another order"),
    ],
)
def test_rows_of_another_table(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        write_slices_csv(tmp_path / "a.csv", [change(slice_rows(make_study())[0])], NAMES)
    assert not list(tmp_path.iterdir())
