# SPDX-License-Identifier: Apache-2.0
"""Tables of studies: slices.csv, a row a slice; patients.csv, a row a study; refusals.csv.

Rows are built study by study and written together, so a table is whole or not there, and the rows of several
runs can be joined before they are written.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..utils import InputError, atomic_path
from .study_result import PER_SLICE, StudyRefusal, StudyResult

Row = dict[str, Any]

_STUDY = ("name", "patient", "study", "series")
_SLICE = (*_STUDY[1:], "SOPInstanceUID", "file", "slice", "z_mm")
_PATIENT = (*_STUDY, "status", "reason", "n_slices", "first_z_mm", "last_z_mm")
_PER_CLASS = (
    "max",
    "noisy_or",
    "probability",
    "decision",
    "n_positive",
    "n_smoothed_away",
    "key_slice",
    "first_z_mm",
    "last_z_mm",
)
_REFUSAL = (*_STUDY, "reason")


def slice_columns(class_names: Sequence[str]) -> list[str]:
    """Return the columns of slices.csv."""
    return [*_SLICE, *(f"{name}_{one}" for name in class_names for one in (*PER_SLICE, "decision"))]


def patient_columns(class_names: Sequence[str]) -> list[str]:
    """Return the columns of patients.csv."""
    return [*_PATIENT, *(f"{name}_{one}" for name in class_names for one in _PER_CLASS)]


def slice_rows(result: StudyResult) -> list[Row]:
    """Build a study's rows of slices.csv.

    Columns: patient, study and series UID, SOPInstanceUID (blank unless DICOM), file (blank for DICOM), slice
    (from 0, in the order of the volume), z_mm (along the normal; blank where unknown), and per class
    ``<class>_raw``, ``_context``, ``_calibrated`` (probabilities) and ``_decision`` (0 or 1: the calibrated
    one is at the threshold).

    Args:
        result: the study.

    Returns:
        D rows with the columns of :func:`slice_columns`.
    """
    decisions = result.decisions
    rows = []
    for index, slice_name in enumerate(result.slice_names):
        row = _identity(result, _STUDY[1:]) | {
            "SOPInstanceUID": "" if result.series_uid is None else slice_name,
            "file": result.slice_files[index] if result.slice_files else "",
            "slice": index,
            "z_mm": number(result.position(index)),
        }
        for k, name in enumerate(result.class_names):
            row |= {f"{name}_{kind}": number(result.probabilities[kind][k, index]) for kind in PER_SLICE}
            row[f"{name}_decision"] = int(decisions[k, index])
        rows.append(row)
    return rows


def patient_row(result: StudyResult) -> Row:
    """Sum a study up in one row of patients.csv.

    Columns: name, patient, study, series, status ("ok" or "refused"), reason, n_slices, first_z_mm and
    last_z_mm of the scan, and per class: ``_max`` and ``_noisy_or`` (1 - prod(1 - p)) of the slices'
    calibrated probabilities; ``_probability``, the calibrated one of the patient, and its ``_decision``;
    ``_n_positive`` slices; ``_n_smoothed_away``, slices at the threshold alone but not with context;
    ``_key_slice``, the highest (from 0, as in slices.csv); ``_first_z_mm`` and ``_last_z_mm`` of the positive
    slices. Noisy-OR takes slices for independent, which neighbours are not: it is too high in long series.

    Args:
        result: the study.

    Returns:
        a row with the columns of :func:`patient_columns`.
    """
    row = _identity(result, _STUDY) | {"status": "ok", "reason": "", "n_slices": result.num_slices}
    row["first_z_mm"], row["last_z_mm"] = _extent(result, np.arange(result.num_slices))
    highest = result.probabilities["calibrated"].max(axis=1)
    united = noisy_or(result.probabilities["calibrated"])
    for k, name in enumerate(result.class_names):
        positive = np.flatnonzero(result.decisions[k])
        values = (
            number(highest[k]),
            number(united[k]),
            number(result.probabilities["patient"][k]),
            int(result.patient_decisions[k]),
            positive.size,
            int(result.smoothed_away[k].sum()),
            int(result.key_slices[k]),
            *_extent(result, positive),
        )
        row |= {f"{name}_{one}": value for one, value in zip(_PER_CLASS, values, strict=True)}
    return row


def refused_row(refusal: StudyRefusal, class_names: Sequence[str]) -> Row:
    """Build the row of patients.csv for a study that was not read: status "refused", and no numbers."""
    blank: Row = dict.fromkeys(patient_columns(class_names), "")
    return blank | _refusal_row(refusal) | {"status": "refused"}


def noisy_or(probability: np.ndarray) -> np.ndarray:
    """Return 1 - prod(1 - p) over the last axis: at least one, if all were independent (Pearl 1988).

    Args:
        probability: (..., D) probabilities 0-1.

    Returns:
        (...) float64, exact for small p too.
    """
    with np.errstate(divide="ignore"):  # p = 1 gives -inf, and 1 in the end
        return -np.expm1(np.log1p(-probability.astype(np.float64)).sum(axis=-1))


def write_slices_csv(path: str | PathLike, rows: Sequence[Mapping], class_names: Sequence[str]) -> Path:
    """Write the rows of :func:`slice_rows` of any number of studies.

    Args:
        path: CSV file to write.
        rows: the rows; none gives the header alone.
        class_names: the classes of all studies.

    Returns:
        ``path``.

    Raises:
        InputError: rows with other columns.
    """
    return _write(path, rows, slice_columns(class_names))


def write_patients_csv(path: str | PathLike, rows: Sequence[Mapping], class_names: Sequence[str]) -> Path:
    """Write the rows of :func:`patient_row` and :func:`refused_row`; as :func:`write_slices_csv`."""
    return _write(path, rows, patient_columns(class_names))


def write_refusals_csv(path: str | PathLike, refusals: Sequence[StudyRefusal]) -> Path:
    """Write the studies that were not read, with reasons; the header alone where all were read."""
    return _write(path, [_refusal_row(one) for one in refusals], list(_REFUSAL))


def number(value: float | None) -> str:
    """Format to six significant digits without exponents; blank where the value is None."""
    if value is None:
        return ""
    return np.format_float_positional(float(value), precision=6, fractional=False, trim="-")


def _identity(study: StudyResult | StudyRefusal, columns: Sequence[str]) -> Row:
    values = (study.name, study.patient, study.study_uid or "", study.series_uid or "")
    return {name: value for name, value in zip(_STUDY, values, strict=True) if name in columns}


def _refusal_row(refusal: StudyRefusal) -> Row:
    return _identity(refusal, _STUDY) | {"reason": "; ".join(refusal.reason.splitlines())}


def _extent(result: StudyResult, indices: np.ndarray) -> tuple[str, str]:
    """Return the lowest and highest position in mm among some slices; blank where there is none."""
    if result.positions_mm is None or not indices.size:
        return "", ""
    chosen = result.positions_mm[indices]
    return number(chosen.min()), number(chosen.max())


def _write(path: str | PathLike, rows: Sequence[Mapping], columns: list[str]) -> Path:
    for row in rows:
        if list(row) != columns:
            other = sorted(set(row) ^ set(columns))
            raise InputError(
                f"a row has other columns than the table{': ' + other[0] if other else ' or another order'}",
                path=path,
                remedy="list only studies with the same classes in one table",
            )
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return Path(path)
