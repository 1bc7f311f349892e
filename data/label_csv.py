# SPDX-License-Identifier: Apache-2.0
"""Label tables as CSV: reading rows with their line numbers, and the form for own data."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TextIO

from ..utils import InputError
from .slice_labels import Label, Values, canonical_class, check_any
from .slices import SLICE_SUFFIXES

_BINARY = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "": None}  # tables with gaps come out of pandas as 0.0 and 1.0
_FILE_ENDINGS = (*SLICE_SUFFIXES, ".dcm")


def csv_rows(path: str | PathLike, *, delimiter: str | None = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of each row that is not blank, the header first.

    Args:
        path: CSV file.
        delimiter: character between cells; None takes the semicolon, tab or comma that the first line has
            most of.

    Raises:
        InputError: missing, unreadable, or not text that is a CSV.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            delimiter = delimiter or _delimiter(file)
            reader = csv.reader(file, strict=True, delimiter=delimiter)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:100]
        raise InputError(
            f"cannot be read as a CSV of labels: {reason}",
            path=path,
            remedy="give comma-separated UTF-8 text with a header",
        ) from error


def _delimiter(file: TextIO) -> str:
    first = next((line for line in file if line.strip()), "")
    file.seek(0)
    return max(",;\t", key=first.count)


def read_table(
    path: str | PathLike, *, needed: Sequence[str], delimiter: str | None = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, {column in lower case: cell}) of each row below the header, blanks stripped.

    Args:
        path: CSV file.
        needed: columns that must be there; case does not matter.
        delimiter: see ``csv_rows``.

    Raises:
        InputError: see ``csv_rows``; empty, a needed column missing, a column twice, or a row with another
            number of cells than the header.
    """
    rows = csv_rows(path, delimiter=delimiter)
    header = [name.strip().lower() for name in next(rows, (0, []))[1]]
    missing = [name for name in needed if name.lower() not in header]
    if missing:
        raise InputError(
            f"wrong header: no column {missing[0]!r} in {','.join(header)[:60]!r}",
            path=path,
            remedy=f"the header needs {','.join(needed)}",
        )
    doubles = sorted({name for name in header if header.count(name) > 1})
    if doubles:
        raise InputError(f"wrong header: column {doubles[0]!r} twice", path=path, remedy="keep one of them")
    for line, cells in rows:
        if len(cells) != len(header):
            raise InputError(
                f"line {line}: {len(cells)} cells under a header of {len(header)}",
                path=path,
                remedy="mend the line (numbers with decimal commas need semicolons between the cells)",
            )
        yield line, dict(zip(header, map(str.strip, cells), strict=True))


def parse_binary(text: str, *, path: str | PathLike, line: int, column: str) -> int | None:
    """Return 0, 1, or None for an empty cell.

    Raises:
        InputError: any other text.
    """
    try:
        return _BINARY[text]
    except KeyError:
        raise InputError(
            f"line {line}: {column} is {text!r}", path=path, remedy="write 0, 1, or nothing for unknown"
        ) from None


def slice_stem(name: str) -> str:
    """Return a slice's name without the ending of an image or DICOM file, where it has one."""
    for ending in _FILE_ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def parse_row(row: dict[str, str], columns: dict[str, str], *, path: str | PathLike, line: int) -> Values:
    """Read a row's classes.

    Args:
        row: column -> cell.
        columns: column -> class.
        path: file named in errors.
        line: line named in errors.

    Raises:
        InputError: a cell that is not 0, 1 or empty, or ``any`` contradicting the classes.
    """
    values = {
        name: parse_binary(row[column], path=path, line=line, column=column)
        for column, name in columns.items()
    }
    check_any(values, where=f"line {line}", path=path)
    return values


def read_label_csv(path: str | PathLike) -> Label:
    """Read one study's labels of own data: column ``slice`` and one column a class.

    ``slice`` is the SOPInstanceUID or file name of a DICOM slice, the file name of a slice image (endings may
    be left out), or the slice's number from 0 (NIfTI, .npy). Classes are named as in ``CLASS_NAMES`` or by an
    alias of the source "own"; those without a column are unknown.

    Returns:
        ``{"slices": {slice name: {class: 0, 1 or None}}}``.

    Raises:
        InputError: see ``read_table``; a column that is no class, no class at all, a slice twice, a slice
            without name, or a cell that is not 0, 1 or empty.
    """
    slices: dict[str, Values] = {}
    columns: dict[str, str] | None = None
    for line, row in read_table(path, needed=("slice",)):
        columns = columns or _class_columns(list(row), path)
        name = slice_stem(row["slice"])
        if not name or name in slices:
            raise InputError(
                f"line {line}: " + (f"slice {name} is there twice" if name else "no slice name"),
                path=path,
                remedy="give one row a slice",
            )
        slices[name] = parse_row(row, columns, path=path, line=line)
    if not slices:
        raise InputError("no slice in this table", path=path, remedy="give one row a slice")
    return {"slices": slices}


def _class_columns(header: Sequence[str], path: str | PathLike) -> dict[str, str]:
    columns: dict[str, str] = {}
    for column in header:
        if column == "slice":
            continue
        try:
            name = canonical_class(column)
        except InputError as error:
            raise InputError(f"wrong header: {error.problem}", path=path, remedy=error.remedy) from error
        if name in columns.values():
            raise InputError(f"wrong header: two columns of {name}", path=path, remedy="keep one of them")
        columns[column] = name
    if not columns:
        raise InputError("wrong header: no class", path=path, remedy="add a column, e.g. IPH")
    return columns
