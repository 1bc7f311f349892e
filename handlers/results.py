# SPDX-License-Identifier: Apache-2.0
"""Write every volume's results as soon as it is inferred."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events

from ..data.writers import summarize_volume, write_results, write_volume_csv, zip_submission
from .result_names import ResultNames
from .shares import Share, is_rank0, remove_earlier

_logger = logging.getLogger("tomobundles")


class ResultsHandler:
    """Write masks, tables and pictures of each volume of an evaluator, and one table of all at the end.

    A volume's results are on disk before the next one is inferred: ``output_dir/<name>/``, see
    ``data.writers.write_results``. ``findings.csv`` has a row a volume; with "contest" among the outputs,
    ``submission.zip`` holds the contest's arrays. Both are removed when a run starts and there again when it
    is complete. With several processes each writes its volumes' results, and rank 0 the files of all; so
    ``output_dir`` must be on a disk that all of them see.

    Args:
        output_dir: folder of all results.
        class_names: names of classes 1..K.
        label_values: stored value -> class index, as in training; masks are written with the stored values.
        spacing_mm: rows, columns, slices in mm; None takes a NIfTI's own and leaves lesion volumes blank
            where there is none.
        outputs: which results, see ``data.writers.FORMS``.
        axes: order of stored axes, as given to ``LoadVolumed``.
    """

    def __init__(
        self,
        output_dir: str | PathLike,
        *,
        class_names: Sequence[str],
        label_values: Mapping[str | int, int] | None = None,
        spacing_mm: Sequence[float] | None = None,
        outputs: Sequence[str] = ("mask", "csv", "overlays", "animation"),
        axes: str | None = None,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.label_values = stored_values(label_values or {})
        self.spacing_mm = spacing_mm
        self.outputs = list(outputs)
        self.axes = axes
        self._share = Share()
        self._names = ResultNames(self._share, by_uid=False)
        self._rows: list[tuple[int, dict[str, Any]]] = []

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI evaluator whose data are dictionaries with "image" paths."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self._share = Share(engine)
        self._names = ResultNames(self._share, by_uid=False)
        self._rows = []
        remove_earlier(self._tables())

    def _tables(self) -> list[Path]:
        names = ["findings.csv", *(["submission.zip"] if "contest" in self.outputs else [])]
        return [self.output_dir / name for name in names]

    def _write(self, engine: Engine) -> None:
        for output in engine.state.output:
            self._write_one(output)

    def _write_one(self, output: Mapping[str, Any]) -> None:
        image, prediction = output["image"], output["pred"]
        index = self._share.next_index()
        name, _ = self._names(index, self._share.items[index], image.meta)
        presence = prediction.get("presence")
        content = {
            "class_names": self.class_names,
            "presence": None if presence is None else presence.cpu().numpy(),
            "mask": _volume(prediction["label"]) if "label" in prediction else None,
            "spacing_mm": self._spacing(image),
        }
        write_results(
            source=image.meta["filename_or_obj"],
            image=_volume(image),
            output_dir=self.output_dir,
            label_values=self.label_values or None,
            forms=self.outputs,
            reference=_volume(output["label"]) if isinstance(output.get("label"), torch.Tensor) else None,
            name=name,
            axes=self.axes,
            **content,
        )
        self._rows.append((index, summarize_volume(volume=name, **content)))
        _logger.info("%s: results in %s", name, self.output_dir / name)

    def _spacing(self, image: Any) -> Sequence[float] | None:
        if self.spacing_mm is not None or not image.meta.get("spacing_known"):
            return self.spacing_mm
        return np.linalg.norm(np.asarray(image.affine)[:3, :3], axis=0).tolist()

    def _finish(self) -> None:
        rows = self._share.gather(self._rows)
        if not rows or not is_rank0():
            return
        write_volume_csv(self.output_dir / "findings.csv", rows)
        if "contest" in self.outputs:
            zip_submission(self.output_dir, self.output_dir / "submission.zip")
        _logger.info("%d volumes: %s", len(rows), self.output_dir / "findings.csv")


def stored_values(label_values: Mapping[str | int, int]) -> dict[int, int]:
    """Turn stored value -> class around; of several values of one class the first is written."""
    inverse: dict[int, int] = {}
    for stored, index in label_values.items():
        if index != 0 and int(stored) <= 255:
            inverse.setdefault(int(index), int(stored))
    return inverse


def _volume(volume: torch.Tensor) -> np.ndarray:
    """(1, H, W, D) tensor -> (H, W, D) array, as a view."""
    plain = volume.as_tensor() if hasattr(volume, "as_tensor") else volume
    return plain[0].cpu().numpy()
