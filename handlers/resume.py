# SPDX-License-Identifier: Apache-2.0
"""Go on with a training that was stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn
from torch.optim import Optimizer

from ..utils import InputError
from .checkpoint_content import bare_module, load_checkpoint, restore_rng_state

_logger = logging.getLogger("tomobundles")

# How long torch's schedules are. These stay as configured, so that a run can be made longer.
_LENGTHS = ("total_iters", "T_max", "total_steps")


class ResumeHandler:
    """As training starts, restore network, optimizer, schedule, counters, best metric, random states.

    Reads the ``last.pt`` of ``CheckpointHandler`` (``weights_only``, so no pickled object is loaded). It may
    stand anywhere in the list of the trainer's handlers. The run goes on with the epoch after the stored one,
    up to the trainer's ``max_epochs``. It is not bit-identical to one that was never stopped: the order of
    the data and the random transforms of worker processes start anew. Other ranks than 0 keep their own
    random states.

    A schedule whose length is configured otherwise than stored keeps the configured length.

    Args:
        path: a ``last.pt``.
        network: the network that is trained, wrapped or not.
        optimizer: its optimizer.
        lr_scheduler: the learning rate's schedule, if any.
        evaluator: the evaluator whose ``best_metric`` to restore, for its log.

    Raises:
        InputError: when training starts: no such file, none of ours, or it does not fit what is trained.
    """

    def __init__(
        self,
        path: str | PathLike,
        *,
        network: nn.Module,
        optimizer: Optimizer,
        lr_scheduler: Any = None,
        evaluator: Engine | None = None,
    ) -> None:
        self.path = Path(path)
        self.network = network
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.evaluator = evaluator

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer.

        Args:
            engine: a MONAI trainer.
        """
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Restore everything.

        Args:
            engine: the trainer that starts.
        """
        content = load_checkpoint(self.path)
        self._load("network", bare_module(self.network).load_state_dict, content["network"])
        self._load("optimizer", self.optimizer.load_state_dict, content["optimizer"])
        if self.lr_scheduler is not None:
            self._load("lr_scheduler", self._load_schedule, content["lr_scheduler"])
        if getattr(engine, "scaler", None) is not None and content["scaler"]:
            engine.scaler.load_state_dict(content["scaler"])
        if idist.get_rank() == 0:
            restore_rng_state(content["rng"])
        self._restore_counters(engine, content)
        _logger.info("resumed after epoch %d from %s", engine.state.epoch, self.path)
        if engine.state.epoch >= engine.state.max_epochs:
            _logger.warning("all %d epochs are done already: nothing is trained", engine.state.max_epochs)

    def _load(self, name: str, load: Callable[[Any], Any], state: Any) -> None:
        if state is None:
            raise InputError(
                f"holds no {name}", path=self.path, remedy="Resume with the configuration it came from."
            )
        try:
            load(state)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"does not fit the {name} ({reason})",
                path=self.path,
                remedy="Resume with the configuration that the checkpoint came from.",
            ) from error

    def _load_schedule(self, state: dict[str, Any]) -> None:
        scheduler = self.lr_scheduler
        lengths = {key: getattr(scheduler, key) for key in _LENGTHS if hasattr(scheduler, key)}
        changed = {key: value for key, value in lengths.items() if state.get(key, value) != value}
        scheduler.load_state_dict(state | lengths)
        if changed and hasattr(scheduler, "_get_closed_form_lr"):
            # torch's schedules multiply the last rate; one that had come down to 0 would stay there for ever
            rates = scheduler._get_closed_form_lr()
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
            _logger.info("the schedule's length is now %s; learning rate %g", changed, rates[0])

    def _restore_counters(self, engine: Engine, content: dict[str, Any]) -> None:
        state = engine.state
        state.epoch = content["epoch"]
        # counted from the epochs, since another batch size or data set gives epochs of another length
        state.iteration = (
            content["epoch"] * state.epoch_length if state.epoch_length else content["iteration"]
        )
        state.best_validation_metric = content["best_metric"]
        state.best_validation_epoch = content["best_epoch"]
        if self.evaluator is not None and content["best_epoch"]:
            self.evaluator.state.best_metric = content["best_metric"]
            self.evaluator.state.best_metric_epoch = content["best_epoch"]
