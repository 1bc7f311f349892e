# SPDX-License-Identifier: Apache-2.0
"""The course of a training as a table and a figure, renewed after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from monai.utils import is_scalar

from ..utils import atomic_path
from .history import Row, read_history, write_history
from .ordering import attach_last

# Panels by the beginning of a value's name; what fits none goes to the last.
_PANELS = {
    "Loss": "loss",
    "Dice": "dice",
    "AUC by volume": "auc_volume",
    "AUC pooled": "auc_pooled",
    "Other metrics": "",
}
_PANELS_A_ROW = 3


class CurvesHandler:
    """Write ``history.csv`` and ``curves.png`` as each epoch of a training ends.

    A row holds the epoch, the learning rate with which it was trained, the scalars of the trainer's
    ``state.metrics`` (the loss and its terms, from ``LossTermsHandler``) and, in epochs with validation,
    those of the evaluator's. An empty cell is no value, ``nan`` an undefined one. The figure has a panel each
    for losses, Dice, AUC and the rest, or those given. A resumed run goes on with the rows of the epochs
    before it.

    It may stand anywhere in the list: it writes when the other handlers are done with the epoch. Files are
    replaced as a whole; only rank 0 writes.

    Args:
        output_dir: folder of the two files; made when needed.
        evaluator: the evaluator that validates.
        panels: title -> beginning of the names of the values it shows, the first that fits; values that fit
            none are in the table alone. None shows losses, Dice, AUC and all others.
        min_seconds: the figure is not drawn again within this time, except at the end; in seconds.

    Raises:
        InputError: when a resumed run finds another table as ``history.csv``.
    """

    def __init__(
        self,
        output_dir: str | PathLike,
        *,
        evaluator: Engine | None = None,
        panels: Mapping[str, str] | None = None,
        min_seconds: float = 1.0,
    ) -> None:
        self.history_path = Path(output_dir) / "history.csv"
        self.figure_path = Path(output_dir) / "curves.png"
        self.evaluator = evaluator
        self.panels = dict(panels or _PANELS)
        self.min_seconds = min_seconds
        self._rows: list[Row] = []
        self._validation: Row = {}
        self._learning_rate: float | None = None
        self._drawn = -math.inf

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer, and to the evaluator's end.

        Args:
            engine: a MONAI trainer.
        """
        if idist.get_rank() > 0:
            return
        engine.add_event_handler(Events.EPOCH_STARTED, self._start_epoch)
        attach_last(engine, Events.EPOCH_COMPLETED, self._finish_epoch)
        engine.add_event_handler(Events.COMPLETED, self._finish)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.COMPLETED, self._validated)

    def _start_epoch(self, engine: Engine) -> None:
        if engine.state.epoch > 1 and not self._rows:
            self._rows = read_history(self.history_path, before_epoch=engine.state.epoch)
        self._rows = [row for row in self._rows if row["epoch"] < engine.state.epoch]
        self._validation = {}
        # now: at the epoch's end the schedule has moved on to the next one's
        groups = getattr(getattr(engine, "optimizer", None), "param_groups", None)
        self._learning_rate = float(groups[0]["lr"]) if groups else None

    def _validated(self, evaluator: Engine) -> None:
        self._validation = _scalars(evaluator)

    def _finish_epoch(self, engine: Engine) -> None:
        row: Row = {"epoch": engine.state.epoch}
        if self._learning_rate is not None:
            row["lr"] = self._learning_rate
        self._rows.append(row | _scalars(engine) | self._validation)
        write_history(self._rows, self.history_path)
        if time.monotonic() - self._drawn >= self.min_seconds:
            self._draw()

    def _finish(self) -> None:
        if self._rows:
            self._draw()

    def _draw(self) -> None:
        figure = draw_curves(self._rows, panels=self.panels)
        with atomic_path(self.figure_path) as temporary:
            figure.savefig(temporary, dpi=100)
        self._drawn = time.monotonic()


def draw_curves(rows: list[Row], *, panels: Mapping[str, str] | None = None) -> Figure:
    """Draw every column of a history over the epochs, in panels by kind.

    Args:
        rows: one dictionary an epoch, each with ``epoch``.
        panels: see ``CurvesHandler``.

    Returns:
        a figure on the Agg canvas, ready to save.
    """
    columns = dict.fromkeys(key for row in rows for key in row if key not in ("epoch", "lr"))
    beginnings = panels or _PANELS
    shown: dict[str, list[str]] = {}
    for column in columns:
        fitting = [title for title, beginning in beginnings.items() if column.startswith(beginning)]
        for title in fitting[:1]:
            shown.setdefault(title, []).append(column)
    ordered = [title for title in beginnings if title in shown]
    height, width = max(1, math.ceil(len(ordered) / _PANELS_A_ROW)), max(1, min(len(ordered), _PANELS_A_ROW))
    figure = Figure(figsize=(4.5 * width, 3.6 * height), layout="constrained")
    FigureCanvasAgg(figure)
    for index, title in enumerate(ordered):
        axes = figure.add_subplot(height, width, index + 1, title=title, xlabel="epoch")
        for column in shown[title]:
            points = [(row["epoch"], row[column]) for row in rows if column in row]
            axes.plot(*zip(*points, strict=True), marker=".", label=column)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize="small")
    return figure


def _scalars(engine: Engine) -> Row:
    return {name: float(value) for name, value in engine.state.metrics.items() if is_scalar(value)}
