# SPDX-License-Identifier: Apache-2.0
"""Fit the calibration on the studies of an evaluation and keep it beside the weights."""

from __future__ import annotations

import logging
import math
from os import PathLike
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events

_logger = logging.getLogger("tomobundles")


class CalibrationHandler:
    """Write ``calibration.json`` when an evaluation was the best so far.

    During a training it follows ``CheckpointHandler``: the calibration is of the network in ``model.pt``. On
    its own (calibrate.json) an evaluator's only run is the best one, so that it is always written: so a
    hospital fits probabilities and thresholds to its own patients, weights untouched.

    Put it among the evaluator's handlers: these run before the checkpoint is written.

    Args:
        path: the JSON file, replaced as a whole, see ``metrics.Calibration``.
        method: "platt", "temperature" or "identity".
        beta: thresholds are the cuts with the best F-beta.
    """

    def __init__(self, path: str | PathLike, *, method: str = "platt", beta: float = 2.0) -> None:
        self.path = Path(path)
        self.method = method
        self.beta = beta

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI evaluator whose key metric is ``SliceClassificationScore``."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Fit and write, if this was the best evaluation; the first one always is written.

        As long as no evaluation had a value, ``model.pt`` is of the latest one, and so is the calibration.
        """
        state = engine.state
        best = state.best_metric_epoch == state.epoch or math.isnan(state.best_metric)
        if not best and self.path.is_file():
            return
        metrics = state.slice_metrics
        patients = len({record.patient for record in metrics.records})
        slices = sum(record.label.shape[1] for record in metrics.records)
        note = f"{patients} patients, {slices} slices"
        calibration = metrics.fit_calibration(method=self.method, beta=self.beta, note=note)
        calibration.save(self.path)
        _logger.info("calibrated on %s: %s", note, self.path)
