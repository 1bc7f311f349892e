# SPDX-License-Identifier: Apache-2.0
"""The two-task score as key metric of an evaluator."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.data import decollate_batch
from torch import Tensor

from ..metrics import SegmentationPresenceMetrics, VolumeRecord
from ..utils import InputError, gather_in_order

_logger = logging.getLogger("tomobundles")


class SegmentationPresenceScore(Metric):
    """Dice and presence AUC of an evaluator's volumes; ``compute`` gives the score of both.

    Use as ``"key_val_metric": {"score": {"_target_": ...}}``. The evaluator's output is a list of
    dictionaries, or one dictionary with a leading batch axis::

        {"image": (1, H, W, D), "label": (1, H, W, D) or None,
         "pred": {"label": (1, H, W, D) class map, "presence": (K, D) scores}}

    of which ``pred`` may lack one entry. When an epoch of evaluation ends,

    - ``engine.state.metrics`` gets the score under its name and every other value of
      ``metrics.SegmentationPresenceMetrics.aggregate`` under that value's own name;
    - ``engine.state.metric_details`` gets one row a volume, ``(N, K)`` float64: ``dice``, ``auc``,
      ``reference_voxels``, ``predicted_voxels``; MONAI's ``MetricsSaver`` writes them;
    - ``engine.state.volume_names`` gets the N names, from the image's ``filename_or_obj``.

    With several processes the volumes of all are scored together, on every rank, in the data set's order; a
    volume that the sampler gave to two ranks counts once.

    Args:
        class_names: names of the classes 1 to K.
        ignore_label: label value of pixels to leave out.
        prediction_key: key of the class map in ``pred``.
        presence_key: key of the presence scores in ``pred``.

    Raises:
        TypeError: ``pred`` is no dictionary.
        InputError: at the end of the epoch, when no volume had a label.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        *,
        ignore_label: int = 255,
        prediction_key: str = "label",
        presence_key: str = "presence",
    ) -> None:
        self.metrics = SegmentationPresenceMetrics(class_names, ignore_label=ignore_label)
        self.prediction_key = prediction_key
        self.presence_key = presence_key
        self.values: dict[str, float] = {}
        self._rows: list[VolumeRecord] = []
        self._warned: set[str] = set()
        super().__init__()

    def reset(self) -> None:
        """Forget all volumes; called when an evaluation starts."""
        self.metrics.reset()

    @torch.no_grad()
    def iteration_completed(self, engine: Engine) -> None:
        """Take in the evaluator's output as it is, list or dictionary."""
        self.update(engine.state.output)

    def update(self, output: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> None:
        """Take in the volumes of one iteration."""
        for item in decollate_batch(output) if isinstance(output, Mapping) else output:
            prediction = item["pred"]
            if not isinstance(prediction, Mapping):
                raise TypeError(f"pred must be a dictionary of maps, not {type(prediction).__name__}")
            self.metrics.update(
                prediction.get(self.prediction_key),
                item.get("label"),
                prediction.get(self.presence_key),
                name=_volume_name(item.get("image")),
            )

    def compute(self) -> float:
        """The score over all volumes of all processes."""
        self._rows = _gather(self.metrics.records)
        if not any(record.reference is not None or record.targets is not None for record in self._rows):
            raise InputError(
                f"none of the {len(self._rows)} volumes has a label to compare with",
                remedy="Name the labels in the datalist, or run inference instead of evaluation.",
            )
        every = SegmentationPresenceMetrics(self.metrics.class_names, ignore_label=self.metrics.ignore_label)
        every.records = self._rows
        self.values = every.aggregate()
        self._warn_undefined(len(self._rows))
        return self.values["score"]

    def completed(self, engine: Engine, name: str) -> None:
        """Put the score, its parts and the rows of the volumes into the engine's state."""
        score = self.compute()
        engine.state.metrics.update({key: value for key, value in self.values.items() if key != "score"})
        engine.state.metrics[name] = score
        details = {
            "dice": [record.dice for record in self._rows],
            "auc": [record.auc for record in self._rows],
            "reference_voxels": [record.reference for record in self._rows],
            "predicted_voxels": [record.predicted for record in self._rows],
        }
        if not hasattr(engine.state, "metric_details"):
            engine.state.metric_details = {}
        engine.state.metric_details.update(
            {key: self._table(rows) for key, rows in details.items() if any(row is not None for row in rows)}
        )
        engine.state.volume_names = [record.name for record in self._rows]

    def _table(self, rows: list[Tensor | None]) -> Tensor:
        """Stack to (N, K) float64; a volume without a row (no label) is NaN."""
        missing = torch.full((len(self.metrics.class_names),), math.nan, dtype=torch.float64)
        return torch.stack([missing if row is None else row.double() for row in rows])

    def _warn_undefined(self, volumes: int) -> None:
        for name in self.metrics.class_names:
            if math.isnan(self.values.get(f"dice_{name}", 0.0)) and name not in self._warned:
                self._warned.add(name)
                _logger.warning(
                    "class %s is in none of the %d labels: its Dice is undefined and left out", name, volumes
                )


def _volume_name(image: Any) -> str:
    name = getattr(image, "meta", {}).get("filename_or_obj", "")
    if isinstance(name, (list, tuple)):  # a volume of many files goes by the first
        name = name[0] if name else ""
    return str(name)


def _gather(records: list[VolumeRecord]) -> list[VolumeRecord]:
    """All ranks' records in the data set's order, each volume with one label once."""
    return gather_in_order(records, pack=VolumeRecord.as_lists, unpack=VolumeRecord.from_lists, key=_identity)


def _identity(item: Mapping[str, Any]) -> str | None:
    """What two ranks have in common that scored one volume; None where it has no name."""
    return json.dumps([item["name"], item["reference"], item["targets"]]) if item["name"] else None
