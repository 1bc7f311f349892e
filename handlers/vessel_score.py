# SPDX-License-Identifier: Apache-2.0
"""Surface Dice as key metric of an evaluator whose volumes stay on disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine
from ignite.metrics import Metric

from ..data.volumes import ThresholdVolume, Volume
from ..data.volumes.components import remove_small_components
from ..metrics import VesselScores
from ..utils import InputError, gather_in_order

Record = dict[str, Any]


class VesselScore(Metric):
    """Scores of an evaluator's volumes against their labels; ``compute`` gives one of them, averaged.

    The evaluator's output is a dictionary ``{"pred": Volume of probabilities, "label": Volume of 0/1 or
    None}``, both read slab by slab. When an epoch of evaluation ends,

    - ``engine.state.metrics`` gets the mean over volumes of ``key`` under the metric's name, and that of
      every other number of ``metrics.VesselScores`` under its own;
    - ``engine.state.vessel_records`` gets what ``VesselScores`` found, a dictionary a volume, with "name".

    With several processes the volumes of all count, each once, on every rank, in the data set's order.

    Args:
        threshold: least probability of a vessel, in (0, 1].
        key: the number that is the metric's value.
        min_component_voxels: connected components (26 neighbours) of fewer voxels are removed before the
            mask is scored, as ``VesselResultsHandler`` does; up to 1 keeps all.
        work_dir: folder for the mask without them while it is scored.
        options: of ``metrics.VesselScores``: bands of vessel radius, centre-line Dice, slices of a slab.

    Raises:
        InputError: ``min_component_voxels`` without ``work_dir``, and what ``VesselScores`` raises; at the
            end of the epoch, no volume had a label.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        key: str = "surface_dice",
        min_component_voxels: int = 0,
        work_dir: str | PathLike | None = None,
        **options: Any,
    ) -> None:
        if min_component_voxels > 1 and work_dir is None:
            raise InputError("small components are removed on disk", remedy="give work_dir, a folder")
        self.scores = VesselScores(threshold=threshold, **options)
        self.key = key
        self.min_component_voxels = min_component_voxels
        self.work_dir = None if work_dir is None else Path(work_dir)
        self.records: list[Record] = []
        self._items: list[Record | None] = []  # None: an item without a label
        super().__init__()

    def reset(self) -> None:
        """Forget all volumes; called when an evaluation starts."""
        self.records, self._items = [], []

    def iteration_completed(self, engine: Engine) -> None:
        """Score the volume of this iteration."""
        name = engine.state.batch.get("name") or engine.state.batch["image"].path
        self.update({**engine.state.output, "name": name})

    def update(self, output: Mapping[str, Any]) -> None:
        """Score one volume; one without a label counts for nothing."""
        if output.get("label") is None:
            self._items.append(None)
            return
        if self.min_component_voxels > 1:
            found = self._score_without_small(output["pred"], output["label"])
        else:
            found = self.scores.score(output["pred"], output["label"])
        self._items.append({"name": str(output.get("name", "")), **found})

    def _score_without_small(self, probability: Volume, label: Volume) -> Record:
        mask = ThresholdVolume(probability, threshold=self.scores.threshold)
        path = self.work_dir / f"scored_rank{idist.get_rank()}.npy"
        try:
            kept = remove_small_components(mask, min_voxels=self.min_component_voxels, store_path=path)
            return self.scores.score(kept, label)
        finally:
            path.unlink(missing_ok=True)

    def compute(self) -> float:
        """The mean of ``key`` over the volumes of all processes."""
        everything = gather_in_order(self._items, key=lambda item: item and item["name"])
        self.records = [item for item in everything if item is not None]
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
