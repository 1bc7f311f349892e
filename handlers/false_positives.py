# SPDX-License-Identifier: Apache-2.0
"""The false positives of a detector, kept as hard negatives for the next stage of training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events

from ..metrics.nodule_matching import within
from ..utils import InputError
from .nodule_records import ScanRecord, engine_scans, gather_records, scan_record
from .rows import Row, write_rows

_logger = logging.getLogger("tomobundles")

COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm", "probability")


class FalsePositivesHandler:
    """Write ``false_positives.csv`` and ``hits.csv`` when an evaluation completes.

    A false positive is a candidate of at least ``min_probability`` that lies farther than ``margin`` radii
    from the centre of every nodule and every excluded finding: what lies at a nodule's border is no clear
    negative. A hit lies within the radius of a nodule. Candidates between the two, and those in excluded
    findings, are in neither table.

    Columns are those of LUNA16's tables: seriesuid, coordX, coordY, coordZ (LPS mm), diameter_mm and
    probability; scan by scan, the most probable first. Files are replaced as a whole. Attach it on every
    rank: the scans of all are gathered, and rank 0 writes.

    Args:
        output_dir: folder of the two files; made when needed.
        min_probability: least probability of a false positive; hits of any probability are written.
        max_per_scan: false positives of a scan at most, the most probable ones; 0 for all.
        margin: distance from a finding in radii, at least 1.

    Raises:
        InputError: a probability outside 0-1, a negative number, or a margin below 1.
    """

    def __init__(
        self,
        output_dir: str | PathLike,
        *,
        min_probability: float = 0.1,
        max_per_scan: int = 20,
        margin: float = 1.5,
    ) -> None:
        if not 0 <= min_probability <= 1 or max_per_scan < 0 or margin < 1:
            raise InputError(
                f"min_probability {min_probability}, max_per_scan {max_per_scan}, margin {margin}",
                remedy="give a probability in 0-1, a number from 0 and a margin from 1",
            )
        self.output_dir = Path(output_dir)
        self.min_probability = min_probability
        self.max_per_scan = max_per_scan
        self.margin = margin
        self.records: list[ScanRecord] = []

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator whose output holds detection results."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._take)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the tables of all scans."""
        records = gather_records(self.records)
        if idist.get_rank() > 0:
            return
        false = [row for record in records for row in self._false_positives(record)]
        hits = [row for record in records for row in _hits(record)]
        write_rows(self.output_dir / "false_positives.csv", false, columns=COLUMNS)
        write_rows(self.output_dir / "hits.csv", hits, columns=COLUMNS)
        _logger.info(
            "%d false positives of probability %g or more and %d hits in %d scans, written to %s",
            len(false),
            self.min_probability,
            len(hits),
            len(records),
            self.output_dir,
        )

    def _start(self) -> None:
        self.records = []

    def _take(self, engine: Engine) -> None:
        for output, item in engine_scans(engine):
            self.records.append(scan_record(output["pred"], item))

    def _false_positives(self, record: ScanRecord) -> list[Row]:
        findings = np.array([*record.nodules, *record.excluded], np.float64).reshape(-1, 4)
        points = np.array(record.world, np.float64).reshape(-1, 4)
        probable = np.array(record.probability, np.float64) >= self.min_probability
        kept = np.flatnonzero(probable & ~within(points, findings, factor=self.margin).any(axis=1))
        rows = _rows(record, kept)
        return rows[: self.max_per_scan] if self.max_per_scan else rows


def _hits(record: ScanRecord) -> list[Row]:
    points = np.array(record.world, np.float64).reshape(-1, 4)
    return _rows(record, np.flatnonzero(within(points, record.nodules).any(axis=1)))


def _rows(record: ScanRecord, numbers: Sequence[int]) -> list[Row]:
    """The candidates as rows, the most probable first; coordinates to 0.1 um."""
    ranked = sorted(numbers, key=lambda number: -record.probability[number])
    return [
        {"seriesuid": record.seriesuid}
        | {name: f"{value:.4f}" for name, value in zip(COLUMNS[1:5], record.world[number], strict=True)}
        | {"probability": record.probability[number]}
        for number in ranked
    ]
