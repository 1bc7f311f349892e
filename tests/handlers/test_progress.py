# SPDX-License-Identifier: Apache-2.0
"""Progress of trainings and evaluations."""

from __future__ import annotations

import io
import re
import sys

import pytest
from ignite.engine import Events
from monai.handlers import ValidationHandler

from tomobundles.handlers import LossTermsHandler, ProgressHandler
from tomobundles.handlers import progress as progress_module


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """Stands still, but for what is added."""

    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def seconds(monkeypatch):
    monkeypatch.setattr(progress_module, "time", clock := Clock())
    return clock


def let_time_pass(clock, engine, amount):
    engine.add_event_handler(Events.ITERATION_STARTED, lambda: setattr(clock, "now", clock.now + amount))


@pytest.fixture
def lines(caplog):
    caplog.set_level("INFO", logger="tomobundles")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "tomobundles"]


def test_one_line_an_epoch(engines, seconds, lines):
    # an epoch: 3 iterations of 10 s; every second epoch, so twice, a validation of 2 volumes at 60 s
    evaluator = engines.evaluator([0.5, float("nan")])
    handlers = [ProgressHandler(evaluator=evaluator, val_interval=2), ValidationHandler(2, evaluator)]
    trainer = engines.trainer([*handlers, LossTermsHandler()], epochs=5, length=3)
    let_time_pass(seconds, trainer, 10)
    let_time_pass(seconds, evaluator, 60)
    trainer.run()
    assert lines() == [
        # 12 iterations = 2 min; validations are not timed yet
        "epoch 1/5  loss 22.0000  elapsed 0:00:30  left 0:02:00",
        # 9 iterations and the second validation: 90 s + 120 s
        "epoch 2/5  loss 55.0000  score 0.5000  elapsed 0:03:00  left 0:03:30",
        "epoch 3/5  loss 88.0000  elapsed 0:03:30  left 0:03:00",
        "epoch 4/5  loss 121.0000  score nan  elapsed 0:06:00  left 0:00:30",
        "epoch 5/5  loss 154.0000  elapsed 0:06:30  left 0:00:00",
    ]


def test_without_evaluator_and_loss_terms(engines, lines):
    engines.trainer([ProgressHandler()], epochs=1, length=2).run()
    assert [line.split("  ")[:2] for line in lines()] == [["epoch 1/1", "loss 22.0000"]]


def test_a_validation_before_training_does_not_count(engines, seconds, lines):
    evaluator = engines.evaluator([0.1, 0.2, 0.3])
    handlers = [ValidationHandler(1, evaluator, exec_at_start=True), ProgressHandler(evaluator=evaluator)]
    trainer = engines.trainer(handlers, epochs=2, length=2)
    let_time_pass(seconds, trainer, 10)
    let_time_pass(seconds, evaluator, 60)
    trainer.run()
    # 2 iterations of 10 s and the validation of 2 volumes, once more
    assert lines()[0].endswith("elapsed 0:02:20  left 0:02:20")


def test_an_evaluator_without_key_metric(engines, lines):
    evaluator = engines.evaluator([0.1])
    evaluator.state.key_metric_name = None
    trainer = engines.trainer(
        [ValidationHandler(1, evaluator), ProgressHandler(evaluator=evaluator)], epochs=1
    )
    trainer.run()
    assert "score" not in lines()[0]


def test_an_evaluation_logs_now_and_then(engines, seconds, lines):
    evaluator = engines.evaluator([0.5], volumes=5, handlers=[ProgressHandler(line_seconds=30)])
    let_time_pass(seconds, evaluator, 20)
    evaluator.run()
    assert lines() == [
        "volume 2/5  elapsed 0:00:40  left 0:01:00",
        "volume 4/5  elapsed 0:01:20  left 0:00:20",
    ]


def test_volumes_are_counted_in_any_form(engines, seconds, lines):
    evaluator = engines.evaluator(
        [0.5], volumes=2, handlers=[ProgressHandler(line_seconds=0)], decollate=False
    )
    evaluator.data_loader = list(evaluator.data_loader)  # no sampler: iterations are volumes
    evaluator.run()
    assert [line.split("  ")[0] for line in lines()] == ["volume 1/2", "volume 2/2"]


def test_bars_on_a_terminal(engines, monkeypatch, lines):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    evaluator = engines.evaluator([0.5, 0.6], volumes=2, handlers=[ProgressHandler()])
    handlers = [ProgressHandler(evaluator=evaluator), ValidationHandler(1, evaluator)]
    engines.trainer(handlers, epochs=2, length=2).run()
    text = terminal.getvalue()
    assert re.search(r"volume 2/2 100%\|", text)
    last = [line for line in re.split(r"[\r\n]", text) if "epoch" in line][-1]
    assert re.search(r"epoch 2/2 100%\|.*loss 44.0000, 0:00:0\d left", last)
    assert not any("epoch" in line for line in lines())  # no lines beside the bar


def test_the_validation_of_the_current_epoch_is_still_to_come(engines, monkeypatch, seconds):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    evaluator = engines.evaluator([0.5, 0.6], volumes=2)
    handlers = [ProgressHandler(evaluator=evaluator), ValidationHandler(1, evaluator)]
    trainer = engines.trainer(handlers, epochs=2, length=2)
    let_time_pass(seconds, trainer, 10)
    let_time_pass(seconds, evaluator, 60)
    trainer.run()
    lefts = re.findall(r"epoch 2/2.*?(\d:\d\d:\d\d) left", terminal.getvalue())
    # one iteration and a validation of 2 volumes; then the validation alone
    assert list(dict.fromkeys(lefts)) == ["0:02:10", "0:02:00"]


def test_the_loss_is_not_read_at_each_iteration(engines, monkeypatch, seconds):
    monkeypatch.setattr(sys, "stderr", Terminal())
    reads = []
    monkeypatch.setattr(progress_module, "last_loss", lambda _engine: reads.append(1) or 0.0)
    trainer = engines.trainer([ProgressHandler()], epochs=1, length=10)
    let_time_pass(seconds, trainer, 0.0625)
    trainer.run()
    assert len(reads) == 3  # after 0.25 s, 0.5 s and at the end
