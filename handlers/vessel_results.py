# SPDX-License-Identifier: Apache-2.0
"""Write every volume's vessels as soon as they are inferred."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from .. import __version__
from ..data.run_lengths import check_order
from ..data.volumes import ThresholdVolume, Volume
from ..data.volumes.components import remove_small_components
from ..data.volumes.find import with_names
from ..data.volumes.writing import storage_errors
from ..utils import InputError, atomic_path
from .rows import write_rows
from .shares import Share, is_rank0, remove_earlier
from .vessel_forms import FORMS, VesselResult
from .vessel_work import join_run_lengths, remove_work

_logger = logging.getLogger("tomobundles")

_TEXT_BYTES = 10**6  # of tables and the run record, about


class VesselResultsHandler:
    """Write masks, tables and pictures of each volume, read slab by slab from its probabilities.

    The evaluator's output is ``{"pred": Volume of probabilities on the volume's own grid, ...}``, its batch
    the sample of ``OpenVolumed``. A volume's results are on disk before the next one is inferred, in
    ``output_dir/<name>/``; ``vessels.csv`` has a row a volume, ``submission.csv`` the run lengths of all,
    with "rle" among the outputs; both are removed when a run starts, and there again when it is complete. The
    work files that an interrupted run goes on with are removed when all volumes are done: the inferer's
    stores, masks, and ``cache_dir`` if it lies in ``output_dir``.

    With several processes each writes its volumes' results, and rank 0 the files of all; so ``output_dir``
    must be on a disk that all of them see.

    Args:
        output_dir: folder of all results.
        threshold: least probability of a vessel, in (0, 1].
        min_component_voxels: connected components (26 neighbours) of fewer voxels are removed; up to 1 keeps
            all.
        outputs: which results, of ``vessel_forms.FORMS``.
        rle_order: "C" for run lengths along rows (SenNet + HOA), "F" for along columns.
        work_dir: folder of the masks while results are written; None for "cache" in ``output_dir``.
        cache_dir: folder of copies of the volumes; None where there are none. One outside ``output_dir`` is
            for other runs too and stays.
        keep_work: keep the work files (probabilities, masks, copies of volumes) at the end.

    Raises:
        InputError: an unknown output or order, or a threshold outside (0, 1]; while running, what the writers
            raise, and a full disk.
    """

    def __init__(
        self,
        output_dir: str | PathLike,
        *,
        threshold: float = 0.5,
        min_component_voxels: int = 0,
        outputs: Sequence[str] = ("mask", "rle", "table", "projections", "page"),
        rle_order: str = "C",
        work_dir: str | PathLike | None = None,
        cache_dir: str | PathLike | None = None,
        keep_work: bool = False,
    ) -> None:
        unknown = [form for form in outputs if form not in FORMS]
        if unknown:
            raise InputError(f"unknown output {unknown[0]!r}", remedy=f"known are {', '.join(FORMS)}")
        if not 0 < threshold <= 1:
            raise InputError(f"threshold is {threshold}", remedy="give a probability above 0, at most 1")
        check_order(rle_order)
        self.output_dir = Path(output_dir)
        self.threshold = threshold
        self.min_component_voxels = min_component_voxels
        self.outputs = list(outputs)
        self.rle_order = rle_order
        self.work_dir = Path(work_dir) if work_dir is not None else self.output_dir / "cache"
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self.keep_work = keep_work
        self._share = Share()
        self._rows: list[tuple[int, dict[str, Any]]] = []
        self._stores: list[Any] = []
        self._began = self._seconds = 0.0

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI evaluator of volumes on disk."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_STARTED, self._begin)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._end)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self._share = Share(engine)
        self._rows, self._stores = [], []
        names = [item["name"] for item in self._share.items if "name" in item]
        if self._share.sharded and (twice := [name for name, count in Counter(names).items() if count > 1]):
            raise InputError(
                f"volume {twice[0]} is listed twice, which two processes would write at once",
                remedy="start one process, or list it in a datalist of its own",
            )
        remove_earlier(self._tables())

    def _tables(self) -> list[Path]:
        names = ["vessels.csv", *(["submission.csv"] if "rle" in self.outputs else [])]
        return [self.output_dir / name for name in names]

    def _begin(self) -> None:
        self._began = time.monotonic()

    def _end(self) -> None:
        self._seconds = time.monotonic() - self._began

    def _write(self, engine: Engine) -> None:
        index, result = self._share.next_index(), self._result(engine)
        result.folder.mkdir(parents=True, exist_ok=True)
        with storage_errors(result.folder, _TEXT_BYTES):
            for form in self.outputs:
                result.write(form)
            row = self._record(result, axes=getattr(engine.inferer, "axes", ()))
        self._rows.append((index, row))
        if store := getattr(engine.inferer, "store", None):
            self._stores.append(store(result.grays))
        _logger.info("%s: results in %s", result.name, result.folder)

    def _result(self, engine: Engine) -> VesselResult:
        item, output = engine.state.batch, engine.state.output
        name = item.get("name") or _name(item["native"])
        return VesselResult(
            name=name,
            folder=self.output_dir / name,
            image=item["native"],
            grays=item["image"],
            probability=output["pred"],
            mask=self._mask(output["pred"], name),
            label=output.get("label"),
            threshold=self.threshold,
            rle_order=self.rle_order,
            network=engine.network,
            num_slices=getattr(engine.inferer, "num_slices", 1),
        )

    def _mask(self, probability: Volume, name: str) -> Volume:
        """The mask on disk: outputs read it again and again."""
        mask = ThresholdVolume(probability, threshold=self.threshold)
        options = {"min_voxels": self.min_component_voxels, "store_path": self._mask_path(name)}
        return remove_small_components(mask, **options)

    def _mask_path(self, name: str) -> Path:
        return self.work_dir / "masks" / f"{name}.npy"

    def _record(self, result: VesselResult, *, axes: Sequence[str]) -> dict[str, Any]:
        """Write what the results were made from and how; returns the row of the table of all volumes."""
        megavoxels = result.voxels / 1e6
        numbers = {
            "slices": result.image.shape[0],
            "voxels": result.voxels,
            "vessel_voxels": result.vessel_voxels,
            "vessel_fraction": result.vessel_voxels / result.voxels,
            "inference_seconds": round(self._seconds, 3),
            "seconds_per_mvoxel": round(self._seconds / megavoxels, 4),
        }
        content = {
            "tomobundles": __version__,
            "volume": result.image.path,
            "shape": list(result.image.shape),
            "spacing_um": result.image.spacing_um,
            "inferred_spacing_um": result.grays.spacing_um,
            "intensity": result.grays.meta.get("intensity"),
            "num_slices": result.num_slices,
            "axes": list(axes),
            "threshold": self.threshold,
            "min_component_voxels": self.min_component_voxels,
            **numbers,
        }
        with atomic_path(result.folder / "run.json") as path:
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return {"name": result.name, **numbers}

    def _finish(self) -> None:
        rows = self._share.gather(self._rows)
        if not rows:
            return
        if is_rank0():
            with storage_errors(self.output_dir, _TEXT_BYTES):
                write_rows(self.output_dir / "vessels.csv", rows)
                if "rle" in self.outputs:
                    join_run_lengths(self.output_dir, [row["name"] for row in rows])
            _logger.info("%d volumes: %s", len(rows), self.output_dir / "vessels.csv")
        if not self.keep_work:
            masks = [self._mask_path(row["name"]) for _, row in self._rows]
            shared = self.cache_dir
            if shared is not None and self.output_dir.resolve() not in shared.resolve().parents:
                shared = None
            remove_work(self._stores, masks=masks, work_dir=self.work_dir, shared=shared)


def _name(volume: Volume) -> str:
    """The name that ``find_tomograms`` would give."""
    return with_names([{"image": volume.path or "volume", "slices": volume.meta.get("slices")}])[0]["name"]
