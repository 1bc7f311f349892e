# SPDX-License-Identifier: Apache-2.0
"""Keep the best network and the last training state in files that are always whole."""

from __future__ import annotations

import logging
import math
from os import PathLike
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn
from torch.optim import Optimizer

from ..metrics import is_better
from ..utils import InputError
from .checkpoint_content import FORMAT, bare_module, plain, rng_state, save_atomic
from .ordering import attach_last

_logger = logging.getLogger("tomobundles")


class CheckpointHandler:
    """Write ``model.pt`` (best network) and ``last.pt`` (everything needed to resume) while training.

    ``model.pt`` is the network's bare state dictionary from the epoch with the greatest key metric. NaN never
    wins, of equals the first stays; as long as no epoch had a value, it holds the latest epoch, so that there
    always is one. It is decided when an evaluation completes. ``last.pt`` is written as each epoch ends,
    after validation and the learning rate's step, wherever this handler stands in the list. Both hold CPU
    tensors, numbers and strings, and load with ``torch.load(path, weights_only=True)``.

    Each file is written beside its target, synced and renamed over it. MONAI's CheckpointSaver writes into
    the target itself, because ignite's atomic way makes files that only their owner can read: of 25 runs
    killed while it saved, 15 left a file that could not be read.

    Build it on every rank; only rank 0 writes. The best value so far is
    ``engine.state.best_validation_metric`` and ``best_validation_epoch`` of the trainer (NaN and 0 before the
    first); the evaluator's own ``best_metric`` is kept equal to it.

    Args:
        save_dir: folder of the two files; made when needed. network: the network that is trained, wrapped
        (data parallel, compiled) or not. optimizer: its optimizer. lr_scheduler: the learning rate's
        schedule, if any. evaluator: validates the network and has the key metric; None keeps the latest epoch
        as ``model.pt``. key_metric_name: the value in ``evaluator.state.metrics`` to go by; default: the
        evaluator's key metric.

    Raises:
        InputError: after the first validation, when the evaluator has no such metric.
    """

    def __init__(
        self,
        save_dir: str | PathLike,
        *,
        network: nn.Module,
        optimizer: Optimizer,
        lr_scheduler: Any = None,
        evaluator: Engine | None = None,
        key_metric_name: str | None = None,
    ) -> None:
        self.model_path = Path(save_dir) / "model.pt"
        self.last_path = Path(save_dir) / "last.pt"
        self.network = network
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.evaluator = evaluator
        self.key_metric_name = key_metric_name
        self._trainer: Engine | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer, and to the evaluator's end.

        Args:
            engine: a MONAI trainer.
        """
        self._trainer = engine
        engine.state.best_validation_metric = math.nan
        engine.state.best_validation_epoch = 0
        engine.add_event_handler(Events.EPOCH_STARTED, self._epoch_started)
        attach_last(engine, Events.EPOCH_COMPLETED, self._epoch_completed)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.COMPLETED, self._validated)

    def _epoch_started(self, engine: Engine) -> None:
        """Forget a best epoch whose network is not here: a run was resumed into another folder."""
        if engine.state.best_validation_epoch and idist.get_rank() == 0 and not self.model_path.is_file():
            _logger.warning("no %s: the best epoch is looked for anew", self.model_path)
            engine.state.best_validation_metric, engine.state.best_validation_epoch = math.nan, 0

    def _validated(self, evaluator: Engine) -> None:
        state, value = self._trainer.state, self._key_value(evaluator)
        if is_better(value, state.best_validation_metric):
            state.best_validation_metric, state.best_validation_epoch = value, state.epoch
            self._save_model()
            _logger.info("epoch %d is the best so far (%.4f): %s", state.epoch, value, self.model_path)
        if state.best_validation_epoch:
            evaluator.state.best_metric = state.best_validation_metric
            evaluator.state.best_metric_epoch = state.best_validation_epoch

    def _key_value(self, evaluator: Engine) -> float:
        name = self.key_metric_name or getattr(evaluator.state, "key_metric_name", None)
        if name not in evaluator.state.metrics:
            known = ", ".join(sorted(evaluator.state.metrics)) or "none at all"
            raise InputError(f"the validation gives no metric {name!r}", remedy=f"It gives: {known}.")
        return float(evaluator.state.metrics[name])

    def _epoch_completed(self, engine: Engine) -> None:
        if math.isnan(engine.state.best_validation_metric):
            self._save_model()
        if idist.get_rank() == 0:
            save_atomic(self._content(engine), self.last_path)

    def _save_model(self) -> None:
        if idist.get_rank() == 0:
            save_atomic(plain(bare_module(self.network).state_dict()), self.model_path)

    def _content(self, engine: Engine) -> dict[str, Any]:
        scaler = getattr(engine, "scaler", None)
        states = {
            "network": bare_module(self.network).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": None if self.lr_scheduler is None else self.lr_scheduler.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "rng": rng_state(),
        }
        counters = {
            "format": FORMAT,
            "epoch": engine.state.epoch,
            "iteration": engine.state.iteration,
            "best_metric": engine.state.best_validation_metric,
            "best_epoch": engine.state.best_validation_epoch,
        }
        return plain(counters | states)
