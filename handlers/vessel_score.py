# SPDX-License-Identifier: Apache-2.0
"""Surface Dice as key metric of an evaluator whose volumes stay on disk."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.utils import string_list_all_gather

from ..metrics import VesselScores
from ..utils import InputError

_logger = logging.getLogger("tomobundles")

Record = dict[str, Any]


class VesselScore(Metric):
    """Scores of an evaluator's volumes against their labels; ``compute`` gives one of them, averaged.

    The evaluator's output is a dictionary ``{"pred": Volume of probabilities, "label": Volume of 0/1 or
    None}``, both read slab by slab. When an epoch of evaluation ends,

    - ``engine.state.metrics`` gets the mean over volumes of ``key`` under the metric's name, and that of
      every other number of ``metrics.VesselScores`` under its own;
    - ``engine.state.vessel_records`` gets what ``VesselScores`` found, a dictionary a volume, with "name".

    With several processes the volumes of all count, each once, on every rank.

    Args:
        threshold: least probability of a vessel, in (0, 1].
        key: the number that is the metric's value.
        cldice: compute clDice too, which takes a skeleton of both masks.
        bands_um: edges of bands of vessel radius to score separately, in micrometres where the voxel size is
            known, else in voxels; None leaves them out.
        slab: slices of a slab of the table by slab, and of what is in memory at a time.

    Raises:
        InputError: at the end of the epoch, when no volume had a label.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        key: str = "surface_dice",
        **options: Any,
    ) -> None:
        self.scores = VesselScores(threshold=threshold, **options)
        self.key = key
        self.records: list[Record] = []
        self.names: Any = None
        super().__init__()

    def reset(self) -> None:
        """Forget all volumes; called when an evaluation starts."""
        self.records = []

    def iteration_completed(self, engine: Engine) -> None:
        """Score the volume of this iteration."""
        name = engine.state.batch.get("name") or engine.state.batch["image"].path
        self.update({**engine.state.output, "name": name})

    def update(self, output: Mapping[str, Any]) -> None:
        """Score one volume; one without a label counts for nothing."""
        if output.get("label") is None:
            return
        found = self.scores.score(output["pred"], output["label"])
        self.records.append({"name": str(output.get("name", "")), **found})

    def compute(self) -> float:
        """The mean of ``key`` over the volumes of all processes."""
        self.records = _gather(self.records)
        if not self.records:
            raise InputError(
                "no volume has a label to compare with",
                remedy="Name the labels in the datalist, or run inference instead of evaluation.",
            )
        return self._mean(self.key)

    def completed(self, engine: Engine, name: str) -> None:
        """Put the means and the records into the engine's state."""
        value = self.compute()
        numbers = [key for key, found in self.records[0].items() if isinstance(found, int | float)]
        engine.state.metrics.update({key: self._mean(key) for key in numbers})
        engine.state.metrics[name] = value
        engine.state.vessel_records = self.records

    def _mean(self, key: str) -> float:
        values = [float(record[key]) for record in self.records]
        defined = [value for value in values if not math.isnan(value)]
        return sum(defined) / len(defined) if defined else math.nan


def _gather(records: list[Record]) -> list[Record]:
    """All ranks' records, those of one volume once."""
    if idist.get_world_size() == 1:
        return records
    ranks = [json.loads(text) for text in string_list_all_gather([json.dumps(records)])]
    return list({record["name"]: record for rank in ranks for record in rank}.values())
