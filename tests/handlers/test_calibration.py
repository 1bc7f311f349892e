# SPDX-License-Identifier: Apache-2.0
"""Calibration beside the weights, of the evaluation that was the best."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from tomobundles.handlers import CalibrationHandler, CheckpointHandler
from tomobundles.metrics import Calibration, SliceClassificationMetrics, is_better
from tomobundles.transforms import SlicePosteriorsd

from .conftest import make_evaluator

NAMES = ["IPH", "IVH"]


def metrics_of(patients=3):
    """Studies of two slices: IPH is in the first with a high score, IVH nowhere."""
    metrics = SliceClassificationMetrics(NAMES)
    for k in range(patients):
        logits = torch.tensor([[2.0 + k, -2.0 - k], [-3.0, -3.0]])
        prediction = SlicePosteriorsd()({"pred": {"logits": logits}})["pred"]
        label = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
        metrics.update(prediction, label, name=f"v{k}", patient=f"P{k % 2}")
    return metrics


def evaluator_of(values, handlers):
    """An evaluator whose key metric gives one value after the other."""
    evaluator = make_evaluator(values, handlers=handlers)
    evaluator.metric_cmp_fn = is_better
    studies = metrics_of()
    evaluator.add_event_handler(Events.STARTED, lambda e: setattr(e.state, "slice_metrics", studies))
    return evaluator


def written_at(values, path):
    """The evaluations, counted from 1, at which the file that was there was replaced."""
    evaluator = evaluator_of(values, [CalibrationHandler(path)])
    epochs = []
    for epoch in range(1, len(values) + 1):
        path.write_text("earlier")
        evaluator.run(epoch)
        if path.read_text() != "earlier":
            epochs.append(epoch)
    return epochs


@pytest.mark.parametrize(
    ("values", "epochs"),
    [
        ([0.5, 0.4, 0.6, 0.6], [1, 3]),  # of equals the first stays
        ([0.5, math.nan, 0.6], [1, 3]),
        ([math.nan, math.nan, 0.1, math.nan], [1, 2, 3]),  # without a value the latest network is kept
    ],
)
def test_written_when_the_evaluation_is_the_best(tmp_path, values, epochs):
    assert written_at(values, tmp_path / "calibration.json") == epochs


def test_written_where_there_is_none_even_if_not_the_best(tmp_path):
    """A run resumed in another folder, whose best evaluation was before."""
    path = tmp_path / "models" / "calibration.json"
    evaluator = evaluator_of([0.4], [CalibrationHandler(path)])
    evaluator.state.best_metric, evaluator.state.best_metric_epoch = 0.9, 2
    evaluator.run(3)
    assert Calibration.load(path).method == "platt"


def test_it_goes_with_the_weights(tmp_path):
    """calibration.json is written at just the evaluations at which CheckpointHandler writes model.pt."""
    values, network = [math.nan, 0.3, 0.2, 0.5], nn.Conv2d(1, 1, 1)
    evaluator = evaluator_of(values, [CalibrationHandler(tmp_path / "calibration.json")])
    trainer = Engine(lambda _engine, _batch: None)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    CheckpointHandler(tmp_path, network=network, optimizer=optimizer, evaluator=evaluator).attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: evaluator.run(engine.state.epoch))
    seen = []

    def look(_engine):
        files = (tmp_path / name for name in ("calibration.json", "model.pt"))
        seen.append([file.stat().st_ino if file.is_file() else 0 for file in files])

    trainer.add_event_handler(Events.EPOCH_STARTED, look)
    trainer.add_event_handler(Events.COMPLETED, look)
    trainer.run([0], max_epochs=len(values))
    changed = [[a != b for a, b in zip(*pair, strict=True)] for pair in pairwise(seen)]
    assert changed == [[True, True], [True, True], [False, False], [True, True]]


def test_what_is_written(tmp_path, caplog):
    caplog.set_level("INFO", "tomobundles")
    path = tmp_path / "calibration.json"
    evaluator = evaluator_of([0.5], [CalibrationHandler(path, method="temperature", beta=1.0)])
    evaluator.run(1)
    found = Calibration.load(path)
    expected = metrics_of().fit_calibration(method="temperature", beta=1.0, note="2 patients, 6 slices")
    assert found == expected
    assert f"calibrated on 2 patients, 6 slices: {path}" in caplog.text
    # of IVH there is no example: it is left as it is, and said
    assert found.not_fitted["context"] == ["IVH"]
    assert "no context calibration of IVH" in caplog.text


def test_only_the_first_rank_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("tomobundles.handlers.calibration.idist.get_rank", lambda: 1)
    evaluator_of([0.5], [CalibrationHandler(tmp_path / "calibration.json")]).run(1)
    assert not list(tmp_path.iterdir())
