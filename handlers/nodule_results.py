# SPDX-License-Identifier: Apache-2.0
"""Write every chest CT's nodule candidates as soon as it is inferred, and the tables of all at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

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
from ..data.writers_names import distinct_names, volume_name
from ..utils import InputError
from .nodule_case import nodule_case

_logger = logging.getLogger("tomobundles")

CONTEST = "contest_csv"


class NoduleResultsHandler:
    """Write lists, masks, pictures, a page and DICOM of each scan of an evaluator.

    The evaluator gives one scan at a time: ``engine.state.batch`` is the sample (``collate_one``) and
    ``engine.state.output["pred"]`` the candidates with their world points (``NodulesToWorldd``). A scan's own
    results are on disk before the next one is inferred, in ``output_dir/<name>/``; with "contest_csv",
    ``predictions.csv`` is then written anew with all candidates so far. When all scans are done,
    ``nodules.csv`` has a row a candidate and ``cases.csv`` a row a scan; refused scans are in ``cases.csv``
    too and in ``refusals.csv``, and the run then ends with an error that counts them.

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
        self._start_anew({})
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
        self._start_anew(distinct_names([str(item["image"]) for item in engine.data_loader.dataset.data]))

    def _start_anew(self, names: dict[str, str]) -> None:
        self._names = names
        self._used: set[str] = set()
        self._predictions: list[Row] = []
        self._nodules: list[Row] = []
        self._cases: list[Row] = []
        self._refused = list(self.refused)

    def _mark(self, stage: str) -> None:
        self._clock[stage] = time.monotonic()

    def _write(self, engine: Engine) -> None:
        output, item = _single(engine.state.output), _single(engine.state.batch)
        image = item.get("image", output["image"])
        name, patient = self._identity(image.meta, item)
        try:
            about = {"name": name, "patient": patient, "model": self.model, "seconds": self._seconds()}
            case = nodule_case(image, output["pred"], item, **about)
            files = self._source_files(case, image.meta, item)
            forms = [one for one in self.outputs if one in CASE_FORMS]
            options = CaseOptions(**self.options, source_files=files)
            written = write_case(case, self.output_dir, outputs=forms, options=options)
        except InputError as error:  # a network that gives NaN; the other scans keep their results
            self._refuse(image.meta, name, patient, error)
            return
        self._used.add(name)
        self._record(case)
        _logger.info("%s: %d results in %s", name, len(written), self.output_dir / name)

    def _record(self, case: NoduleCase) -> None:
        nodule, reported = self.options["mask_probability"], self.options["report_probability"]
        self._cases.append(case_row(case, reported=reported, nodule=nodule))
        self._nodules += nodule_rows(case.reported(reported))
        self._predictions += contest_rows(case)
        if CONTEST in self.outputs:
            write_contest_csv(self.output_dir / "predictions.csv", self._predictions)

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

    def _identity(self, meta: Mapping[str, Any], item: Mapping[str, Any]) -> tuple[str, str]:
        """Name of the results, and the patient in tables."""
        if meta.get("form") == "dicom":
            patient = str(meta["study_uid"])
            names = [patient, str(meta["series_uid"])]
        else:
            source = str(meta["filename_or_obj"])
            names = [str(item.get("name") or self._names.get(source) or volume_name(source))]
            patient = str(item.get("patient") or names[0])
        # a scan may be listed again, with the labels of another reader
        names += [f"{names[-1]}_{number}" for number in range(2, len(self._used) + 2)]
        return next(name for name in names if name not in self._used), patient

    def _refuse(self, meta: Mapping[str, Any], name: str, patient: str, error: InputError) -> None:
        uids = {key: meta.get(key) for key in ("study_uid", "series_uid")}
        _logger.warning("scan %s has no results: %s", name, error)
        self._refused.append(StudyRefusal(name=name, reason=error.problem, patient=patient, **uids))

    def _finish(self) -> None:
        if not self._cases and not self._refused:
            return
        write_nodules_csv(self.output_dir / "nodules.csv", self._nodules)
        refused = [refused_case_row(one) for one in self._refused]
        write_cases_csv(self.output_dir / "cases.csv", [*self._cases, *refused])
        if CONTEST in self.outputs:  # there even if no scan has results
            write_contest_csv(self.output_dir / "predictions.csv", self._predictions)
        refusals = self.output_dir / "refusals.csv"
        _logger.info("%d scans: %s", len(self._cases), self.output_dir / "cases.csv")
        if not self._refused:
            refusals.unlink(missing_ok=True)  # of an earlier run
            return
        write_refusals_csv(refusals, self._refused)
        raise InputError(
            f"{len(self._refused)} of {len(self._cases) + len(self._refused)} scans were refused, "
            "the others have their results",
            path=refusals,
            remedy="the table says why",
        )


def _single(state: Any) -> Mapping[str, Any]:
    """The one scan of an iteration, in a list or not."""
    if isinstance(state, Mapping):
        return state
    if len(state) != 1:
        raise InputError(f"a batch of {len(state)} scans", remedy="set the data loader's batch_size to 1")
    return state[0]
