# SPDX-License-Identifier: Apache-2.0
"""Write every study's results as soon as it is inferred, and the tables of all at the end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from torch import Tensor

from ..data.study_dicom import DICOM_FORMS, source_files, write_dicom_results
from ..data.study_result import StudyRefusal, StudyResult
from ..data.study_submissions import write_contest_labels, write_rsna_labels
from ..data.study_tables import (
    patient_row,
    refused_row,
    slice_rows,
    write_patients_csv,
    write_refusals_csv,
    write_slices_csv,
)
from ..data.study_writers import STUDY_FORMS, write_study
from ..metrics import Calibration
from ..utils import InputError
from .result_names import ResultNames
from .shares import Share, end_with_refusals, is_rank0, remove_earlier
from .study_record import result_of_record, result_record, without_pixels

_logger = logging.getLogger("tomobundles")

_PROBABILITIES = ("raw", "context", "calibrated_raw", "calibrated", "patient")
_SUBMISSIONS: dict[str, tuple[str, Callable[..., Path]]] = {
    "contest": ("submission_contest.csv", write_contest_labels),
    "rsna": ("submission_rsna.csv", write_rsna_labels),
}


class StudyResultsHandler:
    """Write tables, heat maps, pictures, a page and DICOM objects of each study of an evaluator.

    A study's own results are on disk before the next one is inferred, in ``output_dir/<name>/``. When all are
    done, ``slices.csv`` and ``patients.csv`` have the rows of all studies; refused studies are in
    ``patients.csv`` too and in ``refusals.csv``, and the run then ends with an error that counts them. The
    files of all studies are removed when a run starts, and there again when it is complete.

    With several processes each writes its studies' results, and rank 0 the files of all; so ``output_dir``
    must be on a disk that all of them see.

    A DICOM study goes by its StudyInstanceUID in every file and name (a further series of it by its own UID):
    folders and identifiers of the input may name the patient. Other studies go by the sample's "name" and
    "patient", else by their file. In submissions the study's name stands before slice names that several
    studies share.

    Args:
        output_dir: folder of all results.
        class_names: the K classes, without ``any``.
        calibration: whose thresholds decide; None cuts at 0.2, which is where the best F2 can be at most.
        refused: studies that were refused before.
        outputs: of ``data.study_writers.STUDY_FORMS`` ("csv", "heatmaps", "contact_sheet", "html"),
            ``data.study_dicom.DICOM_FORMS`` ("structured_report", "secondary_capture": for DICOM input) and
            "contest", "rsna" (submissions of all studies).
        identified: copy the patient's identity into the DICOM objects.
        model: name of the network, for the page.

    Raises:
        InputError: an unknown output.
    """

    def __init__(
        self,
        output_dir: str | PathLike,
        class_names: Sequence[str],
        *,
        calibration: Calibration | None = None,
        refused: Sequence[StudyRefusal] = (),
        outputs: Sequence[str] = ("csv", "html"),
        identified: bool = False,
        model: str = "",
    ) -> None:
        self.output_dir = Path(output_dir)
        self.calibration = calibration or Calibration.identity(class_names, threshold=0.2)
        self.rows = list(self.calibration.row_names)
        self.refused = list(refused)
        self.outputs = list(outputs)
        self.identified = identified
        self.model = "; ".join(filter(None, [model, f"calibrated on {self.calibration.note or 'nothing'}"]))
        known = [*STUDY_FORMS, *DICOM_FORMS, *_SUBMISSIONS]
        unknown = [one for one in self.outputs if one not in known]
        if unknown:
            raise InputError(f"unknown output {unknown[0]!r}", remedy=f"known are {', '.join(known)}")
        self._start_anew(Share())

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI evaluator behind ``SlicePosteriorsd``."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self._start_anew(Share(engine))
        names = ["slices.csv", "patients.csv", "refusals.csv"]
        names += [_SUBMISSIONS[one][0] for one in self.outputs if one in _SUBMISSIONS]
        remove_earlier(self.output_dir / name for name in names)

    def _start_anew(self, share: Share) -> None:
        self._share = share
        self._names = ResultNames(share)
        self._results: list[tuple[int, StudyResult]] = []
        self._refused: list[tuple[int, StudyRefusal]] = []

    def _write(self, engine: Engine) -> None:
        for output, item in zip(engine.state.output, engine.state.batch, strict=True):
            index = self._share.next_index()
            meta = output["image"].meta
            name, base = self._names(index, self._share.items[index], meta)
            identity = {"name": name, "patient": _patient(meta, item, base)}
            try:
                result = self._result(output, item, **identity)
            except InputError as error:  # a network that gives NaN; the other studies keep their results
                self._refused.append((index, _refusal(meta, error, **identity)))
                continue
            written = write_study(
                result, self.output_dir, outputs=[one for one in self.outputs if one in STUDY_FORMS]
            )
            if result.study_uid and any(one in DICOM_FORMS for one in self.outputs):
                files = item.get("files") or source_files(item["image"].meta["filename_or_obj"], result)
                options = {"outputs": self.outputs, "identified": self.identified}
                written += write_dicom_results(result, self.output_dir / result.name, files=files, **options)
            self._results.append((index, without_pixels(result)))
            _logger.info("%s: %d results in %s", result.name, len(written), self.output_dir / result.name)

    def _result(self, output: Mapping[str, Any], item: Mapping[str, Any], **identity: str) -> StudyResult:
        image, prediction = output["image"], output["pred"]
        meta = image.meta
        dicom = meta.get("form") == "dicom"
        known = bool(meta.get("spacing_known"))
        affine = np.asarray(image.affine, dtype=np.float64)
        return StudyResult(
            **identity,
            class_names=self.rows,
            probabilities={key: _array(prediction[key]) for key in _PROBABILITIES},
            thresholds=self.calibration.thresholds,
            patient_thresholds=self.calibration.patient_thresholds,
            image=image.as_tensor()[0].cpu().numpy(),
            affine=affine,
            spacing=np.linalg.norm(affine[:3, :3], axis=0).tolist() if known else None,
            slice_names=[str(one) for one in meta["slice_names"]],
            slice_files=() if dicom else [str(one) for one in meta.get("slice_files") or ()],
            positions_mm=_positions(meta, affine, image.shape[-1]) if known else None,
            study_uid=meta.get("study_uid"),
            series_uid=meta.get("series_uid"),
            label=_array(output["label"]) if isinstance(output.get("label"), Tensor) else None,
            cam=_array(prediction["cam"]) if "cam" in prediction else None,
            # collating makes None of an empty list
            findings=[str(one) for one in meta.get("findings") or ()],
            # where a series is named to be loaded, the choice was made before
            series_reason=str(item.get("series_reason") or meta.get("reason", "")),
            model=self.model,
        )

    def _finish(self) -> None:
        results = self._share.gather(self._results, encode=result_record, decode=result_of_record)
        found = self._share.gather(self._refused, encode=asdict, decode=lambda one: StudyRefusal(**one))
        refused = [*self.refused, *found]
        if not results and not refused:
            return
        if is_rank0():
            self._write_tables(results, refused)
            _logger.info("%d studies: %s", len(results), self.output_dir / "patients.csv")
        table = self.output_dir / "refusals.csv"
        end_with_refusals(len(refused), done=len(results), kind="studies", table=table)

    def _write_tables(self, results: Sequence[StudyResult], refused: Sequence[StudyRefusal]) -> None:
        rows = [row for result in results for row in slice_rows(result)]
        write_slices_csv(self.output_dir / "slices.csv", rows, self.rows)
        patients = [patient_row(result) for result in results]
        patients += [refused_row(refusal, self.rows) for refusal in refused]
        write_patients_csv(self.output_dir / "patients.csv", patients, self.rows)
        if refused:
            write_refusals_csv(self.output_dir / "refusals.csv", refused)
        submitted = _own_slice_names(results)
        for one in self.outputs:
            if one in _SUBMISSIONS:
                name, write = _SUBMISSIONS[one]
                write(self.output_dir / name, submitted)


def _patient(meta: Mapping[str, Any], item: Mapping[str, Any], base: str) -> str:
    """The patient in tables; of DICOM the study's UID, whatever the item says."""
    return base if meta.get("form") == "dicom" else str(item.get("patient", base))


def _refusal(meta: Mapping[str, Any], error: InputError, **identity: str) -> StudyRefusal:
    _logger.warning("study %s has no results: %s", identity["name"], error)
    uids = {key: meta.get(key) for key in ("study_uid", "series_uid")}
    return StudyRefusal(**identity, **uids, reason=error.problem)


def _own_slice_names(results: Sequence[StudyResult]) -> list[StudyResult]:
    """Put the study's name before the slices' where studies share them ("0", "1", ... of NIfTI and .npy)."""
    counts = Counter(name for result in results for name in result.slice_names)
    return [
        replace(result, slice_names=[f"{result.name}_{name}" for name in result.slice_names])
        if any(counts[name] > 1 for name in result.slice_names)
        else result
        for result in results
    ]


def _positions(meta: Mapping[str, Any], affine: np.ndarray, depth: int) -> np.ndarray:
    """Positions along the normal, mm: the file's, or from the affine's step along the normal."""
    if "slice_positions_mm" in meta:
        # rounded to a nanometre: sums of decimals leave -1e-9 for 0
        return np.round(np.asarray(meta["slice_positions_mm"], dtype=np.float64).reshape(-1), 6) + 0.0
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    step = abs(float(affine[:3, 2] @ normal / np.linalg.norm(normal)))
    return step * np.arange(depth)


def _array(values: Tensor) -> np.ndarray:
    plain = values.as_tensor() if hasattr(values, "as_tensor") else values
    return plain.detach().cpu().numpy()
