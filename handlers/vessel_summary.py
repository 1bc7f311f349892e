# SPDX-License-Identifier: Apache-2.0
"""The result of an evaluation of vessels: means, a row a volume, rows by slab and by vessel radius."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.utils import is_scalar

from .rows import cell, write_metrics, write_rows

_logger = logging.getLogger("tomobundles")

_LOGGED = ("surface_dice", "dice", "cldice", "precision", "recall")


class VesselSummaryHandler:
    """Write an evaluation's ``metrics.json``, ``volumes.csv``, ``slabs.csv`` and ``bands.csv``; log a table.

    ``metrics.json`` holds the means over volumes, an undefined one as null; ``volumes.csv`` a row a volume;
    the others a row for each slab of slices and for each band of vessel radius of each volume, where
    ``VesselScore`` was asked for them. An empty cell is undefined. Files are replaced as a whole; only rank 0
    writes.

    Args:
        output_dir: folder of the files; made when needed.
    """

    def __init__(self, output_dir: str | PathLike) -> None:
        self.output_dir = Path(output_dir)

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI evaluator with ``VesselScore`` among its metrics."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the files and the table."""
        metrics = {name: float(value) for name, value in engine.state.metrics.items() if is_scalar(value)}
        write_metrics(self.output_dir / "metrics.json", metrics)
        records = getattr(engine.state, "vessel_records", [])
        numbers = [{key: one for key, one in record.items() if not _is_table(one)} for record in records]
        write_rows(self.output_dir / "volumes.csv", numbers)
        for table in dict.fromkeys(key for record in records for key in record if _is_table(record[key])):
            rows = [{"name": record["name"], **row} for record in records for row in record.get(table) or []]
            write_rows(self.output_dir / f"{table}.csv", rows)
        _logger.info(
            "%d volumes evaluated, written to %s\n%s", len(records), self.output_dir, summary_table(numbers)
        )


def summary_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Volumes and their scores as lines of text."""
    shown = [key for key in _LOGGED if any(key in row for row in rows)]
    width = max([len("volume"), *(len(str(row["name"])) for row in rows)])
    lines = ["  ".join(["volume".ljust(width), *shown])]
    for row in rows:
        cells = [cell(row.get(key), digits=".4f").rjust(len(key)) for key in shown]
        lines.append("  ".join([str(row["name"]).ljust(width), *cells]))
    return "\n".join(lines)


def _is_table(value: Any) -> bool:
    return isinstance(value, list)
