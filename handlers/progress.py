# SPDX-License-Identifier: Apache-2.0
"""Show how far a run has come: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import math
import time

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from .loss_terms import last_loss
from .ordering import attach_last
from .terminal_bar import TerminalBar
from .time_left import TimeLeft, clock

_logger = logging.getLogger("tomobundles")

# Reading the loss makes a GPU wait for its queue, and five times a second is enough for the eye.
_REFRESH_SECONDS = 0.2


class ProgressHandler:
    """Progress of a training (epochs, loss, time left for the whole run) or of an evaluation (volumes).

    Attached to a trainer it shows one bar for the whole run; attached to an evaluator, one bar for each
    evaluation, which goes away when it ends within a training. Where the error output is no terminal, it logs
    one line an epoch instead, and in evaluations one line at most every ``line_seconds``.

    The time left includes the validations still to come, as soon as one was timed. Each engine needs its own
    handler; under distributed training one rank is enough.

    Args:
        evaluator: the evaluator that validates, when attached to a trainer; its runs are timed.
        val_interval: epochs between validations.
        line_seconds: least time between two lines of an evaluation, in seconds.
    """

    def __init__(
        self, *, evaluator: Engine | None = None, val_interval: int = 1, line_seconds: float = 30.0
    ) -> None:
        self.evaluator = evaluator
        self.val_interval = val_interval
        self.line_seconds = line_seconds

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer or an evaluator.

        Args:
            engine: a MONAI trainer or evaluator.
        """
        if isinstance(engine, Evaluator):
            _VolumeProgress(self.line_seconds).attach(engine)
        else:
            _TrainingProgress(engine, self.evaluator, self.val_interval).attach()


class _TrainingProgress:
    def __init__(self, trainer: Engine, evaluator: Engine | None, val_interval: int) -> None:
        self.trainer = trainer
        self.evaluator = evaluator
        self.val_interval = val_interval
        self.bar = TerminalBar()
        self.begin = self.shown = self.validation_begin = 0.0
        self.time_left: TimeLeft | None = None
        self.validated_epoch = 0

    def attach(self) -> None:
        self.trainer.add_event_handler(Events.STARTED, self._start)
        self.trainer.add_event_handler(Events.EPOCH_STARTED, self._start_epoch)
        self.trainer.add_event_handler(Events.ITERATION_COMPLETED, self._show_iteration)
        attach_last(self.trainer, Events.EPOCH_COMPLETED, self._show_epoch)
        self.trainer.add_event_handler(Events.COMPLETED, self.bar.close)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.STARTED, self._start_validation)
            self.evaluator.add_event_handler(Events.COMPLETED, self._finish_validation)

    def _start(self) -> None:
        self.time_left = None

    def _start_epoch(self) -> None:
        if self.time_left is None:  # not earlier: a resume sets the counters while the run starts
            state = self.trainer.state
            total = state.max_epochs * (state.epoch_length or 0)
            self.begin = self.shown = time.monotonic()
            self.time_left = TimeLeft(iterations=total, done=state.iteration)
            self.bar.open(total, self._epoch(), done=state.iteration)

    def _show_iteration(self) -> None:
        state, now = self.trainer.state, time.monotonic()
        ends = state.epoch_length and state.iteration % state.epoch_length == 0
        if self.bar.is_open and (ends or now - self.shown >= _REFRESH_SECONDS):
            self.shown = now
            loss = f"loss {float(last_loss(self.trainer)):.4f}"
            self.bar.show(state.iteration, self._epoch(), f"{loss}, {self._left()} left")

    def _show_epoch(self) -> None:
        if self.bar.is_open:
            return
        state = self.trainer.state
        loss = state.metrics.get("loss", float(last_loss(self.trainer)))
        times = f"elapsed {clock(time.monotonic() - self.begin)}  left {self._left()}"
        _logger.info("%s  loss %.4f%s  %s", self._epoch(), loss, self._score(), times)

    def _epoch(self) -> str:
        return f"epoch {self.trainer.state.epoch}/{self.trainer.state.max_epochs}"

    def _score(self) -> str:
        if self.evaluator is None or self.validated_epoch != self.trainer.state.epoch:
            return ""
        name = self.evaluator.state.key_metric_name
        return f"  {name} {self.evaluator.state.metrics.get(name, math.nan):.4f}" if name else ""

    def _left(self) -> str:
        state, validations = self.trainer.state, 0
        if self.evaluator is not None:
            past = state.epoch if self.validated_epoch == state.epoch else state.epoch - 1
            validations = state.max_epochs // self.val_interval - past // self.val_interval
        elapsed = time.monotonic() - self.begin
        return clock(self.time_left.seconds(state.iteration, elapsed=elapsed, validations_left=validations))

    def _start_validation(self) -> None:
        self.validation_begin = time.monotonic()

    def _finish_validation(self) -> None:
        self.validated_epoch = self.trainer.state.epoch
        if self.time_left is not None:
            self.time_left.add_validation(time.monotonic() - self.validation_begin)


class _VolumeProgress:
    def __init__(self, line_seconds: float) -> None:
        self.line_seconds = line_seconds
        self.bar = TerminalBar()
        self.begin = self.shown = 0.0
        self.volumes = self.total = 0

    def attach(self, evaluator: Engine) -> None:
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._show)
        evaluator.add_event_handler(Events.COMPLETED, self.bar.close)

    def _start(self, engine: Engine) -> None:
        self.begin = self.shown = time.monotonic()
        self.volumes = 0
        sampler = getattr(engine.data_loader, "sampler", None)
        self.total = len(sampler) if sampler is not None else engine.state.epoch_length
        self.bar.open(self.total, f"volume 0/{self.total}", leave=None)

    def _show(self, engine: Engine) -> None:
        output, now = engine.state.output, time.monotonic()
        self.volumes += len(output) if isinstance(output, list) else 1
        if self.bar.is_open:
            self.bar.show(self.volumes, f"volume {self.volumes}/{self.total}", "")
        elif now - self.shown >= self.line_seconds:
            self.shown = now
            left = (now - self.begin) / self.volumes * (self.total - self.volumes)
            times = f"elapsed {clock(now - self.begin)}  left {clock(left)}"
            _logger.info("volume %d/%d  %s", self.volumes, self.total, times)
