# SPDX-License-Identifier: Apache-2.0
"""Pictures of predictions in TensorBoard and MLflow, after each validation of a training."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ignite.engine import Engine, Events
from monai.handlers import MLFlowHandler

from ..data.writers_names import distinct_names, volume_name
from ..utils import InputError
from .nodule_records import engine_scans

_logger = logging.getLogger("tomobundles")

Scan = Mapping[str, Any]


class Picture(Protocol):
    """How one scan of a validation is shown; ``handlers.pictures`` has one for each bundle."""

    def choose(self, output: Scan, item: Scan) -> tuple[list[int], bool]:
        """Slices that the reference makes worth showing, and whether it holds a finding at all.

        Asked once a scan, so that every epoch shows the same slices.
        """

    def draw(self, output: Scan, item: Scan, slices: Sequence[int]) -> np.ndarray:
        """Draw those slices with reference and prediction; (H, W, 3) uint8."""


class PredictionPicturesHandler:
    """Log pictures of the same few volumes after each validation.

    The first validation chooses the volumes: the first ``max_volumes`` whose reference holds a finding, and
    where there are fewer the first others. Later ones show the same volumes and slices again, so that the
    steps of a tag show the course of the training.

    A picture goes to TensorBoard as the image ``prediction/<name>`` at the trainer's epoch, and to the run of
    each ``MLFlowHandler`` of the same evaluator (``--tracking mlflow``) as an image of the same key and step.
    Names are those of results: a DICOM series goes by its SeriesInstanceUID, other scans by the sample's
    "name" or their file's; what is neither a letter a-z, a digit nor one of ``_ - .`` becomes ``_``.

    Only rank 0's own volumes are shown in distributed training.

    Args:
        log_dir: folder of TensorBoard's event files, that of ``TensorBoardStatsHandler``.
        picture: what draws.
        max_volumes: how many volumes, at least 1.
        tag: what names begin with.

    Raises:
        InputError: ``max_volumes`` below 1.
    """

    def __init__(
        self, log_dir: str | PathLike, *, picture: Picture, max_volumes: int = 3, tag: str = "prediction"
    ) -> None:
        if max_volumes < 1:
            raise InputError(f"pictures of {max_volumes} volumes", remedy="give max_volumes of at least 1")
        self.log_dir = Path(log_dir)
        self.picture = picture
        self.max_volumes = max_volumes
        self.tag = tag
        self._names: dict[str, str] = {}
        self._slices: dict[str, list[int]] = {}
        self._chosen: list[str] | None = None
        self._findings: dict[str, np.ndarray] = {}
        self._others: dict[str, np.ndarray] = {}
        self._writer: Any = None

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI evaluator that a trainer's ``ValidationHandler`` runs."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._draw)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        items = getattr(getattr(engine.data_loader, "dataset", None), "data", ())
        self._names = distinct_names([str(item["image"]) for item in items])
        self._findings, self._others = {}, {}

    def _draw(self, engine: Engine) -> None:
        for output, item in engine_scans(engine):
            name = self._name(output, item)
            if name in self._findings or name in self._others or not self._wanted(name):
                continue
            try:
                self._draw_one(name, output, item)
            except InputError as error:  # a network that gives NaN: the training has its say, not a picture
                _logger.warning("no picture of %s: %s", name, error)

    def _wanted(self, name: str) -> bool:
        if self._chosen is not None:
            return name in self._chosen
        return len(self._findings) < self.max_volumes

    def _draw_one(self, name: str, output: Scan, item: Scan) -> None:
        if self._chosen is not None:
            self._findings[name] = self.picture.draw(output, item, self._slices[name])
            return
        slices, finding = self.picture.choose(output, item)
        kept = self._findings if finding else self._others
        if len(kept) < self.max_volumes:
            kept[name] = self.picture.draw(output, item, slices)
            self._slices[name] = slices

    def _name(self, output: Scan, item: Scan) -> str:
        image = item.get("image", output.get("image"))
        meta = getattr(image, "meta", {})
        if meta.get("form") == "dicom":
            return _plain(str(meta["series_uid"]))
        source = str(meta.get("filename_or_obj") or getattr(image, "path", ""))
        return _plain(str(item.get("name") or self._names.get(source) or volume_name(source)))

    def _write(self, engine: Engine) -> None:
        pictures = dict([*self._findings.items(), *self._others.items()][: self.max_volumes])
        if self._chosen is None and pictures:
            self._chosen = list(pictures)
        self._findings, self._others = {}, {}
        if not pictures:
            return
        writer, step = self._open(), engine.state.epoch
        for name, pixels in pictures.items():
            writer.add_image(f"{self.tag}/{name}", pixels, step, dataformats="HWC")
            for handler in mlflow_handlers(engine):
                run = handler.cur_run.info.run_id
                handler.client.log_image(run, pixels, key=f"{self.tag}/{name}", step=step)
        writer.flush()

    def _open(self) -> Any:
        """The event file, made with the first picture."""
        if self._writer is None:
            # not at the top: inference imports this module too, and does without TensorBoard
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.log_dir))
        return self._writer


def mlflow_handlers(engine: Engine) -> list[MLFlowHandler]:
    """MONAI's MLflow handlers of an engine that have a run open.

    ``--tracking mlflow`` appends its handler to the config's list, where nothing can refer to it; so it is
    found by the functions that it has registered with the engine.

    Args:
        engine: a running engine.
    """
    registered = engine._event_handlers.get(Events.STARTED, ())
    owners = [getattr(entry[0], "__self__", None) for entry in registered]
    return [one for one in owners if isinstance(one, MLFlowHandler) and one.cur_run is not None]


def _plain(name: str) -> str:
    """A name that MLflow takes as a key."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", name) or "volume"
