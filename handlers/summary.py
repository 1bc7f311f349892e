# SPDX-License-Identifier: Apache-2.0
"""The result of an evaluation: means as JSON, one row a volume as CSV, a table in the log."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.utils import is_scalar
from torch import Tensor

from ..utils import atomic_path

_logger = logging.getLogger("tomobundles")

_COLUMNS = ("dice", "auc", "reference_voxels", "predicted_voxels")
_MEANS = {"Dice": "dice", "AUC by volume": "auc_volume", "AUC pooled": "auc_pooled"}


class SummaryHandler:
    """Write ``metrics.json`` and ``volumes.csv`` when an evaluation completes, and log a table of the means.

    ``metrics.json`` holds the scalars of ``engine.state.metrics``, an undefined one as null. ``volumes.csv``
    has one row a volume: its name, then for each class the Dice, the AUC and the voxels in the reference and
    in the prediction, as far as ``SegmentationPresenceScore`` gave them; an empty cell is undefined. Names
    are file names, or full paths where file names repeat.

    Files are replaced as a whole; only rank 0 writes.

    Args:
        output_dir: folder of the two files; made when needed.
        class_names: names of the classes 1 to K.
        columns: title -> metric, the columns of the logged table: a class's value is the metric's name, an
            underscore and the class, the mean's is the metric's name alone; None takes Dice and AUC.
        score: name of the metric in the table's last line.
    """

    def __init__(
        self,
        output_dir: str | PathLike,
        class_names: Sequence[str],
        *,
        columns: Mapping[str, str] | None = None,
        score: str = "score",
    ) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.columns = dict(columns or _MEANS)
        self.score = score

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator.

        Args:
            engine: a MONAI evaluator with ``SegmentationPresenceScore`` or ``SliceClassificationScore`` among
                its metrics.
        """
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the files and the table.

        Args:
            engine: the evaluator that has completed.
        """
        metrics = {name: float(value) for name, value in engine.state.metrics.items() if is_scalar(value)}
        with atomic_path(self.output_dir / "metrics.json") as path:
            content = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        rows = _rows(getattr(engine.state, "volume_names", []))
        details = getattr(engine.state, "metric_details", {})
        if rows and details:
            self._write_volumes(rows, {key: details[key] for key in _COLUMNS if key in details})
        summary = f"{len(rows)} volumes evaluated, written to {self.output_dir}"
        _logger.info("%s\n%s", summary, self.table(metrics))

    def _write_volumes(self, rows: Mapping[int, str], details: Mapping[str, Tensor]) -> None:
        header = ["volume", *(f"{key}_{name}" for key in details for name in self.class_names)]
        with (
            atomic_path(self.output_dir / "volumes.csv") as path,
            open(path, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for index, name in rows.items():
                cells = [_cell(key, value) for key in details for value in details[key][index].tolist()]
                writer.writerow([name, *cells])

    def table(self, metrics: Mapping[str, float]) -> str:
        """The means as text: a line for each class, the mean over classes, the score.

        Args:
            metrics: flat values by name, as in ``engine.state.metrics``.
        """
        means = {title: name for title, name in self.columns.items() if self._has(metrics, name)}
        width = max(len(name) for name in [*self.class_names, "class"])
        rows = [["class", *means]]
        for label, suffix in [*((name, f"_{name}") for name in self.class_names), ("mean", "")]:
            rows.append([label, *(_mean(metrics.get(name + suffix, math.nan)) for name in means.values())])
        widths = [max(len(title), len("0.0000")) for title in means]
        lines = [
            "  ".join(
                [row[0].ljust(width), *(text.rjust(w) for text, w in zip(row[1:], widths, strict=True))]
            )
            for row in rows
        ]
        last = [f"{self.score} {_mean(metrics[self.score])}"] if self.score in metrics else []
        return "\n".join(lines + last)

    def _has(self, metrics: Mapping[str, float], name: str) -> bool:
        return name in metrics or any(f"{name}_{class_name}" in metrics for class_name in self.class_names)


def _rows(names: Sequence[str]) -> dict[int, str]:
    """Which rows to write, by what name: once where even sharding over processes repeats a volume."""
    repeats = idist.get_world_size() > 1
    rows = {i: name for i, name in enumerate(names) if not (repeats and name and name in names[:i])}
    short = [Path(name).name for name in rows.values()]
    return dict(zip(rows, short, strict=True)) if len(set(short)) == len(short) else rows


def _cell(key: str, value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.0f}" if key.endswith("voxels") else f"{value:.4f}"


def _mean(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
