# SPDX-License-Identifier: Apache-2.0
import csv

import numpy as np
import pytest

from tomobundles.data.nodules.tables import (
    CASE_COLUMNS,
    NODULE_COLUMNS,
    case_row,
    contest_rows,
    lung_volumes,
    nodule_rows,
    refused_case_row,
    write_cases_csv,
    write_contest_csv,
    write_nodules_csv,
)
from tomobundles.data.study_result import StudyRefusal
from tomobundles.utils import InputError

from .cases import WORLD, make_case, none_found


def read(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_contests_table(tmp_path):
    path = write_contest_csv(tmp_path / "a.csv", contest_rows(make_case()))
    assert path.read_text().splitlines() == [
        "seriesuid,coordX,coordY,coordZ,probability,diameter_mm",
        "1.3.6.1,3.0000,2.0000,-95.0000,0.9996861,8.0000",
        "1.3.6.1,-12.0000,8.0000,-110.0000,0.75,5.0000",
        "1.3.6.1,12.0000,-4.0000,-119.0000,0.25,12.0000",
    ]


def test_probabilities_that_differ_stay_different():
    values = np.float32([0.99999994, 0.9999999, 1e-8])
    rows = contest_rows(make_case(probability=values))
    assert np.float32([row["probability"] for row in rows]).tolist() == values.tolist()
    assert "e" not in rows[2]["probability"]


def test_a_row_a_candidate(tmp_path):
    truth = WORLD[[2, 0]] + [0.5, 0, 0, 0]
    case = make_case(truth=truth, classifier=np.float32([0.5, 0.25, 0.125]))
    rows = read(write_nodules_csv(tmp_path / "a.csv", nodule_rows(case)))
    assert list(rows[0]) == list(NODULE_COLUMNS)
    assert [row["reference"] for row in rows] == ["2", "0", "1"]
    assert rows[0] == {
        "name": "scan1",
        "patient": "P1",
        "study": "",
        "series": "",
        "seriesuid": "1.3.6.1",
        "rank": "1",
        "slice_number": "10",
        "slice_index": "9",
        "instance_number": "",
        "x": "24",
        "y": "16",
        "coordX": "3.0000",
        "coordY": "2.0000",
        "coordZ": "-95.0000",
        "diameter_mm": "8.0000",
        "probability": "0.9996861",
        "detector": "0.9",
        "classifier": "0.5",
        "reference": "2",
    }


def test_what_is_not_known_is_blank():
    row = nodule_rows(make_case())[0]
    assert (row["classifier"], row["reference"]) == ("", "")


def test_a_row_a_scan(tmp_path):
    # two annotated nodules; the third candidate (0.25) hits one but is not reported
    truth = WORLD[[0, 2]]
    row = case_row(make_case(truth=truth), reported=0.5, nodule=0.9)
    [found] = read(write_cases_csv(tmp_path / "a.csv", [row]))
    assert list(found) == list(CASE_COLUMNS)
    numbers = {key: found[key] for key in CASE_COLUMNS[5:]}
    assert numbers == {
        "status": "ok",
        "reason": "",
        "slices": "24",
        "candidates": "3",
        "reported": "2",
        "nodules": "1",
        "top_probability": "0.9996861",
        "reference": "2",
        "found": "1",
        "right_lung_ml": "21.5",
        "left_lung_ml": "20.25",
        "level_hu": "-400",
        "warnings": "the left lung is small",
        "seconds": "3.75",
    }
    assert case_row(make_case(truth=truth))["found"] == 2


def test_two_candidates_on_one_nodule_find_it_once():
    case = make_case(nodules=WORLD[[0, 0, 0]], truth=WORLD[:1])
    assert case_row(case)["found"] == 1


def test_a_scan_without_candidates():
    row = case_row(none_found(lung_quality={}, seconds={}))
    assert (row["candidates"], row["top_probability"], row["right_lung_ml"], row["seconds"]) == (
        0,
        "",
        "",
        "",
    )
    assert (row["reference"], row["found"], row["warnings"], row["level_hu"]) == ("", "", "", "")


def test_a_refused_scan():
    row = refused_case_row(StudyRefusal(name="a", reason="x\ny", patient="P", series_uid="1.2"))
    assert list(row) == list(CASE_COLUMNS)
    assert (row["status"], row["reason"], row["series"], row["study"]) == ("refused", "x; y", "1.2", "")


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ({"left": 2, "right": 3.5}, (3.5, 2)),
        ({"left": 2}, (None, 2)),
        (np.array([3.0, 2.0]), (3, 2)),
        ([3.0], (3, None)),
        (None, (None, None)),
    ],
)
def test_volumes_of_the_lungs(volumes, expected):
    assert lung_volumes({"volumes_ml": volumes}) == expected
    assert lung_volumes({}) == (None, None)


def test_rows_with_other_columns(tmp_path):
    with pytest.raises(InputError, match="other columns than the table: patient"):
        write_contest_csv(tmp_path / "a.csv", [contest_rows(make_case())[0] | {"patient": "x"}])
    assert not list(tmp_path.iterdir())
