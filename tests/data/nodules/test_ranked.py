# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
import torch

from tomobundles.data.nodules.ranked import (
    plain,
    ranked_lines,
    ranked_record,
    score,
    write_json,
    write_lung_quality,
    write_ranked_json,
    write_ranked_text,
)

from .cases import make_case, none_found


def test_the_list_has_rank_slice_probability_and_pixel():
    assert ranked_lines(make_case()) == [
        "1  slice 10  0.999686  [24, 16]",
        "2  slice 15  0.750000  [12, 20]",
        "3  slice 18  0.250000  [31, 12]",
    ]


def test_the_text_says_how_it_counts(tmp_path):
    lines = write_ranked_text(tmp_path / "a.txt", make_case()).read_text().splitlines()
    assert lines[0] == "# scan1: 3 nodule candidates, most probable first"
    assert "slice (from 1" in lines[1]
    assert "(column, row, from 0)" in lines[1]
    assert len(lines) == 5
    assert len(write_ranked_text(tmp_path / "a.txt", none_found()).read_text().splitlines()) == 2


def test_the_json_has_both_ways_of_counting(tmp_path):
    case = make_case(
        classifier=np.float32([0.5, 0.25, 0.125]),
        study_uid="1.2",
        series_uid="1.2.3",
        slice_names=[f"1.2.3.{index}" for index in range(24)],
        instance_numbers=list(range(24, 0, -1)),
        findings=["5 mm slices"],
    )
    found = json.loads(write_ranked_json(tmp_path / "a.json", case).read_text())
    assert found["nodules"][2] == {
        "rank": 3,
        "slice_number": 18,
        "slice_index": 17,
        "slice_name": "1.2.3.17",
        "instance_number": 7,
        "x": 31,
        "y": 12,
        "world": [12, -4, -119],
        "voxel": [12, 31.2, 17],
        "diameter_mm": 12,
        "probability": 0.25,
        "detector": 0.3,  # of float32
        "classifier": 0.125,
    }
    assert found["conventions"]["slice_index"] == "from 0, by position, not by InstanceNumber"
    assert found["lung_quality"]["volumes_ml"] == {"right": 21.5, "left": 20.25}
    assert (found["study_uid"], found["shape"], found["findings"]) == ("1.2", [32, 44, 24], ["5 mm slices"])


def test_without_a_second_stage_or_dicom():
    [first, *_] = ranked_record(make_case(slice_names=[str(index) for index in range(24)]))["nodules"]
    assert "classifier" not in first
    assert (first["slice_name"], first["instance_number"]) == (None, None)


def test_lung_quality_is_a_file_of_its_own(tmp_path):
    found = json.loads(write_lung_quality(tmp_path / "a.json", make_case()).read_text())
    assert found == {
        "name": "scan1",
        "patient": "P1",
        "seriesuid": "1.3.6.1",
        "level_hu": -400,
        "volumes_ml": {"right": 21.5, "left": 20.25},
        "warnings": ["the left lung is small"],
    }


def test_numbers_of_any_library_become_plain():
    content = {
        1: np.arange(2),
        "a": (torch.tensor([0.5]), np.float32(0.25), None, True),
        "b": [float("nan"), np.inf],
    }
    assert plain(content) == {"1": [0, 1], "a": [[0.5], 0.25, None, True], "b": [None, None]}
    assert plain({"path": object}) == {"path": str(object)}


def test_json_is_strict(tmp_path):
    text = write_json(tmp_path / "a.json", {"a": np.float64("nan")}).read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"a": None}


def test_a_score_reads_back_as_the_same_float32():
    values = np.float32([0.1, 1 / 3, 0.99999994, 1e-7])
    assert np.float32([score(value) for value in values]).tolist() == values.tolist()
    assert score(np.float32(0.1)) == 0.1
