# SPDX-License-Identifier: Apache-2.0
"""An evaluator whose share is empty; in a group of processes see test_segmentation_presence_score.py."""

from __future__ import annotations

import ignite.distributed as idist
import pytest
import torch
from ignite.engine import Events
from ignite.metrics import Metric
from monai.data import DataLoader
from torch import distributed, nn

from tomobundles.handlers import DistributedEvaluator


class Count(Metric):
    """How many iterations there were, and whether it was reset."""

    def reset(self):
        self.count = 0

    def update(self, output):
        self.count += 1

    def compute(self):
        return self.count


def _evaluator(items, events):
    evaluator = DistributedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader([{"image": torch.zeros(1, 2)} for _ in range(items)]),
        network=nn.Sequential(nn.Identity(), nn.BatchNorm1d(2)),
        prepare_batch=lambda batch, *_, **__: (batch["image"], None),
        inferer=lambda inputs, network: inputs,
        key_val_metric={"count": Count(output_transform=lambda output: (output, output))},
        decollate=False,
    )
    for event in (Events.STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.COMPLETED):
        evaluator.add_event_handler(event, lambda engine, event=event: events.append(str(event.value)))
    return evaluator


@pytest.mark.parametrize("items", [0, 2])
def test_all_ranks_go_through_the_same_events(items, monkeypatch):
    """A rank without an item tells its metrics and handlers that an evaluation starts and ends."""
    sent, events = [], []
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed, "broadcast", lambda tensor, src: sent.append((tuple(tensor.shape), src)))
    evaluator = _evaluator(items, events)
    evaluator.run(3)
    assert events == ["started", "epoch_started", "epoch_completed", "completed"]
    assert evaluator.state.metrics["count"] == items
    assert (evaluator.state.epoch, evaluator.state.best_metric_epoch) == (3, 3)
    assert sent == [((2,), 0), ((2,), 0), ((), 0)]  # running mean, variance, number of batches


def test_one_process_is_as_monai_has_it():
    events = []
    evaluator = _evaluator(2, events)
    evaluator.run()
    assert evaluator.state.metrics["count"] == 2
    with pytest.warns(UserWarning, match="is empty"):
        _evaluator(0, events).run()
