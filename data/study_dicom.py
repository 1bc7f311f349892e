# SPDX-License-Identifier: Apache-2.0
"""Results of one study as DICOM objects, for studies that came as DICOM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from .. import __version__
from ..utils import InputError
from .dicom import find_series, write_secondary_capture, write_structured_report
from .study_pictures import compose_study_sheet
from .study_result import StudyResult

ALGORITHM = "tomobundles ich"
_CAPTURE_SERIES = 902


def write_dicom_results(
    result: StudyResult,
    folder: Path,
    *,
    files: Sequence[str],
    outputs: Sequence[str],
    identified: bool = False,
) -> list[Path]:
    """Write a structured report and a Secondary Capture of the key slices, as far as asked for.

    Args:
        result: the study.
        folder: where to.
        files: the DICOM files of the study's series.
        outputs: of ``DICOM_FORMS``: "structured_report" (TID 1500), "secondary_capture"; others are passed
            over.
        identified: copy the patient's identity into the objects; by default they have only the study's UIDs.

    Returns:
        the files written.

    Raises:
        InputError: see the writers.
    """
    return [DICOM_FORMS[one](result, folder, files, identified) for one in outputs if one in DICOM_FORMS]


def source_files(path: str | PathLike, result: StudyResult) -> list[str]:
    """Find the files of a study's slices.

    Args:
        path: where the study was read from.
        result: the study, whose slices go by SOPInstanceUID.

    Returns:
        one file a slice, in the order of the slices.

    Raises:
        InputError: a slice is not there any more.
    """
    series = [one for one in find_series(path).series if one.series_uid == result.series_uid]
    files = {header.sop_uid: header.path for one in series for header in one.slices}
    absent = [uid for uid in result.slice_names if uid not in files]
    if absent:
        raise InputError(f"slice {absent[0]} is not there any more", path=path)
    return [files[uid] for uid in result.slice_names]


def _report(result: StudyResult, folder: Path, files: Sequence[str], identified: bool) -> Path:
    return write_structured_report(
        folder / f"{result.name}_report.dcm",
        source_files=files,
        sop_instance_uids=list(result.slice_names),
        probabilities=np.asarray(result.probabilities["calibrated"]),
        patient=np.asarray(result.probabilities["patient"]),
        decisions=np.asarray(result.patient_decisions).astype(int),
        class_names=list(result.class_names),
        thresholds=np.asarray(result.patient_cuts),
        algorithm_name=ALGORITHM,
        algorithm_version=__version__,
        findings=list(result.findings),
        identified=identified,
    )


def _capture(result: StudyResult, folder: Path, files: Sequence[str], identified: bool) -> Path:
    sheet = compose_study_sheet(result, title=f"{ALGORITHM} {__version__}: key slices")
    return write_secondary_capture(
        folder / f"{result.name}_key_slices.dcm",
        pixels=np.asarray(sheet.convert("RGB")),
        source_file=files[0],
        series_number=_CAPTURE_SERIES,
        description="Key slices, research only",
        identified=identified,
    )


DICOM_FORMS: dict[str, Callable[[StudyResult, Path, Sequence[str], bool], Path]] = {
    "structured_report": _report,
    "secondary_capture": _capture,
}
