# SPDX-License-Identifier: Apache-2.0
"""Rows as CSV, numbers as JSON."""

import json
import math

from tomobundles.handlers.rows import cell, write_metrics, write_rows


def test_small_numbers_keep_six_digits(tmp_path):
    path = write_rows(tmp_path / "a.csv", [{"fraction": 0.00123456789, "voxels": 1234567, "end": math.inf}])
    assert path.read_text() == "fraction,voxels,end\n0.00123457,1234567,inf\n"


def test_no_rows_leave_an_empty_file_or_the_header(tmp_path):
    assert write_rows(tmp_path / "a.csv", []).read_text() == ""
    assert write_rows(tmp_path / "a.csv", [], columns=["x", "y"]).read_text() == "x,y\n"


def test_columns_choose_and_order(tmp_path):
    path = write_rows(tmp_path / "a.csv", [{"x": 1, "y": math.nan, "z": 3}], columns=["z", "y"])
    assert path.read_text() == "z,y\n3,\n"


def test_undefined_numbers_are_null(tmp_path):
    path = write_metrics(tmp_path / "a.json", {"a": 0.5, "b": math.nan, "c": math.inf})
    assert json.loads(path.read_text()) == {"a": 0.5, "b": None, "c": None}


def test_cells():
    assert [cell(value) for value in (None, math.nan, 3, "x", 0.25)] == ["", "", "3", "x", "0.25"]
    assert cell(0.25, digits=".3f") == "0.250"
