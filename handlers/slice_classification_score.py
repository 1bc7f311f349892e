# SPDX-License-Identifier: Apache-2.0
"""The scores of slices and patients in an evaluator, one of them as its key metric."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Engine
from ignite.metrics import Metric

from ..metrics import SliceClassificationMetrics, SliceRecord
from ..utils import InputError, gather_in_order

_logger = logging.getLogger("tomobundles")


class SliceClassificationScore(Metric):
    """Scores of an evaluator's studies by slice and by patient; ``compute`` gives one of them.

    Use as ``"key_val_metric": {"auc": {"_target_": ...}}`` behind ``SlicePosteriorsd``. Reads the
    decollated ``engine.state.output``, dictionaries with "image", "label" (K + 1, D) and "pred" (see
    ``SlicePosteriorsd``), and of ``engine.state.batch`` "patient" and "study_label" (K + 1,). When an epoch
    of evaluation ends,

    - ``engine.state.metrics`` gets every value of ``metrics.SliceClassificationMetrics.aggregate``, and with
      ``bootstrap`` the bounds ``<metric>_low`` and ``<metric>_high`` of the 95 % intervals over patients;
    - ``engine.state.slice_metrics`` is the ``SliceClassificationMetrics`` of all studies, which
      ``CalibrationHandler`` fits on.

    With several processes the studies of all are scored together, on every rank, in the data set's order; a
    study that the sampler gave to two ranks counts once.

    Args:
        class_names: the K classes, without ``any``.
        key: the score that ``compute`` gives, and that a training chooses its best epoch by. The contest's
            micro F2 cuts scores at 0.5, where a network trained with cross entropy may call nothing for many
            epochs; the mean AUC needs no cut.
        bootstrap: samples of patients for the intervals; 0 leaves them out.
        seed: of the bootstrap.

    Raises:
        InputError: at the end of the epoch, when no study had a label.
    """

    def __init__(
        self, class_names: Sequence[str], *, key: str = "auc", bootstrap: int = 0, seed: int = 0
    ) -> None:
        self.metrics = SliceClassificationMetrics(class_names)
        self.key = key
        self.bootstrap = bootstrap
        self.seed = seed
        self._warned: set[str] = set()
        super().__init__()

    def reset(self) -> None:
        """Forget all studies; called when an evaluation starts."""
        self.metrics.reset()

    @torch.no_grad()
    def iteration_completed(self, engine: Engine) -> None:
        """Take in the studies of one iteration."""
        for output, item in zip(engine.state.output, engine.state.batch, strict=True):
            self.update((output, item))

    def update(self, study: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
        """Take in one study: its output and its batch item."""
        output, item = study
        name = _study_name(output.get("image"))
        self.metrics.update(
            output["pred"],
            output.get("label"),
            study_label=item.get("study_label"),
            name=name,
            patient=str(item.get("patient", name)),
        )

    def compute(self) -> float:
        """The key score over all studies of all processes."""
        return self._key_of(self._gathered().aggregate())

    def completed(self, engine: Engine, name: str) -> None:
        """Put all scores and the studies into the engine's state."""
        metrics = self._gathered()
        values = metrics.aggregate()
        self._warn_undefined(values, len(metrics.records))
        if self.bootstrap:
            intervals = metrics.intervals(samples=self.bootstrap, seed=self.seed)
            for key, interval in intervals.items():
                values |= {f"{key}_low": interval.low, f"{key}_high": interval.high}
        engine.state.metrics.update(values)
        engine.state.metrics[name] = self._key_of(values)
        engine.state.slice_metrics = metrics
        engine.state.volume_names = [record.name for record in metrics.records]

    def _key_of(self, values: Mapping[str, float]) -> float:
        if self.key not in values:
            raise InputError(
                f"no score {self.key!r}", remedy=f"There are {', '.join(sorted(values)[:8])}, ..."
            )
        return values[self.key]

    def _gathered(self) -> SliceClassificationMetrics:
        every = SliceClassificationMetrics(self.metrics.class_names)
        every.records = _gather(self.metrics.records)
        known = any(
            not record.label.isnan().all() or not record.study_label.isnan().all() for record in every.records
        )
        if not known:
            raise InputError(
                f"none of the {len(every.records)} studies has a label to compare with",
                remedy="Name the labels in the datalist, or run inference instead of evaluation.",
            )
        return every

    def _warn_undefined(self, values: Mapping[str, float], studies: int) -> None:
        for name in self.metrics.class_names:
            if math.isnan(values[f"auc_{name}"]) and name not in self._warned:
                self._warned.add(name)
                _logger.warning(
                    "class %s is in none or all of the labelled slices of %d studies: its AUC is undefined",
                    name,
                    studies,
                )


def _study_name(image: Any) -> str:
    """The file, or of DICOM the series: two series may lie in one folder."""
    meta = getattr(image, "meta", {})
    return str(meta.get("series_uid") or meta.get("filename_or_obj", ""))


def _gather(records: list[SliceRecord]) -> list[SliceRecord]:
    """All ranks' records in the data set's order, each study with the labels of one reader once."""
    return gather_in_order(records, pack=SliceRecord.as_lists, unpack=SliceRecord.from_lists, key=_identity)


def _identity(item: Mapping[str, Any]) -> str | None:
    """What two ranks have in common that scored one study; None where it has no name."""
    return json.dumps([item["name"], item["label"], item["study_label"]]) if item["name"] else None
