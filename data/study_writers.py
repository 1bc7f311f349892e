# SPDX-License-Identifier: Apache-2.0
"""Results of one study to disk, in the forms asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

from ..utils import InputError
from .study_maps import write_heat_maps
from .study_pictures import write_contact_sheet, write_score_map
from .study_report import write_study_page
from .study_result import StudyResult
from .study_tables import patient_row, slice_rows, write_patients_csv, write_slices_csv


def write_study(
    result: StudyResult,
    output_dir: str | PathLike,
    *,
    outputs: Sequence[str] = ("csv", "heatmaps", "contact_sheet", "html"),
) -> list[Path]:
    """Write the results of one study into ``output_dir/<name>/``.

    Args:
        result: the study.
        output_dir: folder that gets one folder a study.
        outputs: which results, of ``STUDY_FORMS``: "csv" (a row a slice, and a row for the patient),
            "heatmaps" (a NIfTI for each class that is called; needs ``cam``), "contact_sheet" (PNG of key
            slices, and PNG of the map of slices x classes), "html" (one page).

    Returns:
        the files written, in the order of ``outputs``.

    Raises:
        InputError: an unknown output, or heat maps of a study without class activation.
    """
    unknown = [one for one in outputs if one not in STUDY_FORMS]
    if unknown:
        raise InputError(f"unknown output {unknown[0]!r}", remedy=f"known are {', '.join(STUDY_FORMS)}")
    folder = Path(output_dir) / result.name
    return [path for one in outputs for path in STUDY_FORMS[one](result, folder)]


def _csv(result: StudyResult, folder: Path) -> list[Path]:
    names = result.class_names
    slices = write_slices_csv(folder / f"{result.name}_slices.csv", slice_rows(result), names)
    return [slices, write_patients_csv(folder / f"{result.name}_patient.csv", [patient_row(result)], names)]


def _heatmaps(result: StudyResult, folder: Path) -> list[Path]:
    return write_heat_maps(folder, result)


def _contact_sheet(result: StudyResult, folder: Path) -> list[Path]:
    sheet = write_contact_sheet(folder / f"{result.name}_key_slices.png", result)
    return [sheet, write_score_map(folder / f"{result.name}_score_map.png", result)]


def _html(result: StudyResult, folder: Path) -> list[Path]:
    return [write_study_page(folder / f"{result.name}.html", result)]


STUDY_FORMS: dict[str, Callable[[StudyResult, Path], list[Path]]] = {
    "csv": _csv,
    "heatmaps": _heatmaps,
    "contact_sheet": _contact_sheet,
    "html": _html,
}
