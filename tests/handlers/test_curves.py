# SPDX-License-Identifier: Apache-2.0
"""The course of a training on disk."""

from __future__ import annotations

import math

import ignite.distributed as idist
import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import LrScheduleHandler, ValidationHandler

from tomobundles.handlers import CurvesHandler, LossTermsHandler
from tomobundles.handlers import curves as curves_module
from tomobundles.handlers.curves import draw_curves

PNG = b"\x89PNG\r\n\x1a\n"


def run(engines, folder, *, epochs=2, values=(0.5, 0.6, 0.7), interval=1, **options):
    network = torch.nn.Conv2d(1, 1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    evaluator = engines.evaluator(values)
    curves = CurvesHandler(folder, evaluator=evaluator, **options)
    handlers = [
        curves,
        ValidationHandler(interval, evaluator),
        LrScheduleHandler(schedule),
        LossTermsHandler(),
    ]
    trainer = engines.trainer(handlers, epochs=epochs, network=network, optimizer=optimizer)
    trainer.run()
    return trainer


def test_history_by_hand(engines, tmp_path):
    run(engines, tmp_path, epochs=3, values=[0.5], interval=2)
    # losses as in test_loss_terms; the learning rate is that of the epoch, before the schedule's step
    assert (tmp_path / "history.csv").read_text() == (
        "epoch,lr,loss,loss_a,loss_b,score\n"
        "1,0.1,16.5,1.5,15,\n"
        "2,0.05,38.5,3.5,35,0.5\n"
        "3,0.025,60.5,5.5,55,\n"
    )
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)


def test_an_undefined_value_is_nan(engines, tmp_path):
    run(engines, tmp_path, epochs=1, values=[math.nan])
    assert (tmp_path / "history.csv").read_text().splitlines()[1].endswith(",nan")


def test_drawing_is_limited_but_for_the_end(engines, tmp_path, monkeypatch):
    drawn = []
    original = curves_module.draw_curves
    monkeypatch.setattr(
        curves_module, "draw_curves", lambda rows, **given: drawn.append(len(rows)) or original(rows, **given)
    )
    run(engines, tmp_path, epochs=3, min_seconds=3600)
    assert drawn == [1, 3]
    drawn.clear()
    run(engines, tmp_path, epochs=2, min_seconds=0)
    assert drawn == [1, 2, 2]


class AfterTwoEpochs:
    """Sets the counters as a resume does."""

    def attach(self, engine):
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine):
        engine.state.epoch, engine.state.iteration = 2, 4


def test_a_resumed_run_goes_on(engines, tmp_path):
    run(engines, tmp_path, epochs=3)
    engines.trainer([CurvesHandler(tmp_path), AfterTwoEpochs()], epochs=4).run()
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2", "3", "4"]
    assert lines[2].split(",")[2] == "38.5"  # the old epoch 2
    assert lines[3] == "3,0.1,,,,"  # the new epoch 3, without loss terms and validation


def test_a_fresh_run_starts_a_fresh_table(engines, tmp_path):
    run(engines, tmp_path, epochs=3)
    run(engines, tmp_path, epochs=1)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 2


def test_running_the_same_trainer_again_starts_a_fresh_table(engines, tmp_path):
    trainer = engines.trainer([CurvesHandler(tmp_path)], epochs=2)
    trainer.run()
    trainer.run()
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2"]


def test_nothing_trained_nothing_written(engines, tmp_path):
    engines.trainer([CurvesHandler(tmp_path), AfterTwoEpochs()], epochs=2).run()
    assert not list(tmp_path.iterdir())


def test_an_engine_without_optimizer(tmp_path):
    engine = Engine(lambda _engine, _batch: None)
    CurvesHandler(tmp_path).attach(engine)
    engine.run([0])
    assert (tmp_path / "history.csv").read_text() == "epoch\n1\n"


def test_only_rank_0_writes(engines, tmp_path, monkeypatch):
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    run(engines, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_panels_and_points():
    rows = [
        {"epoch": 1, "lr": 0.1, "loss": 3.0, "loss_dice": 2.0, "score": 0.2},
        {"epoch": 2, "lr": 0.1, "loss": 2.0, "loss_dice": 1.5},
        {
            "epoch": 3,
            "lr": 0.1,
            "loss": 1.0,
            "loss_dice": 1.0,
            "dice": 0.5,
            "auc_volume": math.nan,
            "score": 0.4,
        },
    ]
    axes = draw_curves(rows).axes
    assert [ax.get_title() for ax in axes] == ["Loss", "Dice", "AUC by volume", "Other metrics"]
    assert [line.get_label() for line in axes[0].lines] == ["loss", "loss_dice"]
    assert axes[0].lines[0].get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert axes[3].lines[0].get_xydata().tolist() == [[1, 0.2], [3, 0.4]]  # epoch 2 had no validation


@pytest.mark.parametrize("rows", [[], [{"epoch": 1}]])
def test_a_figure_without_values(rows):
    assert draw_curves(rows).axes == []


def test_given_panels_leave_the_rest_to_the_table():
    rows = [{"epoch": 1, "loss": 0.5, "auc_a": 0.8, "other": 1.0}]
    axes = draw_curves(rows, panels={"Loss": "loss", "AUC": "auc_"}).axes
    assert [one.get_title() for one in axes] == ["Loss", "AUC"]
