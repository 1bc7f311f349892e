# SPDX-License-Identifier: Apache-2.0
"""Which tables of nodules a data set has, and which of its scans each is about."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...utils import InputError
from .annotations import Annotation, label_of, read_annotations, read_seriesuids
from .scans import section_folders, section_of

_logger = logging.getLogger("tomobundles")

_ANNOTATIONS, _EXCLUDED, _LISTED = "annotations.csv", "annotations_excluded.csv", "seriesuids.csv"
_LUNA = Path("evaluationScript", "annotations")  # where LUNA16's download has them


@dataclass(frozen=True)
class LabelTable:
    """annotations.csv of a folder, with annotations_excluded.csv and seriesuids.csv where they lie beside it.

    Args:
        path: annotations.csv.
        nodules: ``uid_key`` -> rows.
        excluded: the same of excluded findings; empty without that table.
        listed: ``uid_key`` of the scans that are meant; None without that list: all.
        owner: the section's name or folder that the tables are about; None for all.
    """

    path: Path
    nodules: Mapping[str, Sequence[Annotation]]
    excluded: Mapping[str, Sequence[Annotation]]
    listed: frozenset[str] | None = None
    owner: str | Path | None = None

    @property
    def keys(self) -> frozenset[str]:
        """Names of scans that have a row, of those that are meant."""
        rows = frozenset(self.nodules) | frozenset(self.excluded)
        return rows if self.listed is None else rows & self.listed

    @property
    def known(self) -> frozenset[str]:
        """Names of scans that have a row or are listed."""
        return self.keys | (self.listed or frozenset())

    def label(self, key: str) -> dict[str, Any]:
        """A scan's label; without a row it has no nodule."""
        return label_of(self.nodules.get(key, ()), self.excluded.get(key, ()), source=self.path.name)

    def check_scans(self, present: Collection[str], *, partial: bool) -> None:
        """Check that rows belong to scans.

        Args:
            present: ``uid_key`` of the scans that the table is about.
            partial: only a part of the data set is here, which is logged; else each row needs its scan.

        Raises:
            InputError: rows of scans that are not there, or of none that is.
        """
        absent = sorted(self.keys - set(present))
        if self.keys and len(absent) == len(self.keys):
            raise InputError(
                f"none of its {len(absent)} scans is here, e.g. {absent[0]!r}",
                path=self.path,
                remedy="scans go by their file's name: check dataset_dir and the column seriesuid",
            )
        if absent and not partial:
            raise InputError(
                f"unknown seriesuid: {absent[0]!r} is no scan here ({len(absent)} such of {len(self.keys)})",
                path=self.path,
                remedy="restore the scan, remove its rows, or list the scans you mean in seriesuids.csv",
            )
        lost = set(absent) | ((self.listed or frozenset()) - set(present))
        if lost:
            _logger.warning("%s: %d of its scans are not here, e.g. %s", self.path, len(lost), min(lost))


def find_tables(root: Path) -> list[LabelTable]:
    """Find and read a data set's tables.

    Tables of a section lie in its own folder, or in ``csv*/<section>/``; those of all sections in the root,
    in ``csv*/``, or where LUNA16 has them, and the first of these places counts.

    Raises:
        InputError: see ``read_annotations`` and ``read_seriesuids``.
    """
    found = [_read(folder, owner) for folder, owner in _owned(root)]
    shared = next((folder for folder in _shared(root) if (folder / _ANNOTATIONS).is_file()), None)
    return found + ([] if shared is None else [_read(shared, None)])


def has_tables(root: Path) -> bool:
    """Say whether annotations.csv lies in one of the places that ``find_tables`` looks into."""
    return bool(_owned(root)) or any((folder / _ANNOTATIONS).is_file() for folder in _shared(root))


def _shared(root: Path) -> list[Path]:
    return [root, *_csv_folders(root), root / _LUNA]


def _owned(root: Path) -> list[tuple[Path, str | Path]]:
    """Folders with a table of one section, and that section's folder or name."""
    places: list[tuple[Path, str | Path]] = [(folder, folder) for folder, _ in section_folders(root)[:-1]]
    for folder in _csv_folders(root):
        children = sorted(child for child in folder.iterdir() if child.is_dir())
        places += [(child, section) for child in children if (section := section_of(child.name))]
    return [(folder, owner) for folder, owner in places if (folder / _ANNOTATIONS).is_file()]


def _csv_folders(root: Path) -> list[Path]:
    children = root.iterdir() if root.is_dir() else ()
    return sorted(child for child in children if child.is_dir() and child.name.lower().startswith("csv"))


def _read(folder: Path, owner: str | Path | None) -> LabelTable:
    excluded, listed = folder / _EXCLUDED, folder / _LISTED
    return LabelTable(
        path=folder / _ANNOTATIONS,
        nodules=read_annotations(folder / _ANNOTATIONS),
        excluded=read_annotations(excluded, excluded=True) if excluded.is_file() else {},
        listed=frozenset(read_seriesuids(listed)) if listed.is_file() else None,
        owner=owner,
    )
