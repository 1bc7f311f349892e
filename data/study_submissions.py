# SPDX-License-Identifier: Apache-2.0
"""Submissions of slice labels: the NTU DLCV 2020 contest's two forms, and RSNA 2019's.

The contest calls IPH ``ich``; elsewhere ICH means any intracranial haemorrhage.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from ..utils import InputError, atomic_path
from .study_result import StudyResult, at_threshold
from .study_tables import number

# canonical name -> name in the file, in the file's order
CONTEST_NAMES = {"IPH": "ich", "IVH": "ivh", "SAH": "sah", "SDH": "sdh", "EDH": "edh"}
RSNA_NAMES = {
    "EDH": "epidural",
    "IPH": "intraparenchymal",
    "IVH": "intraventricular",
    "SAH": "subarachnoid",
    "SDH": "subdural",
    "any": "any",
}


def write_contest_labels(
    path: str | PathLike,
    results: Iterable[StudyResult],
    *,
    kind: str = "calibrated",
    thresholds: Sequence[float] | None = None,
) -> Path:
    """Write the contest's submission ``ID,prediction``: five rows a slice, ID ``<slice>_<class>``, 0 or 1.

    Args:
        path: CSV file to write.
        results: studies, read one after the other.
        kind: which probabilities are cut: "raw", "context" or "calibrated".
        thresholds: (K + 1,) cuts; None takes each study's own, which are meant for "calibrated". A score
            of 0.5 after training with a loss that shifts scores is another cut of "context".

    Returns:
        ``path``.

    Raises:
        InputError: a class missing in a study, an unknown kind, or a slice name that two studies share.
    """
    return _write(path, ("ID", "prediction"), _contest_rows(results, kind, thresholds))


def write_contest_table(
    path: str | PathLike,
    results: Iterable[StudyResult],
    *,
    kind: str = "calibrated",
    thresholds: Sequence[float] | None = None,
) -> Path:
    """Write predictions in the form of the contest's train.csv: ``dirname,ID,ich,ivh,sah,sdh,edh``, 0 or 1.

    ``dirname`` is the patient and ``ID`` the slice's file name, or the slice's name where no files are known.
    Arguments, return value and errors are those of :func:`write_contest_labels`.
    """
    return _write(path, ("dirname", "ID", *CONTEST_NAMES.values()), _table_rows(results, kind, thresholds))


def write_rsna_labels(
    path: str | PathLike, results: Iterable[StudyResult], *, kind: str = "calibrated"
) -> Path:
    """Write RSNA's ``ID,Label``: six rows a slice, ID ``ID_<SOPInstanceUID>_<subtype>``, probabilities.

    The challenge's own SOPInstanceUIDs begin with ``ID_``; it is not put there twice.

    Args:
        path: CSV file to write.
        results: studies, read one after the other.
        kind: which probabilities: "raw", "context" or "calibrated".

    Returns:
        ``path``.

    Raises:
        InputError: a class missing in a study, an unknown kind, or a slice name that two studies share.
    """
    return _write(path, ("ID", "Label"), _rsna_rows(results, kind))


def _contest_rows(results: Iterable[StudyResult], kind: str, thresholds: Sequence[float] | None) -> Iterator:
    for result in results:
        called = _called(result, kind, thresholds)
        for index, slice_name in enumerate(result.slice_names):
            for row, name in _rows_of(result, CONTEST_NAMES):
                yield f"{slice_name}_{name}", int(called[row, index])


def _table_rows(results: Iterable[StudyResult], kind: str, thresholds: Sequence[float] | None) -> Iterator:
    for result in results:
        called = _called(result, kind, thresholds)
        rows = [row for row, _ in _rows_of(result, CONTEST_NAMES)]
        for index, file in enumerate(result.slice_files or result.slice_names):
            yield result.patient, file, *called[rows, index].astype(int).tolist()


def _rsna_rows(results: Iterable[StudyResult], kind: str) -> Iterator:
    for result in results:
        values = _values(result, kind)
        for index, slice_name in enumerate(result.slice_names):
            prefix = "" if slice_name.startswith("ID_") else "ID_"
            for row, name in _rows_of(result, RSNA_NAMES):
                yield f"{prefix}{slice_name}_{name}", number(values[row, index])


def _called(result: StudyResult, kind: str, thresholds: Sequence[float] | None) -> np.ndarray:
    return at_threshold(_values(result, kind), result.thresholds if thresholds is None else thresholds)


def _values(result: StudyResult, kind: str) -> np.ndarray:
    values = result.probabilities.get(kind)
    if values is None or values.ndim != 2:
        raise InputError(
            f"no {kind!r} probabilities of slices", remedy='give "raw", "context" or "calibrated"'
        )
    return values


def _rows_of(result: StudyResult, names: dict[str, str]) -> list[tuple[int, str]]:
    """Return row of the arrays and name in the file for each class of the form."""
    missing = [name for name in names if name not in result.class_names]
    if missing:
        raise InputError(f"study {result.name} has no class {missing[0]}, which this form needs")
    return [(list(result.class_names).index(name), written) for name, written in names.items()]


def _write(path: str | PathLike, header: Sequence[str], rows: Iterable[Sequence]) -> Path:
    """Write the rows as they come; those of another slice must have another key (all but the values)."""
    keys: set[tuple] = set()
    key_length = len([name for name in header if name in ("dirname", "ID")])
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            key = tuple(row[:key_length])
            if key in keys:
                raise InputError(
                    f"two rows are called {' '.join(key)}", path=path, remedy="give slices names of their own"
                )
            keys.add(key)
            writer.writerow(row)
    return Path(path)
