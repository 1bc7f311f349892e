# SPDX-License-Identifier: Apache-2.0
"""When which file is written."""

from __future__ import annotations

import math

import ignite.distributed as idist
import pytest
import torch
from ignite.engine import Events
from monai.handlers import LrScheduleHandler, ValidationHandler
from torch import nn

from tomobundles.handlers import CheckpointHandler
from tomobundles.handlers.checkpoint_content import load_checkpoint
from tomobundles.utils import InputError

NAN = math.nan


class EpochNetwork(nn.Module):
    """Its one weight is the number of the epoch that trained it last."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        return inputs * self.weight

    def attach(self, engine):
        engine.add_event_handler(Events.EPOCH_STARTED, lambda e: self.weight.data.fill_(e.state.epoch))


class Run:
    """A training of ``epochs`` whose validations give ``values``."""

    def __init__(
        self, engines, folder, *, epochs, values=(), interval=1, first=True, validate=True, **options
    ):
        self.folder = folder
        self.network = EpochNetwork()
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.5)
        self.evaluator = engines.evaluator(values) if validate else None
        parts = {"network": self.network, "optimizer": self.optimizer, "lr_scheduler": schedule}
        checkpoint = CheckpointHandler(folder, evaluator=self.evaluator, **parts | options)
        handlers = [LrScheduleHandler(schedule)]
        if validate:
            handlers.append(ValidationHandler(interval, self.evaluator))
        handlers.insert(0 if first else len(handlers), checkpoint)
        parts = {"network": self.network, "optimizer": self.optimizer}
        self.trainer = engines.trainer([self.network, *handlers], epochs=epochs, **parts)

    def __call__(self):
        self.trainer.run()
        return self

    @property
    def model_epoch(self):
        return torch.load(self.folder / "model.pt", weights_only=True)["weight"].item()

    @property
    def last(self):
        return load_checkpoint(self.folder / "last.pt")


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([0.1, 0.5, 0.3], 2),
        ([0.5, 0.5, 0.5], 1),  # of equals the first
        ([NAN, 0.2, NAN], 2),  # NaN never wins, nor does it stay
        ([NAN, NAN, 0.0], 3),
        ([-2.0, -3.0, -1.0], 3),
        ([NAN, NAN, NAN], 3),  # never a value: the last
    ],
)
def test_the_best_epoch(engines, tmp_path, values, best):
    assert Run(engines, tmp_path, epochs=3, values=values)().model_epoch == best


@pytest.mark.parametrize("first", [True, False])
def test_last_holds_the_state_after_validation_and_schedule(engines, tmp_path, first):
    run = Run(engines, tmp_path, epochs=2, values=[0.3, 0.4], first=first)()
    last = run.last
    assert (last["epoch"], last["iteration"]) == (2, 4)
    assert (last["best_metric"], last["best_epoch"]) == (0.4, 2)
    assert last["network"]["weight"].item() == 2
    assert last["lr_scheduler"]["last_epoch"] == 2
    assert last["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.025)
    assert set(last["rng"]) == {"python", "numpy", "torch", "cuda"}
    assert last["scaler"] is None


def test_a_run_too_short_to_validate_leaves_both(engines, tmp_path):
    run = Run(engines, tmp_path, epochs=1, interval=2)()
    assert run.model_epoch == 1
    assert (run.last["best_epoch"], math.isnan(run.last["best_metric"])) == (0, True)


def test_epochs_without_validation_do_not_replace_the_best(engines, tmp_path):
    assert Run(engines, tmp_path, epochs=3, values=[0.5], interval=2)().model_epoch == 2


def test_without_evaluator_the_last_epoch_counts(engines, tmp_path):
    assert Run(engines, tmp_path, epochs=3, validate=False, lr_scheduler=None)().model_epoch == 3
    assert load_checkpoint(tmp_path / "last.pt")["lr_scheduler"] is None


def test_each_epoch_is_on_disk_when_the_next_begins(engines, tmp_path):
    run, seen = Run(engines, tmp_path, epochs=3, values=[0.1, 0.2, 0.3]), []
    run.trainer.add_event_handler(Events.EPOCH_STARTED(after=1), lambda: seen.append(run.last["epoch"]))
    run()
    assert seen == [1, 2]


def test_the_evaluator_knows_the_best(engines, tmp_path):
    run = Run(engines, tmp_path, epochs=3, values=[NAN, 0.4, 0.3])()
    assert (run.evaluator.state.best_metric, run.evaluator.state.best_metric_epoch) == (0.4, 2)


def test_another_key_metric(engines, tmp_path):
    run = Run(engines, tmp_path, epochs=2, values=[0.9, 0.1], key_metric_name="dice")
    run.evaluator.add_event_handler(
        Events.EPOCH_COMPLETED, lambda e: e.state.metrics.update(dice=torch.tensor(e.state.epoch / 10))
    )
    assert run().model_epoch == 2


def test_an_unknown_key_metric_is_named(engines, tmp_path):
    run = Run(engines, tmp_path, epochs=1, values=[0.5], key_metric_name="dyce")
    with pytest.raises(InputError, match="gives no metric 'dyce'\nIt gives: score"):
        run()


def test_no_metric_at_all(engines, tmp_path):
    run = Run(engines, tmp_path, epochs=1, values=[0.5])
    run.evaluator.state.key_metric_name = None
    run.evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda e: e.state.metrics.clear())
    with pytest.raises(InputError, match="It gives: none at all"):
        run()


def test_a_gradient_scaler_is_kept(engines, tmp_path):
    run = Run(engines, tmp_path, epochs=1, values=[0.5])
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)  # given as it starts, where mixed precision would
    run.trainer.add_event_handler(Events.STARTED, lambda e: setattr(e, "scaler", scaler))
    assert run().last["scaler"]["scale"] == 8.0


def test_only_rank_0_writes_but_all_keep_count(engines, tmp_path, monkeypatch):
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    run = Run(engines, tmp_path / "out", epochs=2, values=[0.5, 0.6])()
    assert not (tmp_path / "out").exists()
    assert run.trainer.state.best_validation_epoch == 2
