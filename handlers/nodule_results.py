# SPDX-License-Identifier: Apache-2.0
"""Write every chest CT's nodule candidates as soon as it is inferred, and the tables of all at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from ..data.nodules.case import NoduleCase
from ..data.nodules.tables import (
    Row,
    case_row,
    contest_rows,
    nodule_rows,
    refused_case_row,
    write_cases_csv,
    write_contest_csv,
    write_nodules_csv,
)
from ..data.nodules.writers import CASE_FORMS, CaseOptions, check_outputs, write_case
from ..data.study_dicom import source_files
from ..data.study_result import StudyRefusal
from ..data.study_tables import write_refusals_csv
from ..utils import InputError
from .nodule_case import nodule_case
from .result_names import ResultNames
from .shares import Share, end_with_refusals, is_rank0, remove_earlier

_logger = logging.getLogger("tomobundles")

CONTEST = "contest_csv"
_PREDICTIONS, _PARTS = "predictions.csv", "predictions.part*.csv"


class NoduleResultsHandler:
    """Write lists, masks, pictures, a page and DICOM of each scan of an evaluator.

    The evaluator gives one scan at a time: ``engine.state.batch`` is the sample (``collate_one``) and
    ``engine.state.output["pred"]`` the candidates with their world points (``NodulesToWorldd``). A scan's own
    results are on disk before the next one is inferred, in ``output_dir/<name>/``; with "contest_csv",
    ``predictions.csv`` is then written anew with all candidates so far. When all scans are done,
    ``nodules.csv`` has a row a candidate and ``cases.csv`` a row a scan; refused scans are in ``cases.csv``
    too and in ``refusals.csv``, and the run then ends with an error that counts them. The files of all scans
    are removed when a run starts.

    With several processes each writes its scans' results, and its candidates so far to
    ``predictions.part<rank>.csv``; at the end rank 0 writes the files of all, and the parts go. So
    ``output_dir`` must be on a disk that all of them see.

    A DICOM series goes by its UIDs in every file and name (StudyInstanceUID; a further series of the study by
    its own UID): folders and identifiers of the input may name the patient. Other scans go by the sample's
    "name", "patient" and "seriesuid", else by their file.

    Args:
        output_dir: folder of all results.
        outputs: of ``data.nodules.writers.CASE_FORMS`` ("ranked", "boxes", "mask", "lungs",
            "structured_report", "contact_sheet", "html", "lung_quality") and "contest_csv".
        mask_probability: candidates from here on are drawn in the mask and count as nodules in cases.csv.
        report_probability: candidates below it are in predictions.csv only.
        refused: scans that were refused before.
        identified: copy the patient's identity into the DICOM objects.
        model: name of the network, for the page.

    Raises:
        InputError: an unknown output, or a probability outside 0-1.
    """

    def __init__(
        self,
        output_dir: str | PathLike,
        *,
        outputs: Sequence[str] = (CONTEST, "ranked", "contact_sheet", "html"),
        mask_probability: float = 0.5,
        report_probability: float = 0.1,
        refused: Sequence[StudyRefusal] = (),
        identified: bool = False,
        model: str = "",
    ) -> None:
        check_outputs(outputs, [*CASE_FORMS, CONTEST])
        self.output_dir = Path(output_dir)
        self.outputs = list(outputs)
        self.options = {"mask_probability": mask_probability, "report_probability": report_probability}
        self.options["identified"] = identified
        CaseOptions(**self.options)
        self.refused = list(refused)
        self.model = model
        self._start_anew(Share())
        self._clock: dict[str, float] = {}

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI evaluator behind ``NodulesToWorldd``."""
        engine.add_event_handler(Events.STARTED, self._start)
        for event, stage in (
            (Events.GET_BATCH_STARTED, "before"),
            (Events.GET_BATCH_COMPLETED, "load"),
            (IterationEvents.FORWARD_COMPLETED, "network"),
        ):
            engine.add_event_handler(event, self._mark, stage)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self._start_anew(Share(engine))
        names = ["nodules.csv", "cases.csv", "refusals.csv", *([_PREDICTIONS] if self._contest else [])]
        remove_earlier([*(self.output_dir / name for name in names), *self.output_dir.glob(_PARTS)])

    def _start_anew(self, share: Share) -> None:
        self._share = share
        self._names = ResultNames(share)
        self._tables: list[tuple[int, _Rows]] = []
        self._refused: list[tuple[int, StudyRefusal]] = []

    @property
    def _contest(self) -> bool:
        return CONTEST in self.outputs

    def _mark(self, stage: str) -> None:
        self._clock[stage] = time.monotonic()

    def _write(self, engine: Engine) -> None:
        output, item = _single(engine.state.output), _single(engine.state.batch)
        image = item.get("image", output["image"])
        index = self._share.next_index()
        name, base = self._names(index, self._share.items[index], image.meta)
        # of DICOM the study's UID, whatever the item says
        patient = base if image.meta.get("form") == "dicom" else str(item.get("patient") or base)
        try:
            about = {"name": name, "patient": patient, "model": self.model, "seconds": self._seconds()}
            case = nodule_case(image, output["pred"], item, **about)
            files = self._source_files(case, image.meta, item)
            forms = [one for one in self.outputs if one in CASE_FORMS]
            options = CaseOptions(**self.options, source_files=files)
            written = write_case(case, self.output_dir, outputs=forms, options=options)
        except InputError as error:  # a network that gives NaN; the other scans keep their results
            self._refused.append((index, _refusal(image.meta, error, name=name, patient=patient)))
            return
        self._record(index, case)
        _logger.info("%s: %d results in %s", name, len(written), self.output_dir / name)

    def _record(self, index: int, case: NoduleCase) -> None:
        nodule, reported = self.options["mask_probability"], self.options["report_probability"]
        row = case_row(case, reported=reported, nodule=nodule)
        rows = _Rows(case=row, nodules=nodule_rows(case.reported(reported)), predictions=contest_rows(case))
        self._tables.append((index, rows))
        if self._contest:
            name = _PARTS.replace("*", str(idist.get_rank())) if self._share.sharded else _PREDICTIONS
            _write_predictions(self.output_dir / name, [rows for _, rows in self._tables])

    def _source_files(
        self, case: NoduleCase, meta: Mapping[str, Any], item: Mapping[str, Any]
    ) -> Sequence[str]:
        if case.series_uid is None or "structured_report" not in self.outputs:
            return ()
        return item.get("files") or source_files(meta["filename_or_obj"], case)

    def _seconds(self) -> dict[str, float]:
        """Seconds by stage; what is read from a cache, or in another process, takes none here."""
        clock = self._clock
        spent = {
            "load and prepare": clock.get("load", 0) - clock.get("before", 0),
            "network": clock.get("network", 0) - clock.get("load", 0),
        }
        return {stage: round(max(value, 0.0), 3) for stage, value in spent.items()}

    def _finish(self) -> None:
        tables = self._share.gather(self._tables, encode=asdict, decode=lambda one: _Rows(**one))
        found = self._share.gather(self._refused, encode=asdict, decode=lambda one: StudyRefusal(**one))
        refused = [*self.refused, *found]
        if not tables and not refused:
            return
        if is_rank0():
            self._write_tables(tables, refused)
            _logger.info("%d scans: %s", len(tables), self.output_dir / "cases.csv")
        table = self.output_dir / "refusals.csv"
        end_with_refusals(len(refused), done=len(tables), kind="scans", table=table)

    def _write_tables(self, tables: Sequence[_Rows], refused: Sequence[StudyRefusal]) -> None:
        write_nodules_csv(self.output_dir / "nodules.csv", [row for rows in tables for row in rows.nodules])
        cases = [*(rows.case for rows in tables), *map(refused_case_row, refused)]
        write_cases_csv(self.output_dir / "cases.csv", cases)
        if self._contest:  # there even if no scan has results
            _write_predictions(self.output_dir / _PREDICTIONS, tables)
        if refused:
            write_refusals_csv(self.output_dir / "refusals.csv", refused)
        for part in self.output_dir.glob(_PARTS):
            part.unlink()


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What tables of all scans have of one."""

    case: Row
    nodules: list[Row]
    predictions: list[Row]


def _write_predictions(path: Path, tables: Sequence[_Rows]) -> None:
    write_contest_csv(path, [row for rows in tables for row in rows.predictions])


def _refusal(meta: Mapping[str, Any], error: InputError, **identity: str) -> StudyRefusal:
    _logger.warning("scan %s has no results: %s", identity["name"], error)
    uids = {key: meta.get(key) for key in ("study_uid", "series_uid")}
    return StudyRefusal(**identity, **uids, reason=error.problem)


def _single(state: Any) -> Mapping[str, Any]:
    """The one scan of an iteration, in a list or not."""
    if isinstance(state, Mapping):
        return state
    if len(state) != 1:
        raise InputError(f"a batch of {len(state)} scans", remedy="set the data loader's batch_size to 1")
    return state[0]
