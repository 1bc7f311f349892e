# SPDX-License-Identifier: Apache-2.0
"""Files of an evaluation of nodules."""

import csv
import json
import logging

import ignite.distributed as idist
import pytest
from ignite.engine import Engine
from PIL import Image

from tests.handlers.chest_scans import chest, evaluate, false, hit, run
from tomobundles.handlers import NoduleMaskScore, NoduleScore, NoduleSummaryHandler
from tomobundles.utils import InputError

SCANS = (
    chest("a", found=[false(0.9), hit(0.5, offset=2)], quality={"level_hu": -400.0}),
    chest("b", found=[false(0.1)], nodules=[[0, 0, 0, 24.0]]),
    chest("c", found=[hit(0.75)]),
)


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of SCANS with a bootstrap."""
    output = tmp_path_factory.mktemp("evaluation") / "new"
    evaluate(SCANS, [NoduleSummaryHandler(output, bootstrap=100)], cpm=NoduleScore())
    return output


def test_all_files_are_there(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "froc.csv",
        "froc.png",
        "froc_bootstrap.csv",
        "metrics.json",
        "nodules.csv",
        "scans.csv",
    ]


def test_metrics(folder):
    """Hits at 0.75 and, behind one false positive of three scans, ...: 2/3 of the nodules from 1/3 on.

    The false positive of 0.9 comes before both: up to a rate of 1/3 nothing is found.
    """
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["cpm"] == pytest.approx(5 * 2 / 3 / 7)
    assert metrics["cpm_low"] <= metrics["cpm"] <= metrics["cpm_high"]
    assert metrics["sensitivity_at_8_high"] == 1
    assert metrics["cpm_6_10"] == pytest.approx(5 / 7)
    assert "cpm_6_10_low" in metrics
    assert metrics["cpm_3_6"] is metrics["cpm_3_6_low"] is None


def test_tables(folder):
    points = read(folder / "froc.csv")
    assert [row["threshold"] for row in points] == ["inf", "0.899999976", "0.75", "0.5", "0.100000001"]
    assert [row["sensitivity"] for row in points] == ["0", "0", "0.333333333", "0.666666667", "0.666666667"]
    assert points[1]["fps_per_scan"] == "0.333333333"
    assert len(read(folder / "froc_bootstrap.csv")) == 10_000
    scans = read(folder / "scans.csv")
    assert [(row["seriesuid"], row["found"], row["level_hu"]) for row in scans] == [
        ("a", "1", "-400"),
        ("b", "0", ""),
        ("c", "1", ""),
    ]
    nodules = read(folder / "nodules.csv")
    assert [(row["rank"], row["probability"], row["centre_error_mm"]) for row in nodules] == [
        ("2", "0.5", "2"),
        ("", "", ""),
        ("1", "0.75", "1"),
    ]


def test_picture(folder):
    with Image.open(folder / "froc.png") as picture:
        assert picture.size == (1050, 690)


def test_the_table_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "tomobundles"):
        state = run(SCANS, cpm=NoduleScore())
        engine = Engine(lambda engine, batch: None)
        engine.state = state
        NoduleSummaryHandler(tmp_path, bootstrap=0)(engine)
    assert f"3 scans evaluated, written to {tmp_path}" in caplog.text
    lines = caplog.text.splitlines()
    assert [line.split("  ")[0] for line in lines[-6:]] == [
        "nodules",
        "all",
        "3-6 mm",
        "6-10 mm",
        "10-20 mm",
        "20 mm and more",
    ]
    assert lines[-5].split() == [
        *["all", "3", "0.4762", "-", "0.000", "0.000"],
        *["0.667"] * 5,
    ]
    assert lines[-4].split()[-8:] == ["-"] * 8
    assert not (tmp_path / "froc_bootstrap.csv").exists()
    assert "cpm_low" not in json.loads((tmp_path / "metrics.json").read_text())


def test_other_bins(tmp_path):
    handlers = [NoduleSummaryHandler(tmp_path, bootstrap=2, edges=[5])]
    evaluate(SCANS, handlers, cpm=NoduleScore(edges=[5]))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert "cpm_5_low" in metrics
    assert "cpm_20" not in metrics


def test_masks_have_a_table(tmp_path):
    run(SCANS, NoduleSummaryHandler(tmp_path, bootstrap=0), cpm=NoduleScore(), dice=NoduleMaskScore())
    assert [row["seriesuid"] for row in read(tmp_path / "masks.csv")] == ["a", "b", "c"]


def test_no_nodule_at_all(tmp_path):
    evaluate([chest("a", nodules=[], found=[false()])], [NoduleSummaryHandler(tmp_path)], cpm=NoduleScore())
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["cpm"] is metrics["cpm_low"] is None
    assert metrics["false_positives_per_scan"] == 1
    assert (tmp_path / "nodules.csv").read_text() == ""
    assert (tmp_path / "froc.png").stat().st_size > 0


def test_without_a_score(tmp_path):
    with pytest.raises(InputError, match="no nodules were scored"):
        run(SCANS, NoduleSummaryHandler(tmp_path))


def test_edges_that_do_not_rise(tmp_path):
    with pytest.raises(InputError, match="size bins"):
        NoduleSummaryHandler(tmp_path, edges=[])


def test_other_ranks_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    run(SCANS, NoduleSummaryHandler(tmp_path), cpm=NoduleScore())
    assert not list(tmp_path.iterdir())
