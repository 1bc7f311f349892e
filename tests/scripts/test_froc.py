# SPDX-License-Identifier: Apache-2.0
"""Scoring a submission from the command line."""

import csv
import json
import logging

import pytest

from tomobundles.scripts.cli import main

NODULES = "seriesuid,coordX,coordY,coordZ,diameter_mm\nLKDS_00001,0,0,0,8\nLKDS_00002,0,0,0,12\n"
FOUND = (
    "seriesuid,coordX,coordY,coordZ,probability\n"
    "LKDS-00001,1,0,0,0.9\nLKDS-00001,50,0,0,0.4\nLKDS-00002,3,0,0,0.3\nLKDS-00002,90,0,0,0.95\n"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOMOBUNDLES_DEBUG", raising=False)
    (tmp_path / "annotations.csv").write_text(NODULES)
    (tmp_path / "found.csv").write_text(FOUND)
    (tmp_path / "scans.csv").write_text("LKDS-00001\nLKDS-00002\nLKDS-00003\nLKDS-00004\n")
    return tmp_path


def froc(*more, bootstrap=0):
    arguments = ["--annotations", "annotations.csv", "--predictions", "found.csv", "--output_dir", "out"]
    return main(["froc", *arguments, "--bootstrap", str(bootstrap), *more])


def metrics(folder):
    return json.loads((folder / "out" / "metrics.json").read_text())


def test_score_by_hand(folder, capsys):
    """Four scans, two nodules; marks down the list: false 0.95, hit 0.9, false 0.4, hit 0.3.

    1/4 false positive a scan: 1/2; 1/2: 1; below 1/4 nothing.
    """
    assert froc("--seriesuids", "scans.csv", bootstrap=20) == 0
    said = capsys.readouterr().out
    assert said.startswith("4 scans, 4 marks\nnodules")
    assert said.endswith("wrote out\n")
    found = metrics(folder)
    assert [found[f"sensitivity_at_{rate}"] for rate in ("0.125", "0.25", "0.5", "8")] == [0, 0.5, 1, 1]
    assert found["cpm"] == pytest.approx(5.5 / 7)
    assert "cpm_low" in found
    with (folder / "out" / "nodules.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seriesuid"], row["rank"], row["diameter_error_mm"]) for row in rows] == [
        ("LKDS-00001", "1", ""),
        ("LKDS-00002", "2", ""),
    ]
    assert (folder / "out" / "froc.png").is_file()


def test_excluded_findings(folder):
    """What is in them does not count: an empty or negative diameter is 10 mm."""
    rows = "seriesuid,coordX,coordY,coordZ,diameter_mm\nLKDS-00001,54,0,0,-1\nLKDS-00002,94,0,0,\n"
    (folder / "excluded.csv").write_text(rows)
    assert froc("--excluded", "excluded.csv", "--seriesuids", "scans.csv") == 0
    assert metrics(folder)["cpm"] == 1


def test_without_a_list_the_tables_name_the_scans(folder, capsys, caplog):
    """Two scans instead of four: twice the rates."""
    with caplog.at_level(logging.WARNING, "tomobundles"):
        assert froc() == 0
    assert "no --seriesuids" in caplog.text
    assert capsys.readouterr().out.startswith("2 scans")
    assert metrics(folder)["sensitivity_at_0.5"] == 0.5


def test_diameters_are_read_where_they_are(folder):
    text = "probability;seriesuid;coordX;coordY;coordZ;diameter_mm\n0,5;LKDS_00001;1,5;0;0;7,5\n"
    (folder / "found.csv").write_text("\ufeff" + text.replace("\n", "\r\n"))
    assert froc("--seriesuids", "scans.csv") == 0
    with (folder / "out" / "nodules.csv").open() as file:
        row = next(csv.DictReader(file))
    assert (row["probability"], row["centre_error_mm"], row["diameter_error_mm"]) == ("0.5", "1.5", "-0.5")


def test_a_list_leaves_scans_out_and_says_so(folder, caplog):
    (folder / "scans.csv").write_text("seriesuid\nLKDS-00001\n")
    with caplog.at_level(logging.WARNING, "tomobundles"):
        assert froc("--seriesuids", "scans.csv") == 0
    assert "annotations.csv: 1 scans are not in the list, e.g. LKDS-00002" in caplog.text
    assert "found.csv: 1 scans are not in the list, e.g. LKDS-00002" in caplog.text
    assert metrics(folder)["cpm"] == 1


def test_nothing_submitted_scores_nothing(folder):
    (folder / "found.csv").write_text("seriesuid,coordX,coordY,coordZ,probability\n")
    assert froc("--seriesuids", "scans.csv") == 0
    assert metrics(folder)["cpm"] == 0


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("found.csv", "seriesuid,coordX,coordY,coordZ\na,1,2,3\n", "no column 'probability'"),
        ("found.csv", FOUND.replace("0.9\n", "high\n"), "line 2: probability is 'high'"),
        ("found.csv", FOUND.replace("LKDS-", "other-"), "none of its 2 scans is known, e.g. 'other-00001'"),
        ("annotations.csv", NODULES.replace(",8\n", ",-8\n"), "line 2: a diameter of -8 mm"),
        ("scans.csv", "\n", "no scan in this list"),
    ],
)
def test_bad_input_is_said_in_three_lines(file, text, said, folder, capsys):
    (folder / file).write_text(text)
    assert froc("--seriesuids", "scans.csv") == 1
    error = capsys.readouterr().err
    assert said in error
    assert file in error
    assert not (folder / "out").exists()


def test_scans_that_no_annotation_knows(folder, capsys):
    (folder / "found.csv").write_text(FOUND.replace("LKDS-", "other-"))
    assert froc() == 1
    assert "scans are named as in annotations.csv" in capsys.readouterr().err
