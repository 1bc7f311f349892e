# SPDX-License-Identifier: Apache-2.0
"""Tables of nodules as LUNA16 and Tianchi have them: annotations, excluded findings, lists of scans.

https://luna16.grand-challenge.org/Data: a row a nodule, its centre in the world (LPS mm), its diameter.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from ...utils import InputError
from ..label_csv import csv_rows, read_table
from .names import uid_key

_logger = logging.getLogger("tomobundles")

COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")
UNKNOWN = -1.0  # the diameter of a finding that nobody measured
_SAME_MM = 1e-3


@dataclass(frozen=True, slots=True)
class Annotation:
    """A row of a table: centre in LPS mm, diameter in mm (-1 unknown), and the line it stands in."""

    seriesuid: str
    x: float
    y: float
    z: float
    diameter: float
    line: int

    @property
    def row(self) -> list[float]:
        """x, y, z, diameter."""
        return [self.x, self.y, self.z, self.diameter]


def read_annotations(path: str | PathLike, *, excluded: bool = False) -> dict[str, list[Annotation]]:
    """Read annotations.csv: seriesuid, coordX, coordY, coordZ, diameter_mm.

    Columns are found by name, in any order and case; others are left alone. Cells may be separated by
    commas, semicolons or tabs, and decimals written with a comma where that is not the separator (or in
    quotes). A byte order mark and line ends of Windows are fine. A row that is there twice is taken once,
    with a warning.

    Args:
        path: the table.
        excluded: it is annotations_excluded.csv, where a diameter may be -1 (unknown) or empty, and one
            finding may be there with several diameters.

    Returns:
        ``uid_key`` of the scan -> its rows, in the order of the table.

    Raises:
        InputError: see ``read_table``; no name of a scan, a coordinate or diameter that is no finite number,
            a diameter that is not positive, or one point with two diameters.
    """
    found: dict[str, list[Annotation]] = {}
    repeated: list[int] = []
    for line, row in read_table(path, needed=COLUMNS, delimiter=None):
        one = _annotation(row, path=path, line=line, excluded=excluded)
        known = found.setdefault(uid_key(one.seriesuid), [])
        if any(other.row == one.row for other in known):
            repeated.append(line)
            continue
        if not excluded:
            _check_point(one, known, path)
        known.append(one)
    if repeated:
        _logger.warning("%s: %d rows are there twice, first line %d", path, len(repeated), repeated[0])
    return found


def read_seriesuids(path: str | PathLike) -> list[str]:
    """Read seriesuids.csv, a name of a scan a line, with or without a header.

    Returns:
        ``uid_key`` of each, in the order of the file, each once.

    Raises:
        InputError: see ``csv_rows``; an empty list.
    """
    names = [uid_key(cells[0]) for _, cells in csv_rows(path, delimiter=None)]
    names = [name for name in dict.fromkeys(names) if name and name.lower() != "seriesuid"]
    if not names:
        raise InputError("no scan in this list", path=path, remedy="write a seriesuid a line")
    return names


def label_of(
    nodules: Sequence[Annotation], excluded: Iterable[Annotation] = (), *, source: str = ""
) -> dict[str, Any]:
    """A scan's label as in datalists.

    Args:
        nodules: its rows of annotations.csv.
        excluded: its rows of annotations_excluded.csv.
        source: name of the table, for errors.

    Returns:
        "nodules" and "excluded" (rows x, y, z, diameter); where there are nodules and a source, "source" and
        "lines", where they stand.
    """
    label: dict[str, Any] = {
        "nodules": [one.row for one in nodules],
        "excluded": [one.row for one in excluded],
    }
    if source and nodules:
        label |= {"source": source, "lines": [one.line for one in nodules]}
    return label


def parse_number(text: str, *, path: str | PathLike, line: int, column: str) -> float:
    """A finite number, its decimals after a point or a comma.

    Raises:
        InputError: anything else.
    """
    plain = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    try:
        number = float(plain)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"line {line}: {column} is {text!r}", path=path, remedy="write a number in mm, or drop the row"
        )
    return number


def _annotation(row: Mapping[str, str], *, path: str | PathLike, line: int, excluded: bool) -> Annotation:
    if not row["seriesuid"]:
        raise InputError(f"line {line}: no seriesuid", path=path, remedy="name the scan, or drop the row")
    where = {"path": path, "line": line}
    x, y, z = (parse_number(row[name.lower()], column=name, **where) for name in COLUMNS[1:4])
    text = row["diameter_mm"]
    diameter = UNKNOWN if excluded and not text else parse_number(text, column="diameter_mm", **where)
    if diameter <= 0 and not (excluded and diameter == UNKNOWN):
        raise InputError(
            f"line {line}: a diameter of {diameter:g} mm",
            path=path,
            remedy="give a positive diameter; findings of unknown size belong in annotations_excluded.csv",
        )
    return Annotation(row["seriesuid"], x, y, z, diameter, line)


def _check_point(one: Annotation, known: Sequence[Annotation], path: str | PathLike) -> None:
    for other in known:
        if math.dist(one.row[:3], other.row[:3]) < _SAME_MM:
            raise InputError(
                f"lines {other.line} and {one.line}: one point with diameters of {other.diameter:g} and "
                f"{one.diameter:g} mm",
                path=path,
                remedy="keep one of the two rows",
            )
