# SPDX-License-Identifier: Apache-2.0
"""The course of a training as a table: one row an epoch."""

from __future__ import annotations

import csv
import math
from os import PathLike
from pathlib import Path

from ..utils import InputError, atomic_path

Row = dict[str, float]


def read_history(path: str | PathLike, *, before_epoch: int) -> list[Row]:
    """Read the rows of the epochs before a given one; no file gives no rows.

    Args:
        path: a ``history.csv``.
        before_epoch: rows from this epoch on are left out: a resumed run makes them anew.

    Raises:
        InputError: the file is something else.
    """
    if not Path(path).is_file():
        return []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{key: float(text) for key, text in row.items() if text} for row in csv.DictReader(file)]
        return [row for row in rows if row["epoch"] < before_epoch]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "is not the history of an earlier run", path=path, remedy="Move it away or choose another folder."
        ) from error


def write_history(rows: list[Row], path: str | PathLike) -> None:
    """Write all rows; columns in the order in which they first came up, empty where a row has no value.

    Args:
        rows: one dictionary an epoch.
        path: the CSV file, replaced as a whole.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[_text(row[key]) if key in row else "" for key in columns] for row in rows])


def _text(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else f"{value:.6g}"
