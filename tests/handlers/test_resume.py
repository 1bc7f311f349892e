# SPDX-License-Identifier: Apache-2.0
"""Going on with a stopped training."""

from __future__ import annotations

import math

import ignite.distributed as idist
import pytest
import torch
from ignite.engine import Events
from monai.handlers import LrScheduleHandler, ValidationHandler
from torch import nn

from tomobundles.handlers import CheckpointHandler, ResumeHandler
from tomobundles.utils import InputError


class Scaler:
    """Gives the trainer a gradient scaler as it starts, where mixed precision would."""

    def __init__(self, scale):
        self.scale = scale

    def attach(self, engine):
        scaler = torch.amp.GradScaler("cpu", init_scale=self.scale)
        engine.add_event_handler(Events.STARTED, lambda e: setattr(e, "scaler", scaler))


class Training:
    """A deterministic training with momentum and a schedule; ``resume`` goes on from the folder's last.pt."""

    def __init__(
        self,
        engines,
        folder,
        *,
        epochs,
        values=(),
        resume=False,
        schedule_epochs=None,
        network=None,
        lr_scheduler=True,
        length=2,
        last=False,
        scale=None,
    ):
        torch.manual_seed(0)
        self.network = network or nn.Conv2d(1, 1, 1)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9)
        polynomial = torch.optim.lr_scheduler.PolynomialLR(
            self.optimizer, schedule_epochs or epochs, power=1.0
        )
        self.schedule = polynomial if lr_scheduler else None
        self.evaluator = engines.evaluator(list(values) + [0.0] * epochs)
        parts = {"network": self.network, "optimizer": self.optimizer, "lr_scheduler": self.schedule}
        handlers = [
            CheckpointHandler(folder, evaluator=self.evaluator, **parts),
            ValidationHandler(1, self.evaluator),
        ]
        handlers += [LrScheduleHandler(self.schedule)] if lr_scheduler else []
        if resume:
            resumed = ResumeHandler(folder / "last.pt", evaluator=self.evaluator, **parts)
            handlers.insert(len(handlers) if last else 0, resumed)
        if scale:
            handlers.insert(0, Scaler(scale))
        options = {"network": self.network, "optimizer": self.optimizer, "loss": nn.MSELoss()}
        self.trainer = engines.trainer(handlers, epochs=epochs, length=length, **options)

    def __call__(self):
        self.trainer.run()
        return self

    @property
    def weights(self):
        return [parameter.item() for parameter in self.network.parameters()]


@pytest.mark.parametrize("last", [True, False])
def test_the_same_as_without_a_stop(engines, tmp_path, last):
    # the data are always the same: stopping must leave no trace in weights, momentum, rate or counters
    whole = Training(engines, tmp_path / "a", epochs=4)()
    Training(engines, tmp_path / "b", epochs=2, schedule_epochs=4)()
    resumed = Training(engines, tmp_path / "b", epochs=4, resume=True, last=last)()
    assert resumed.weights == whole.weights
    assert resumed.optimizer.param_groups[0]["lr"] == whole.optimizer.param_groups[0]["lr"] == 0
    assert (resumed.trainer.state.epoch, resumed.trainer.state.iteration) == (4, 8)


def test_the_best_is_remembered(engines, tmp_path):
    Training(engines, tmp_path, epochs=2, values=[0.3, 0.9])()
    before = (tmp_path / "model.pt").read_bytes()
    run = Training(engines, tmp_path, epochs=4, values=[0.5, 0.6], resume=True)()
    assert (tmp_path / "model.pt").read_bytes() == before
    assert run.trainer.state.best_validation_metric == run.evaluator.state.best_metric == 0.9
    assert run.trainer.state.best_validation_epoch == run.evaluator.state.best_metric_epoch == 2


def test_a_better_epoch_still_wins(engines, tmp_path):
    Training(engines, tmp_path, epochs=2, values=[0.3, 0.4])()
    run = Training(engines, tmp_path, epochs=3, values=[0.5], resume=True)()
    assert run.trainer.state.best_validation_epoch == 3


def test_into_another_folder_the_best_is_looked_for_anew(engines, tmp_path, caplog):
    Training(engines, tmp_path, epochs=2, values=[0.3, 0.9])()
    (tmp_path / "model.pt").unlink()  # as if last.pt alone were taken along
    run = Training(engines, tmp_path, epochs=4, values=[0.6, 0.5], resume=True)()
    assert (tmp_path / "model.pt").is_file()
    assert (run.trainer.state.best_validation_epoch, run.trainer.state.best_validation_metric) == (3, 0.6)
    assert "model.pt: the best epoch is looked for anew" in caplog.text


def test_no_best_so_far(engines, tmp_path):
    Training(engines, tmp_path, epochs=1, values=[math.nan])()
    run = Training(engines, tmp_path, epochs=2, values=[0.1], resume=True)
    run()
    assert run.evaluator.state.best_metric == 0.1


def test_random_states_come_back_on_rank_0_only(engines, tmp_path, monkeypatch):
    Training(engines, tmp_path, epochs=1)()
    expected = torch.rand(1)
    Training(engines, tmp_path, epochs=1, resume=True)()
    assert torch.rand(1) == expected
    run = Training(engines, tmp_path, epochs=1, resume=True)
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    run()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_longer_schedule_goes_on(engines, tmp_path, caplog):
    caplog.set_level("INFO", logger="tomobundles")
    Training(engines, tmp_path, epochs=2)()  # the rate has come down to 0
    run = Training(engines, tmp_path, epochs=4, resume=True)
    rates = []
    run.trainer.add_event_handler(
        Events.EPOCH_STARTED, lambda e: rates.append(e.optimizer.param_groups[0]["lr"])
    )
    run()
    # 0.1 (1 - epochs done / 4)
    assert rates == pytest.approx([0.05, 0.025])
    assert "the schedule's length is now {'total_iters': 4}; learning rate 0.05" in caplog.text


def test_epochs_of_another_length(engines, tmp_path):
    Training(engines, tmp_path, epochs=2, length=2)()
    run = Training(engines, tmp_path, epochs=3, length=5, resume=True)
    seen = []
    run.trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda e: seen.append((e.state.epoch, e.state.iteration))
    )
    run()
    assert seen == [(3, 11), (3, 12), (3, 13), (3, 14), (3, 15)]


def test_nothing_left_to_train(engines, tmp_path, caplog):
    Training(engines, tmp_path, epochs=2)()
    run = Training(engines, tmp_path, epochs=2, resume=True)()
    assert run.trainer.state.epoch == 2
    assert "all 2 epochs are done already" in caplog.text


def test_a_gradient_scaler_comes_back(engines, tmp_path):
    Training(engines, tmp_path, epochs=1, scale=8.0)()
    run = Training(engines, tmp_path, epochs=2, scale=2.0, resume=True)()
    assert run.trainer.scaler.get_scale() == 8.0


def test_a_network_that_does_not_fit(engines, tmp_path):
    Training(engines, tmp_path, epochs=1)()
    run = Training(engines, tmp_path, epochs=2, resume=True, network=nn.Conv2d(1, 2, 1))
    with pytest.raises(
        InputError, match=r"last\.pt\ndoes not fit the network \(Error.*\nResume with the conf"
    ):
        run()


def test_an_optimizer_that_does_not_fit(engines, tmp_path):
    Training(engines, tmp_path, epochs=1)()
    run = Training(engines, tmp_path, epochs=2, resume=True)
    run.optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
    with pytest.raises(InputError, match="does not fit the optimizer"):
        run()


def test_a_schedule_that_is_not_there(engines, tmp_path):
    Training(engines, tmp_path, epochs=1, lr_scheduler=False)()
    with pytest.raises(InputError, match="holds no lr_scheduler"):
        Training(engines, tmp_path, epochs=2, resume=True)()


def test_no_schedule_wanted(engines, tmp_path):
    Training(engines, tmp_path, epochs=1)()
    assert Training(engines, tmp_path, epochs=2, resume=True, lr_scheduler=False)().trainer.state.epoch == 2


def test_no_such_file(engines, tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        Training(engines, tmp_path, epochs=2, resume=True)()
