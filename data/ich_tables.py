# SPDX-License-Identifier: Apache-2.0
"""Label tables of public haemorrhage data: the contest's, RSNA 2019, CT-ICH and CQ500.

All readers return ``{study or folder: {"slices": {slice name: {class: 0, 1 or None}}, "study": {...}}}`` with
canonical class names; what a table does not say stays unknown.
"""

from __future__ import annotations

import logging
import re
from os import PathLike

from ..utils import InputError
from .label_csv import csv_rows, parse_binary, parse_row, read_table, slice_stem
from .slice_labels import ALIASES, ANY, CLASS_NAMES, CLASSES, Label, Values, canonical_class

_logger = logging.getLogger("tomobundles")

CONTEST_COLUMNS = ("dirname", "ID", "ich", "ivh", "sah", "sdh", "edh")
CT_ICH_CLASSES = ("Intraventricular", "Intraparenchymal", "Subarachnoid", "Epidural", "Subdural")
CT_ICH_COLUMNS = ("PatientNumber", "SliceNumber", *CT_ICH_CLASSES, "No_Hemorrhage")
CQ500_CLASSES = ("ICH", "IPH", "IVH", "SDH", "EDH", "SAH")
CQ500_READERS = 3
_UNSEEN = -1


def read_contest_csv(path: str | PathLike) -> dict[str, Label]:
    """Read the contest's table, ``dirname,ID,ich,ivh,sah,sdh,edh``; its ``ich`` is IPH.

    Args:
        path: train.csv. ID is the slice's file name, with or without its ending.

    Returns:
        dirname -> label with "slices" by file stem.

    Raises:
        InputError: see ``read_table``; a slice twice, or a cell that is not 0, 1 or empty.
    """
    columns = {name: canonical_class(name, source="contest") for name in CONTEST_COLUMNS[2:]}
    labels: dict[str, Label] = {}
    for line, row in read_table(path, needed=CONTEST_COLUMNS):
        slices = labels.setdefault(row["dirname"], {"slices": {}})["slices"]
        name = slice_stem(row["id"])
        _check_new(name, slices, path=path, line=line)
        slices[name] = parse_row(row, columns, path=path, line=line)
    return labels


def read_rsna_csv(path: str | PathLike) -> dict[str, Values]:
    """Read RSNA's long table, ``ID,Label`` with ID = ID_<slice>_<subtype>, six rows a slice.

    The published file repeats some rows; repetitions that agree are harmless. The table knows no series, so
    that the result is by slice; slices with equal labels share one mapping, of which there are few (the full
    table has 752,803 slices).

    Returns:
        slice ("ID_..." as in file name and SOPInstanceUID) -> classes.

    Raises:
        InputError: see ``csv_rows``; another header or subtype, a cell that is not 0, 1 or empty, two rows
            that disagree, or a slice with fewer than six rows (a cut-off file).
    """
    rows = csv_rows(path)
    header = [name.strip().lower() for name in next(rows, (0, []))[1]]
    if header != ["id", "label"]:
        raise InputError(
            f"wrong header: {','.join(header)[:60]!r}", path=path, remedy="the header needs ID,Label"
        )
    place = {alias: CLASS_NAMES.index(name) for alias, name in ALIASES["rsna"].items()}
    found: dict[str, list[int | None]] = {}
    repeated = 0
    for line, cells in rows:
        name, _, subtype = cells[0].strip().rpartition("_")
        if len(cells) != 2 or not name or subtype not in place:
            raise InputError(
                f"line {line}: {','.join(cells)[:60]!r} is not ID_<slice>_<subtype>,Label",
                path=path,
                remedy=f"subtypes are {', '.join(place)}",
            )
        value = parse_binary(cells[1].strip(), path=path, line=line, column="Label")
        values = found.setdefault(name, [_UNSEEN] * len(CLASS_NAMES))
        index = place[subtype]
        if values[index] not in (_UNSEEN, value):
            raise InputError(
                f"line {line}: {cells[0]} disagrees with an earlier row", path=path, remedy="keep one of them"
            )
        repeated += values[index] != _UNSEEN
        values[index] = value
    if repeated:
        _logger.info("%s repeats %d rows, all in agreement", path, repeated)
    return _share(found, path)


def _share(found: dict[str, list[int | None]], path: str | PathLike) -> dict[str, Values]:
    shared: dict[tuple[int | None, ...], Values] = {}
    for name, values in found.items():
        if _UNSEEN in values:
            raise InputError(
                f"{name} has {len(values) - values.count(_UNSEEN)} of {len(values)} rows",
                path=path,
                remedy="the table is cut off: copy it again",
            )
    return {
        name: shared.setdefault(tuple(values), dict(zip(CLASS_NAMES, values, strict=True)))
        for name, values in found.items()
    }


def read_ct_ich_csv(path: str | PathLike) -> dict[str, Label]:
    """Read CT-ICH's hemorrhage_diagnosis_raw_ct.csv (PhysioNet); its slices count from 1, ours from 0.

    Fractures are not haemorrhage and are left out; ``any`` is the opposite of ``No_Hemorrhage``.

    Returns:
        patient as in ct_scans ("049") -> label with "slices" by index from 0.

    Raises:
        InputError: see ``read_table``; a slice twice, a number that is none, or a cell that is not 0, 1 or
            empty.
    """
    columns = {name.lower(): canonical_class(name, source="ct_ich") for name in CT_ICH_CLASSES}
    labels: dict[str, Label] = {}
    for line, row in read_table(path, needed=CT_ICH_COLUMNS):
        patient = _number(row["patientnumber"], path=path, line=line, column="PatientNumber")
        number = _number(row["slicenumber"], path=path, line=line, column="SliceNumber")
        slices = labels.setdefault(f"{patient:03d}", {"slices": {}})["slices"]
        name = str(number - 1)
        _check_new(name, slices, path=path, line=line)
        none = parse_binary(row["no_hemorrhage"], path=path, line=line, column="No_Hemorrhage")
        row["any"] = "" if none is None else str(1 - none)
        slices[name] = parse_row(row, columns | {"any": ANY}, path=path, line=line)
    return labels


def read_cq500_reads(path: str | PathLike) -> dict[str, Label]:
    """Read CQ500's reads.csv: three readers a study, of whom two decide; its ``ICH`` is any bleed.

    Where two readers saw a bleed but no two of them agree on a class, the classes are unknown.

    Returns:
        study's name ("CQ500-CT-0") -> label with "study".

    Raises:
        InputError: see ``read_table``; a study twice, or a cell that is not 0, 1 or empty.
    """
    readers = [f"R{number + 1}" for number in range(CQ500_READERS)]
    needed = ["name", *(f"{reader}:{name}" for reader in readers for name in CQ500_CLASSES)]
    labels: dict[str, Label] = {}
    for line, row in read_table(path, needed=needed):
        _check_new(row["name"], labels, path=path, line=line, what="study")
        study: Values = {}
        for name in CQ500_CLASSES:
            columns = [f"{reader}:{name}" for reader in readers]
            votes = [parse_binary(row[c.lower()], path=path, line=line, column=c) for c in columns]
            study[canonical_class(name, source="cq500")] = _majority(votes)
        if study[ANY] == 1 and all(study[name] == 0 for name in CLASSES):
            study |= dict.fromkeys(CLASSES)
        labels[row["name"]] = {"study": {name: study[name] for name in CLASS_NAMES}}
    return labels


def _majority(votes: list[int | None]) -> int | None:
    for value in (0, 1):
        if votes.count(value) * 2 > len(votes):
            return value
    return None


def _check_new(name: str, known: dict, *, path: str | PathLike, line: int, what: str = "slice") -> None:
    if not name or name in known:
        raise InputError(
            f"line {line}: " + (f"{what} {name} is there twice" if name else f"no name of a {what}"),
            path=path,
            remedy=f"give one row a {what}",
        )


def _number(text: str, *, path: str | PathLike, line: int, column: str) -> int:
    if not re.fullmatch(r"\d+", text) or int(text) < 1:
        raise InputError(f"line {line}: {column} is {text!r}", path=path, remedy="numbers count from 1")
    return int(text)
