# SPDX-License-Identifier: Apache-2.0
"""Means of the loss terms over an epoch."""

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import StatsHandler, from_engine

from tomobundles.handlers import LossTermsHandler
from tomobundles.handlers.loss_terms import last_loss


class Recorder:
    """Copies the metrics as it finds them when an epoch completes."""

    def __init__(self):
        self.seen = []

    def attach(self, engine):
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda e: self.seen.append(dict(e.state.metrics)))


# two epochs of two iterations; the terms are k and 10 k at call k, their sum 11 k:
# epoch 1 means k = 1.5, epoch 2 means k = 3.5
EXPECTED = [{"loss": 11 * k, "loss_a": k, "loss_b": 10 * k} for k in (1.5, 3.5)]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("decollate", [True, False])
def test_means_by_hand_wherever_it_stands(engines, first, decollate):
    recorder, handler = Recorder(), LossTermsHandler()
    handlers = [handler, recorder] if first else [recorder, handler]
    engines.trainer(handlers, epochs=2, length=2, decollate=decollate).run()
    assert recorder.seen == EXPECTED
    assert all(type(value) is float for value in recorder.seen[0].values())


def test_stats_handler_logs_the_terms(engines, caplog):
    stats = StatsHandler(iteration_log=False, name=None)
    trainer = engines.trainer([stats, LossTermsHandler()], epochs=1)
    with caplog.at_level("INFO"):
        trainer.run()
    assert "loss: 16.5000 loss_a: 1.5000 loss_b: 15.0000" in caplog.text


@pytest.mark.parametrize("decollate", [True, False])
def test_monai_reads_the_loss_from_the_output_it_leaves(engines, decollate):
    """As ``--tracking mlflow`` does; of a dictionary it would give a tuple."""
    trainer = engines.trainer([LossTermsHandler()], epochs=1, decollate=decollate)
    trainer.run()
    loss = from_engine(["loss"], first=True)(trainer.state.output)
    assert torch.as_tensor(loss).item() == pytest.approx(22.0)
    assert {"image", "label", "pred", "loss"} <= set(trainer.state.output[0])


def test_a_loss_without_terms(engines):
    trainer = engines.trainer([LossTermsHandler()], epochs=1, loss=torch.nn.L1Loss())
    trainer.run()
    assert list(trainer.state.metrics) == ["loss"]


def test_epochs_of_unknown_length():
    # no epoch length and no loss module: written when the epoch ends
    engine = Engine(lambda _engine, batch: {"loss": torch.tensor(batch)})
    LossTermsHandler().attach(engine)
    engine.run(iter([1.0, 2.0, 6.0]), max_epochs=1)
    assert engine.state.metrics == {"loss": 3.0}


def test_a_term_that_comes_and_goes():
    engine = Engine(lambda _engine, batch: {"loss": batch})
    engine.loss_function = torch.nn.Module()
    LossTermsHandler().attach(engine)

    @engine.on(Events.ITERATION_STARTED)
    def _set_terms(engine):
        engine.loss_function.terms = {"a": 4.0} if engine.state.iteration == 2 else {}

    engine.run([1.0, 3.0], max_epochs=1)
    assert engine.state.metrics == {"loss": 2.0, "loss_a": 4.0}


def test_last_loss_needs_no_gradient(engines):
    trainer = engines.trainer(epochs=1)
    trainer.run()
    assert last_loss(trainer).item() == 22.0
    assert not last_loss(trainer).requires_grad
