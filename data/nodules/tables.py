# SPDX-License-Identifier: Apache-2.0
"""Tables of all scans: the contest's predictions, nodules.csv (a row a candidate), cases.csv (a row a scan).

Rows are built scan by scan and written together, so a table is whole or not there.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...utils import InputError, atomic_path
from ..study_result import StudyRefusal
from ..study_tables import number
from .case import NoduleCase

Row = dict[str, Any]

CONTEST_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "probability", "diameter_mm")
_CASE = ("name", "patient", "study", "series", "seriesuid")
NODULE_COLUMNS = (
    *_CASE, "rank", "slice_number", "slice_index", "instance_number", "x", "y", "coordX", "coordY", "coordZ",
    "diameter_mm", "probability", "detector", "classifier", "reference",
)  # fmt: skip
CASE_COLUMNS = (
    *_CASE, "status", "reason", "slices", "candidates", "reported", "nodules", "top_probability", "reference",
    "found", "right_lung_ml", "left_lung_ml", "level_hu", "warnings", "seconds",
)  # fmt: skip


def contest_rows(case: NoduleCase) -> list[Row]:
    """Build the contest's rows of a scan, one a candidate.

    Args:
        case: the scan, with all its candidates.

    Returns:
        N rows of ``CONTEST_COLUMNS``: world in LPS mm to 0.1 um, the probability as the shortest number that
        reads back as the same float32 (the score of a whole data set depends on ties).
    """
    return [
        _world(case, index)
        | {
            "seriesuid": case.seriesuid,
            "probability": _exact(case.probability[index]),
            "diameter_mm": _mm(case.nodules[index, 3]),
        }
        for index in range(len(case))
    ]


def nodule_rows(case: NoduleCase) -> list[Row]:
    """Build a scan's rows of nodules.csv.

    Args:
        case: the scan with the candidates to list.

    Returns:
        N rows of ``NODULE_COLUMNS``: slice_number counts from 1, slice_index, x (column) and y (row) from 0;
        instance_number is DICOM's, blank where it is not known; reference is the number (from 1) of the
        annotated nodule that is hit, 0 for none, blank where annotations are not known.
    """
    return [_nodule_row(case, index) for index in range(len(case))]


def case_row(case: NoduleCase, *, reported: float = 0.0, nodule: float = 0.5) -> Row:
    """Sum a scan up in one row of cases.csv.

    Args:
        case: the scan, with all its candidates.
        reported: probability from which a candidate is reported.
        nodule: probability from which it counts as a nodule.

    Returns:
        a row of ``CASE_COLUMNS``: candidates, those reported and those that count as nodules; the number of
        annotated nodules (reference) and how many of them a reported candidate hits (found); the lungs'
        volumes, the threshold that found them, its warnings; seconds in all, as far as known.
    """
    shown = case.reported(reported)
    right, left = lung_volumes(case.lung_quality)
    truth = case.truth
    return _identity(case) | {
        "status": "ok",
        "reason": "",
        "slices": case.native_shape[2],
        "candidates": len(case),
        "reported": len(shown),
        "nodules": case.count(nodule),
        "top_probability": _exact(case.probability[0]) if len(case) else "",
        "reference": "" if truth is None else len(truth),
        "found": "" if truth is None else len(set(shown.hits[shown.hits >= 0].tolist())),
        "right_lung_ml": number(right),
        "left_lung_ml": number(left),
        "level_hu": number(case.lung_quality.get("level_hu")),
        "warnings": "; ".join(map(str, case.lung_quality.get("warnings") or ())),
        "seconds": number(sum(case.seconds.values())) if case.seconds else "",
    }


def refused_case_row(refusal: StudyRefusal) -> Row:
    """Build the row of cases.csv of a scan without results: status "refused", and no numbers."""
    names = (refusal.name, refusal.patient, refusal.study_uid or "", refusal.series_uid or "", "")
    known = dict(zip(_CASE, names, strict=True))
    reason = "; ".join(refusal.reason.splitlines())
    return dict.fromkeys(CASE_COLUMNS, "") | known | {"status": "refused", "reason": reason}


def lung_volumes(quality: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Take the right and the left lung's volume in ml out of a record of lung quality; None where unknown."""
    volumes = quality.get("volumes_ml")
    if isinstance(volumes, Mapping):
        found = [volumes.get("right"), volumes.get("left")]
    else:
        found = [*([] if volumes is None else volumes), None, None][:2]
    right, left = (None if value is None else float(value) for value in found)
    return right, left


def write_contest_csv(path: str | PathLike, rows: Sequence[Mapping]) -> Path:
    """Write the rows of :func:`contest_rows` of any number of scans.

    Args:
        path: CSV file to write.
        rows: the rows; none gives the header alone.

    Returns:
        ``path``.

    Raises:
        InputError: rows with other columns.
    """
    return _write(path, rows, CONTEST_COLUMNS)


def write_nodules_csv(path: str | PathLike, rows: Sequence[Mapping]) -> Path:
    """Write the rows of :func:`nodule_rows`; as :func:`write_contest_csv`."""
    return _write(path, rows, NODULE_COLUMNS)


def write_cases_csv(path: str | PathLike, rows: Sequence[Mapping]) -> Path:
    """Write the rows of :func:`case_row` and :func:`refused_case_row`; as :func:`write_contest_csv`."""
    return _write(path, rows, CASE_COLUMNS)


def _identity(case: NoduleCase) -> Row:
    values = (case.name, case.patient, case.study_uid or "", case.series_uid or "", case.seriesuid)
    return dict(zip(_CASE, values, strict=True))


def _nodule_row(case: NoduleCase, index: int) -> Row:
    slice_index, (x, y) = int(case.slices[index]), case.pixels[index].tolist()
    row = _identity(case) | _world(case, index)
    row |= {"rank": index + 1, "slice_number": slice_index + 1, "slice_index": slice_index, "x": x, "y": y}
    instance = case.instance_number(index)
    row["instance_number"] = "" if instance is None else instance
    return row | {
        "diameter_mm": _mm(case.nodules[index, 3]),
        "probability": _exact(case.probability[index]),
        "detector": _exact(case.detector[index]),
        "classifier": "" if case.classifier is None else _exact(case.classifier[index]),
        "reference": "" if case.truth is None else int(case.hits[index]) + 1,
    }


def _world(case: NoduleCase, index: int) -> Row:
    names = ("coordX", "coordY", "coordZ")
    return dict(zip(names, map(_mm, case.nodules[index, :3]), strict=True))


def _mm(value: float) -> str:
    return f"{float(value):.4f}"


def _exact(value: float) -> str:
    if np.isnan(value):  # a candidate that the second stage did not judge
        return ""
    return np.format_float_positional(np.float32(value), unique=True, trim="-")


def _write(path: str | PathLike, rows: Sequence[Mapping], columns: Sequence[str]) -> Path:
    for row in rows:
        if other := sorted(set(row) ^ set(columns)):
            raise InputError(f"a row has other columns than the table: {other[0]}", path=path)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return Path(path)
