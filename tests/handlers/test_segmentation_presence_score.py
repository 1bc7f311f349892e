# SPDX-License-Identifier: Apache-2.0
"""The key metric in a MONAI evaluator."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.handlers import MetricsSaver, StatsHandler

from tests.handlers.fake_ranks import fake_ranks
from tomobundles.handlers import SegmentationPresenceScore
from tomobundles.handlers import segmentation_presence_score as score_module
from tomobundles.utils import InputError

CLASSES = ["REA", "SRF"]
# Three slices of 2 x 2 pixels. Class 1 is in slices 0 and 1 (8 voxels), class 2 nowhere. Predicted: the upper
# row of slices 0 and 1 (4 voxels), all right: Dice 2*4/(4+8) = 2/3.
LABEL = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
LABEL[..., :2] = 1
PREDICTION = torch.zeros_like(LABEL)
PREDICTION[:, 0, :, :2] = 1
# positives .9 .2, negative .5 -> AUC 1/2; class 2 is one-sided
PRESENCE = torch.tensor([[0.9, 0.2, 0.5], [0.1, 0.1, 0.1]])


def volume(name="/scans/v0.nii", label=LABEL):
    image = MetaTensor(torch.zeros(1, 2, 2, 3), meta={"filename_or_obj": name})
    return {"image": image} | ({} if label is None else {"label": label})


def infer(inputs, _network):
    batch = inputs.shape[0]
    return {"label": PREDICTION.expand(batch, -1, -1, -1, -1), "presence": PRESENCE.expand(batch, -1, -1)}


def infer_mask(inputs, network):
    return {"label": infer(inputs, network)["label"]}


@pytest.mark.parametrize("decollate", [True, False])
def test_score_and_details_in_the_state(engines, decollate):
    volumes = [volume(), volume("/scans/v1.nii", torch.zeros_like(LABEL))]
    metric = SegmentationPresenceScore(CLASSES)
    evaluator = engines.evaluator(metric=metric, volumes=volumes, inferer=infer, decollate=decollate)
    evaluator.run()
    # volume 1 has nothing: no Dice, no AUC by volume; pooled it adds negatives .9 .2 .5 of class 1:
    # pairs of .9: > .5 .2 .5, = .9 -> 3.5; of .2: = .2 -> .5; together 4 of 8
    expected = {
        "dice_REA": 2 / 3,
        "dice_SRF": math.nan,
        "dice": 2 / 3,
        "auc_pooled_REA": 0.5,
        "auc_pooled_SRF": math.nan,
        "auc_pooled": 0.5,
        "auc_volume_REA": 0.5,
        "auc_volume_SRF": math.nan,
        "auc_volume": 0.5,
        "score": 7 / 12,
    }
    assert evaluator.state.metrics == pytest.approx(expected, nan_ok=True)
    assert evaluator.state.best_metric == pytest.approx(7 / 12)
    assert evaluator.state.volume_names == ["/scans/v0.nii", "/scans/v1.nii"]
    details = evaluator.state.metric_details
    np.testing.assert_allclose(details["dice"], [[2 / 3, math.nan], [math.nan, math.nan]])
    np.testing.assert_array_equal(details["auc"], [[0.5, math.nan], [math.nan, math.nan]])
    assert details["reference_voxels"].tolist() == [[8, 0], [0, 0]]
    assert details["predicted_voxels"].tolist() == [[4, 0], [4, 0]]


def test_each_evaluation_starts_anew(engines):
    evaluator = engines.evaluator(
        metric=SegmentationPresenceScore(CLASSES), volumes=[volume()], inferer=infer
    )
    evaluator.run(1)
    evaluator.run(2)
    assert len(evaluator.state.volume_names) == 1


def test_the_name_of_the_metric_is_free(engines):
    metric = SegmentationPresenceScore(CLASSES)
    evaluator = engines.evaluator(metric=metric, volumes=[volume()], inferer=infer_mask, name="val")
    evaluator.run()
    assert evaluator.state.metrics == pytest.approx(
        {"dice_REA": 2 / 3, "dice_SRF": math.nan, "dice": 2 / 3, "val": 2 / 3}, nan_ok=True
    )
    assert set(evaluator.state.metric_details) == {"dice", "reference_voxels", "predicted_voxels"}


def test_detection_alone(engines):
    metric = SegmentationPresenceScore(CLASSES, presence_key="slices")
    evaluator = engines.evaluator(
        metric=metric, volumes=[volume()], inferer=lambda i, n: {"slices": PRESENCE[None]}
    )
    evaluator.run()
    assert evaluator.state.metrics["score"] == 0.5
    assert set(evaluator.state.metric_details) == {"auc"}


def test_an_unlabelled_volume_keeps_its_row(engines):
    volumes = [volume(), volume("/scans/v1.nii", None)]
    evaluator = engines.evaluator(metric=SegmentationPresenceScore(CLASSES), volumes=volumes, inferer=infer)
    evaluator.run()
    assert evaluator.state.metrics["dice"] == pytest.approx(2 / 3)
    assert evaluator.state.volume_names[1] == "/scans/v1.nii"
    for rows in evaluator.state.metric_details.values():
        assert rows.shape == (2, 2)
        assert rows[1].isnan().all()


def test_a_missing_class_is_warned_of_once(engines, caplog):
    evaluator = engines.evaluator(
        metric=SegmentationPresenceScore(CLASSES), volumes=[volume()], inferer=infer
    )
    evaluator.run(1)
    evaluator.run(2)
    warnings = [record.getMessage() for record in caplog.records if record.name == "tomobundles"]
    assert warnings == ["class SRF is in none of the 1 labels: its Dice is undefined and left out"]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (MetaTensor(torch.zeros(1), meta={"filename_or_obj": ["/a/1.png", "/a/2.png"]}), "/a/1.png"),
        (MetaTensor(torch.zeros(1), meta={"filename_or_obj": []}), ""),
        (torch.zeros(1), ""),
        (None, ""),
    ],
)
def test_names_of_volumes(image, name):
    metric = SegmentationPresenceScore(CLASSES)
    metric.update([{"image": image, "label": LABEL, "pred": {"label": PREDICTION}}])
    assert metric.metrics.records[0].name == name


def test_works_with_metrics_saver_and_stats(engines, tmp_path, caplog):
    saver = MetricsSaver(
        str(tmp_path),
        metric_details="*",
        batch_transform=lambda batch: [item["image"].meta for item in batch],
    )
    handlers = [saver, StatsHandler(iteration_log=False, name=None)]
    metric = SegmentationPresenceScore(["REA"])
    with caplog.at_level("INFO"):
        engines.evaluator(metric=metric, volumes=[volume()], inferer=infer_mask, handlers=handlers).run()
    assert (tmp_path / "dice_raw.csv").read_text() == "filename,class0,mean\n/scans/v0.nii,0.6667,0.6667\n"
    assert (tmp_path / "reference_voxels_raw.csv").read_text().endswith("v0.nii,8.0000,8.0000\n")
    assert "score,0.666" in (tmp_path / "metrics.csv").read_text()
    assert "dice: 0.6667 dice_REA: 0.6667 score: 0.6667" in caplog.text


def test_from_a_configuration(engines):
    config = {"_target_": "tomobundles.handlers.SegmentationPresenceScore", "class_names": CLASSES}
    metric = ConfigParser({"metric": config}).get_parsed_content("metric")
    evaluator = engines.evaluator(metric=metric, volumes=[volume()], inferer=infer)
    evaluator.run()
    assert evaluator.state.metrics["score"] == pytest.approx(7 / 12)


def test_an_engine_without_metric_details():
    engine = Engine(lambda _engine, _batch: [{"label": LABEL, "pred": {"label": PREDICTION}}])
    SegmentationPresenceScore(CLASSES).attach(engine, "score")
    engine.run([0])
    assert engine.state.metric_details["dice"].shape == (1, 2)


def test_no_label_at_all_is_an_error(engines):
    volumes = [volume(label=None)] * 2
    evaluator = engines.evaluator(metric=SegmentationPresenceScore(CLASSES), volumes=volumes, inferer=infer)
    with pytest.raises(InputError, match="none of the 2 volumes has a label"):
        evaluator.run()


def test_pred_must_be_a_dictionary():
    with pytest.raises(TypeError, match="pred must be a dictionary of maps, not Tensor"):
        SegmentationPresenceScore(CLASSES).update([{"label": LABEL, "pred": PREDICTION}])


def test_repeats_on_other_ranks_count_once(monkeypatch):
    metric = SegmentationPresenceScore(CLASSES)
    metric.update([{"label": LABEL, "pred": {"label": PREDICTION}}] * 2)
    [record, _] = [one.as_lists() for one in metric.metrics.records]
    named = record | {"name": "v0"}
    other_reader = named | {"reference": [7, 0]}
    fake_ranks(monkeypatch, after=[[named, other_reader], [named, record]])
    rows = score_module._gather(metric.metrics.records)
    # what has no name is never a repeat
    assert [(row.name, row.reference.tolist()) for row in rows] == [
        ("", [8, 0]),
        ("v0", [8, 0]),
        ("", [8, 0]),
        ("v0", [7, 0]),
        ("", [8, 0]),
    ]


def test_two_processes(tmp_path):
    """Three volumes on two ranks, so that one comes twice; the checkpoint is written by rank 0 alone."""
    worker = Path(__file__).with_name("distributed_worker.py")
    ranks = [
        subprocess.Popen([sys.executable, worker, str(rank), tmp_path], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    errors = [rank.communicate(timeout=120)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], errors
    results = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2)]
    for result in results:
        # Dice 1, 0 and 1/2 of three volumes, the repeated one once
        assert result["score"] == pytest.approx(0.5)
        assert result["names"] == ["v0", "v1", "v2"]
        assert result["rows"] == [[1.0], [0.0], [0.5]]
    assert [result["files"] for result in results] == [["last.pt", "model.pt"], []]
    assert results[0]["keys"] == ["bias", "weight"]  # without the "module." of the data-parallel wrapper
