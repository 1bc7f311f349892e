# SPDX-License-Identifier: Apache-2.0
"""LUNA16's and Tianchi's layout: scans in folders of sections, nodules in annotations.csv."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ...utils import InputError
from ..dicom import find_series
from .label_tables import LabelTable, find_tables
from .scans import Scan, find_scans, is_subset

_logger = logging.getLogger("tomobundles")

Item = dict[str, Any]


def read_table_layout(root: str | PathLike, *, partial: bool | None = None) -> dict[str, list[Item]]:
    """Pair scans and rows of tables by name.

    A scan without rows has no nodule if a table is about its section. The test section is known only by what
    a table has of it: if that is no row and no listed scan, its scans get no label. seriesuids.csv narrows a
    section to the scans that it lists.

    Args:
        root: the data set, see ``find_scans`` and ``find_tables``.
        partial: see ``NoduleLayout``.

    Returns:
        section -> items with "image", "patient", "seriesuid", and "label", "mask", "series_uid" where there
        are.

    Raises:
        InputError: no scan, a row without its scan, no row with one, or a damaged table.
    """
    root = Path(root)
    tables = find_tables(root)
    scans = find_scans(root, known=frozenset().union(*(table.known for table in tables)))
    if not scans:
        raise InputError(
            "tables of nodules, but no scan", path=root, remedy="put scans into train/, val/, test/ or beside"
        )
    some = any(is_subset(scan.folder) or is_subset(scan.path.parent) for scan in scans)
    some = some if partial is None else partial
    sections: dict[str, list[Item]] = {"training": [], "validation": [], "test": []}
    for table in [*tables, None]:
        own = [scan for scan in scans if _table_of(scan, tables) is table]
        if table is None:
            found = [(scan, _item(scan)) for scan in own]
        else:
            others = {scan.key for scan in scans} if table.owner is None else set()
            found = _labelled(own, table, others=others, partial=some)
        for scan, item in found:
            sections[scan.section].append(item)
    return sections


def _table_of(scan: Scan, tables: Sequence[LabelTable]) -> LabelTable | None:
    """A scan's table: its own folder's, else its section's, else that of all."""
    for owner in (scan.folder, scan.section, None):
        for table in tables:
            if table.owner == owner:
                return table
    return None


def _labelled(
    scans: Sequence[Scan], table: LabelTable, *, others: Collection[str], partial: bool
) -> Iterator[tuple[Scan, Item]]:
    """Items of the scans that one table is about; ``others`` it may name too."""
    named = {scan: _series(scan, table) for scan in scans}
    table.check_scans(set(named.values()) | set(others), partial=partial)
    for section in dict.fromkeys(scan.section for scan in scans):
        keys = {scan: key for scan, key in named.items() if scan.section == section}
        if section == "test" and table.owner is None and not set(keys.values()) & table.known:
            _logger.info("%s says nothing of the test section: no labels there", table.path)
            yield from ((scan, _item(scan)) for scan in keys)
            continue
        kept = {scan: key for scan, key in keys.items() if table.listed is None or key in table.listed}
        if left := len(keys) - len(kept):
            _logger.info("%d scans of the %s section are not in seriesuids.csv: left out", left, section)
        yield from ((scan, _item(scan, key) | {"label": table.label(key)}) for scan, key in kept.items())


def _series(scan: Scan, table: LabelTable) -> str:
    """Name of a scan in a table: a folder's own, else that of a DICOM series in it."""
    if scan.path.is_file() or scan.key in table.known:
        return scan.key
    inside = sorted({one.series_uid for one in find_series(scan.path).series} & table.known)
    if len(inside) > 1:
        raise InputError(
            f"{len(inside)} series of this folder are in {table.path.name}",
            path=scan.path,
            remedy="give each series a folder of its own",
        )
    return inside[0] if inside else scan.key


def _item(scan: Scan, key: str | None = None) -> Item:
    item: Item = {"image": str(scan.path), "patient": scan.name, "seriesuid": scan.name}
    if key is not None and key != scan.key:  # a series of a DICOM folder
        item |= {"seriesuid": key, "series_uid": key}
    return item | ({"mask": str(scan.mask)} if scan.mask else {})
