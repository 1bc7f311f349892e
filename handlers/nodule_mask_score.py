# SPDX-License-Identifier: Apache-2.0
"""How well nodules are outlined, and how far their centres and diameters are off."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing

from ..metrics import mask_dice, mask_errors, sphere_errors
from ..utils import InputError
from .nodule_records import ScanRecord, engine_scans, gather_records, scan_record
from .rows import Row

_logger = logging.getLogger("tomobundles")


class NoduleMaskScore(Metric):
    """Dice of nodule masks and errors of centres and diameters; ``compute`` gives the mean Dice.

    Reads "pred" of ``engine.state.output`` and "nodules", "excluded" and "mask" of ``engine.state.batch``;
    "mask" of both lie on the lung grid, (1, H, W, D). When an epoch of evaluation ends,
    ``engine.state.metrics`` gets, besides the metric's own value,

    - dice: mean over the scans with a nodule mask;
    - mask_centre_error_mm, mask_diameter_error_mm: means over the nodules of those masks that the segmented
      mask touches, of the distance of the centres of mass and of the absolute difference of the diameters of
      spheres of equal volume; mask_found: share of the nodules that it touches;
    - centre_error_mm, diameter_error_mm: the same of the best candidate in each annotated nodule, mask or
      not; diameter_bias_mm: mean difference, found minus true.

    ``engine.state.mask_rows`` gets a row a scan. What no scan can tell is NaN. With several processes the
    scans of all count, each once.

    Raises:
        InputError: at the end of the epoch, no scan; masks that do not fit.
    """

    def __init__(self) -> None:
        self.records: list[ScanRecord] = []
        self._warned = False
        super().__init__()

    def reset(self) -> None:
        """Forget all scans; called when an evaluation starts."""
        self.records = []

    def iteration_completed(self, engine: Engine) -> None:
        """Take in the scans of one iteration."""
        for output, item in engine_scans(engine):
            self.update((output, item))

    def update(self, scan: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
        """Take in one scan: its output and its batch item; masks are compared now and not kept."""
        output, item = scan
        pred = output["pred"]
        record = scan_record(pred, item, masks=_mask_scores(pred.get("mask"), item.get("mask")))
        self.records.append(record)

    def compute(self) -> float:
        """The mean Dice over the scans of all processes; NaN where none has a mask."""
        return _summary(self._all())["dice"]

    def completed(self, engine: Engine, name: str) -> None:
        """Put the means and the rows into the engine's state."""
        records = self._all()
        summary = _summary(records)
        if math.isnan(summary["dice"]) and not self._warned:
            self._warned = True
            _logger.warning("none of the %d scans has a nodule mask to compare", len(records))
        engine.state.metrics.update(summary)
        engine.state.metrics[name] = summary["dice"]
        engine.state.mask_rows = [_row(record) for record in records]

    def _all(self) -> list[ScanRecord]:
        records = gather_records(self.records)
        if not records:
            raise InputError("no scan was evaluated", remedy="check that the datalist's section has scans")
        return records


def _mask_scores(prediction: Any, reference: Any) -> Row:
    """Dice and errors of a scan's masks in plain numbers; empty where one mask is missing."""
    if prediction is None or reference is None:
        return {}
    spacing = affine_to_spacing(reference.affine) if isinstance(reference, MetaTensor) else np.ones(3)
    centre, size = mask_errors(prediction[0], reference[0], spacing=tuple(map(float, spacing)))
    return {
        "dice": mask_dice(prediction, reference),
        "centre": centre.tolist(),
        "size": size.tolist(),
    }


def _summary(records: list[ScanRecord]) -> dict[str, float]:
    dice = [record.masks["dice"] for record in records if record.masks]
    mask_centre, mask_size = (
        _joined(record.masks.get(key, []) for record in records) for key in ("centre", "size")
    )
    errors = [_point_errors(record) for record in records]
    centre, size = (_joined(pair[index] for pair in errors) for index in (0, 1))
    return {
        "dice": _mean(np.array(dice)),
        "mask_centre_error_mm": _mean(mask_centre),
        "mask_diameter_error_mm": _mean(np.abs(mask_size)),
        "mask_found": float(np.isfinite(mask_centre).mean()) if len(mask_centre) else math.nan,
        "centre_error_mm": _mean(centre),
        "diameter_error_mm": _mean(np.abs(size)),
        "diameter_bias_mm": _mean(size),
    }


def _row(record: ScanRecord) -> Row:
    centre, size = _point_errors(record)
    masks = record.masks
    return {
        "seriesuid": record.seriesuid,
        "patient": record.patient,
        "dice": masks.get("dice"),
        "mask_centre_error_mm": _mean(np.array(masks.get("centre", []))),
        "mask_diameter_error_mm": _mean(np.abs(masks.get("size", []))),
        "centre_error_mm": _mean(centre),
        "diameter_error_mm": _mean(np.abs(size)),
    }


def _point_errors(record: ScanRecord) -> tuple[np.ndarray, np.ndarray]:
    return sphere_errors(record.world, record.nodules, record.match().hit_index)


def _joined(parts: Any) -> np.ndarray:
    return np.concatenate([np.zeros(0), *map(np.asarray, parts)])


def _mean(values: np.ndarray) -> float:
    """Mean of what is defined."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan
