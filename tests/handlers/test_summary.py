# SPDX-License-Identifier: Apache-2.0
"""The files and the table of an evaluation."""

from __future__ import annotations

import json
import math

import ignite.distributed as idist
import pytest
import torch
from ignite.engine import Engine, Events

from tomobundles.handlers import SummaryHandler

NAN = math.nan
METRICS = {
    "dice_REA": 0.5,
    "dice_SRF": NAN,
    "dice": 0.5,
    "auc_volume_REA": 1.0,
    "auc_volume_SRF": 0.25,
    "auc_volume": 0.625,
    "score": 0.5625,
}
DETAILS = {
    "dice": torch.tensor([[0.5, NAN], [NAN, NAN]], dtype=torch.float64),
    "reference_voxels": torch.tensor([[20e6, 0], [NAN, NAN]], dtype=torch.float64),
    "predicted_voxels": torch.tensor([[1, 2], [NAN, NAN]], dtype=torch.float64),
}


def evaluate(folder, *, metrics=METRICS, details=DETAILS, names=("/a/v0.nii", "/b/v1.nii")):
    engine = Engine(lambda _engine, _batch: None)
    SummaryHandler(folder, ["REA", "SRF"]).attach(engine)

    @engine.on(Events.EPOCH_COMPLETED)
    def _fill(engine):
        engine.state.metrics = dict(metrics)
        if names is not None:
            engine.state.volume_names, engine.state.metric_details = list(names), details

    engine.run([0])


def test_means_as_json(tmp_path):
    evaluate(tmp_path, metrics=METRICS | {"matrix": torch.zeros(2, 2), "loss": torch.tensor(0.5)})
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content == {**METRICS, "dice_SRF": None, "loss": 0.5}


def test_volumes_as_csv(tmp_path):
    evaluate(tmp_path)
    assert (tmp_path / "volumes.csv").read_text() == (
        "volume,dice_REA,dice_SRF,reference_voxels_REA,reference_voxels_SRF,"
        "predicted_voxels_REA,predicted_voxels_SRF\n"
        "v0.nii,0.5000,,20000000,0,1,2\n"
        "v1.nii,,,,,,\n"
    )


def test_full_paths_where_names_repeat(tmp_path):
    evaluate(tmp_path, names=["/a/v.nii", "/b/v.nii"])
    lines = (tmp_path / "volumes.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["volume", "/a/v.nii", "/b/v.nii"]


def test_table_in_the_log(tmp_path, caplog):
    caplog.set_level("INFO", logger="tomobundles")
    evaluate(tmp_path)
    [message] = [record.getMessage() for record in caplog.records if record.name == "tomobundles"]
    assert message == (
        f"2 volumes evaluated, written to {tmp_path}\n"
        "class    Dice  AUC by volume\n"
        "REA    0.5000         1.0000\n"
        "SRF         -         0.2500\n"
        "mean   0.5000         0.6250\n"
        "score 0.5625"
    )


def test_a_metric_of_another_kind(tmp_path, caplog):
    caplog.set_level("INFO", logger="tomobundles")
    evaluate(tmp_path, metrics={"hausdorff": 3.0}, names=None)
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"hausdorff": 3.0}
    assert not (tmp_path / "volumes.csv").exists()
    assert "score" not in caplog.text


@pytest.mark.parametrize("rank", [0, 1])
def test_only_rank_0_writes(tmp_path, monkeypatch, rank):
    monkeypatch.setattr(idist, "get_rank", lambda: rank)
    evaluate(tmp_path / "out")
    assert (tmp_path / "out").exists() == (rank == 0)


def test_repeats_of_even_sharding_come_once(tmp_path, monkeypatch):
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    evaluate(tmp_path, names=["/a/v0.nii", "/a/v0.nii"])
    assert (tmp_path / "volumes.csv").read_text().count("v0.nii") == 1


def test_other_columns_and_score(tmp_path):
    columns = {"F2": "f2", "AUC": "auc", "ECE": "ece"}
    handler = SummaryHandler(tmp_path, ["IPH"], columns=columns, score="f2_micro")
    # AUC has a value of a class but no mean; ECE has neither and is left out
    assert handler.table({"f2_IPH": 0.5, "f2": 0.25, "auc_IPH": 1.0, "f2_micro": 0.75}) == (
        "class      F2     AUC\nIPH    0.5000  1.0000\nmean   0.2500       -\nf2_micro 0.7500"
    )
