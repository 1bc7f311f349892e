# SPDX-License-Identifier: Apache-2.0
"""Means as JSON, rows as CSV."""

import json
import logging
import math
from types import SimpleNamespace

import ignite.distributed as idist
import pytest
from ignite.engine import Engine

from tomobundles.handlers.vessel_summary import VesselSummaryHandler, summary_table


@pytest.fixture
def engine():
    records = [
        {
            "name": "kidney_1",
            "surface_dice": 0.5,
            "cldice": math.nan,
            "reference_voxels": 12,
            "slabs": [{"first": 0, "surface_dice": 0.25}],
            "bands": [{"from_um": 0.0, "dice": None}],
        },
        {
            "name": "kidney_2",
            "surface_dice": 0.75,
            "cldice": 1.0,
            "reference_voxels": 3,
            "slabs": [],
            "bands": [],
        },
    ]
    state = SimpleNamespace(
        metrics={"surface_dice": 0.625, "cldice": math.nan, "table": [1, 2]}, vessel_records=records
    )
    return SimpleNamespace(state=state)


def test_files(engine, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "tomobundles"):
        VesselSummaryHandler(tmp_path / "evaluation")(engine)
    folder = tmp_path / "evaluation"
    assert json.loads((folder / "metrics.json").read_text()) == {"surface_dice": 0.625, "cldice": None}
    rows = (folder / "volumes.csv").read_text().splitlines()
    assert rows == [
        "name,surface_dice,cldice,reference_voxels",
        "kidney_1,0.5,,12",
        "kidney_2,0.75,1,3",
    ]
    assert (folder / "slabs.csv").read_text() == "name,first,surface_dice\nkidney_1,0,0.25\n"
    assert (folder / "bands.csv").read_text() == "name,from_um,dice\nkidney_1,0,\n"
    assert "kidney_2        0.7500  1.0000" in caplog.text


def test_other_ranks_write_nothing(tmp_path, monkeypatch):
    evaluator = Engine(lambda engine, batch: None)
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    VesselSummaryHandler(tmp_path).attach(evaluator)
    evaluator.run([0])
    assert not list(tmp_path.iterdir())


def test_a_table_of_nothing_has_its_header_alone():
    assert summary_table([]) == "volume"


def test_attaches_to_the_end(engine, tmp_path):
    evaluator = Engine(lambda engine, batch: None)
    VesselSummaryHandler(tmp_path).attach(evaluator)
    evaluator.state.vessel_records = engine.state.vessel_records
    evaluator.run([0])
    assert (tmp_path / "metrics.json").is_file()
