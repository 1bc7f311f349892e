# SPDX-License-Identifier: Apache-2.0
"""Rows of numbers as CSV, means as JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ..utils import atomic_path

Row = dict[str, Any]


def write_rows(
    path: str | PathLike, rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str] | None = None
) -> Path:
    """Write rows as CSV, whole or not at all; NaN and None are empty cells.

    Numbers have six significant digits: a vessel fraction is a small one.

    Args:
        path: CSV file.
        rows: dictionaries with the same keys.
        columns: the header; None takes the first row's keys, and no rows leave an empty file.
    """
    columns = list(columns if columns is not None else rows[0] if rows else ())
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if columns:
            writer.writerow(columns)
        for row in rows:
            writer.writerow([cell(row[column]) for column in columns])
    return Path(path)


def write_metrics(path: str | PathLike, metrics: Mapping[str, float]) -> Path:
    """Write numbers as JSON, whole or not at all; an undefined one is null."""
    with atomic_path(path) as temporary:
        content = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return Path(path)


def cell(value: Any, *, digits: str = ".6g") -> str:
    """A value as text: nothing for NaN and None, floats with ``digits``."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return format(value, digits) if isinstance(value, float) else str(value)
