# SPDX-License-Identifier: Apache-2.0
"""Where chest CTs lie in a data set's folders: train*, val*, test*, subset0 to subset9, or loose."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...utils import InputError
from ..dicom import holds_dicom
from ..writers_names import volume_name
from .names import uid_key

_SECTION = re.compile(r"(train|val|test|subset[-_]?\d)", re.IGNORECASE)
_SECTIONS = {"train": "training", "val": "validation", "test": "test"}
_SUBSET = re.compile(r"subset[-_]?\d", re.IGNORECASE)
_IMAGES, _MASKS = "images", "masks"
_FILES = (".mhd", ".mha", ".nii.gz", ".nii")
_MASK_FILES = (".nii.gz", ".nii", ".mhd", ".mha")
# masks that lie beside their scan: <scan><ending>, whether it is one of nodules
_COMPANIONS = {"_tumour": True, "_tumor": True, "_nodules": True, "_mask": True, "_lungmask": False}


@dataclass(frozen=True)
class Scan:
    """A CT of a data set: its file or DICOM folder, its section, the section's own folder, its mask."""

    path: Path
    section: str
    folder: Path
    mask: Path | None = None

    @property
    def name(self) -> str:
        """Name of the scan, without ending."""
        return volume_name(self.path)

    @property
    def key(self) -> str:
        """What tables know it by, see ``uid_key``."""
        return uid_key(self.path)


def section_of(name: str) -> str | None:
    """Section of a folder by its name; None if it is of no section."""
    match = _SECTION.match(name)
    return None if match is None else _SECTIONS.get(match[1].lower(), "training")


def section_folders(root: Path) -> list[tuple[Path, str]]:
    """Folders of sections, with their sections; the root itself, for loose scans, is the last."""
    children = sorted(child for child in root.iterdir() if child.is_dir()) if root.is_dir() else []
    found = [(child, section) for child in children if (section := section_of(child.name))]
    return [*found, (root, "training")]


def is_subset(folder: Path) -> bool:
    """Whether a folder's name says that it is one part of many (subset3, train_subset00)."""
    return bool(_SUBSET.search(folder.name))


def find_scans(root: Path, *, known: Collection[str] = ()) -> list[Scan]:
    """Find the CTs of a data set, by name.

    A section's folder, its folder ``images`` and its subsets are looked into. Masks of nodules lie in a
    folder ``masks`` among the scans, in the section's folder or in the root, or as ``<scan>_tumour``,
    ``_nodules`` or ``_mask`` beside the scan itself.

    Args:
        root: the data set.
        known: ``uid_key`` of scans in tables: folders of DICOM files that lie loose in the root must be among
            them, since other folders are many things.

    Raises:
        InputError: two files of one scan in a section.
    """
    scans: list[Scan] = []
    for folder, section in section_folders(root):
        found: dict[str, Scan] = {}
        for place in _places(folder, loose=folder == root):
            for path in _volumes(place, known if folder == root else None):
                scan = Scan(path, section, folder, _mask(path, place, folder, root))
                if (other := found.setdefault(scan.key, scan)) is not scan:
                    raise InputError(
                        f"the same scan as {other.path.name}", path=path, remedy="keep one of the two"
                    )
        scans += found.values()
    return scans


def _places(folder: Path, *, loose: bool) -> Iterator[Path]:
    """Folders that hold a section's scans."""
    yield folder
    if (folder / _IMAGES).is_dir():
        yield folder / _IMAGES
    if not loose:
        yield from sorted(child for child in folder.iterdir() if child.is_dir() and is_subset(child))


def _volumes(place: Path, known: Collection[str] | None) -> Iterator[Path]:
    """Scans in one folder; ``known`` are the names that folders of DICOM may have, None for any."""
    children = sorted(child for child in place.iterdir() if not child.name.startswith("."))
    names = {volume_name(child) for child in children if child.name.lower().endswith(_FILES)}
    for child in children:
        if child.is_file():
            if child.name.lower().endswith(_FILES) and _owner(volume_name(child), names) is None:
                yield child
        elif _may_be_scan(child, known) and holds_dicom(child):
            yield child


def _may_be_scan(folder: Path, known: Collection[str] | None) -> bool:
    other = folder.name.lower() in (_IMAGES, _MASKS) or is_subset(folder)
    return not other and (known is None or uid_key(folder.name) in known)


def _owner(name: str, names: Collection[str]) -> str | None:
    """The scan that a companion's name belongs to; None if it is a scan itself."""
    for ending in _COMPANIONS:
        owner = name.removesuffix(ending)
        if owner != name and owner in names:
            return owner
    return None


def _mask(path: Path, place: Path, folder: Path, root: Path) -> Path | None:
    name = volume_name(path)
    folders = dict.fromkeys([place / _MASKS, folder / _MASKS, root / _MASKS])
    candidates = [where / f"{name}{ending}" for where in folders for ending in _MASK_FILES]
    beside = [companion for companion, of_nodules in _COMPANIONS.items() if of_nodules]
    candidates += [place / f"{name}{companion}{ending}" for companion in beside for ending in _MASK_FILES]
    return next((candidate for candidate in candidates if candidate.is_file()), None)
