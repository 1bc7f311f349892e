# SPDX-License-Identifier: Apache-2.0
"""What a detector found where there is no nodule, fed back to training (offline hard negative mining)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from ...utils import InputError
from ..label_csv import read_table
from .annotations import COLUMNS, parse_number
from .names import seriesuid_of, uid_key

_logger = logging.getLogger("tomobundles")

Item = dict[str, Any]
KEY = "false_positives"


def read_false_positives(
    path: str | PathLike, *, min_probability: float = 0.0
) -> dict[str, list[list[float]]]:
    """Read a table with LUNA16's columns and "probability".

    Args:
        path: CSV with seriesuid, coordX, coordY, coordZ, diameter_mm, probability; world LPS mm.
        min_probability: rows below it are left out.

    Returns:
        ``uid_key`` of the scan -> rows x, y, z, diameter_mm; empty where all of a scan's rows are below.

    Raises:
        InputError: see ``read_table``; a cell that is no finite number, a diameter that is not positive, or a
            probability outside 0-1.
    """
    found: dict[str, list[list[float]]] = {}
    needed = (*COLUMNS, "probability")
    for line, row in read_table(path, needed=needed, delimiter=None):
        *point, diameter, probability = (
            parse_number(row[name.lower()], path=path, line=line, column=name) for name in needed[1:]
        )
        if diameter <= 0 or not 0 <= probability <= 1:
            raise InputError(
                f"line {line}: a diameter of {diameter:g} mm with probability {probability:g}",
                path=path,
                remedy="give positive diameters, and probabilities between 0 and 1",
            )
        rows = found.setdefault(uid_key(row["seriesuid"]), [])
        if probability >= min_probability:
            rows.append([*point, diameter])
    return found


def with_false_positives(
    items: Sequence[Mapping[str, Any]],
    path: str | PathLike | None = None,
    min_probability: float = 0.05,
) -> list[Item]:
    """Lay a detector's false positives into the items of their scans, by seriesuid.

    Args:
        items: training samples.
        path: the table; None or "" changes nothing.
        min_probability: weaker ones are left out: the detector has learned them.

    Returns:
        items with "false_positives", rows x, y, z, diameter_mm in LPS mm; empty for a scan without any.

    Raises:
        InputError: see :func:`read_false_positives`; rows, but none of one of the items' scans.
    """
    if path is None or not str(path):
        return [dict(item) for item in items]
    found = read_false_positives(path, min_probability=min_probability)
    keys = [uid_key(seriesuid_of(item)) for item in items]
    if found and not set(found) & set(keys):
        raise InputError(
            f"false positives of {len(found)} scans, none of which is in the training data",
            path=path,
            remedy="find false positives in the training section of this data set",
        )
    result = [{**item, KEY: found.get(key, [])} for item, key in zip(items, keys, strict=True)]
    count = sum(len(item[KEY]) for item in result)
    _logger.info("%d false positives of %d scans are fed back", count, len(set(found) & set(keys)))
    return result
