# SPDX-License-Identifier: Apache-2.0
"""The folders in which public haemorrhage data come: contest, CT-ICH, RSNA 2019 and CQ500."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ..utils import InputError
from .epochs import volume_depth
from .ich_rsna import read_rsna
from .ich_tables import read_contest_csv, read_cq500_reads, read_ct_ich_csv
from .slice_labels import Label
from .slices import list_slices, natural_key

_logger = logging.getLogger("tomobundles")

Item = dict[str, Any]
CT_ICH_CSV = "hemorrhage_diagnosis_raw_ct.csv"
_CQ500 = re.compile(r"CQ500[-_ ]?CT[-_ ]?(\d+)(?!\d)", re.IGNORECASE)


class HaemorrhageLayout:
    """Read the known layouts of head CT with haemorrhage labels, told apart by what lies in the folder.

    - contest: ``train/<dirname>/*.jpg`` and train.csv, with test/ and test.csv where they are there; the
      patient is the dirname.
    - CT-ICH: ``ct_scans/<patient>.nii`` and hemorrhage_diagnosis_raw_ct.csv.
    - RSNA 2019: ``stage_2_train/*.dcm`` and stage_2_train.csv; one item a series, patients by hashed
      PatientID. The unlabelled stage_2_test is left out: point inference at that folder.
    - CQ500: ``CQ500CT*/`` and reads.csv; study labels only, so all of it is the test section.
    """

    def matches(self, root: Path) -> bool:
        """Say whether ``root`` has one of the layouts."""
        return any(matches(root) for matches, _ in _LAYOUTS.values())

    def __call__(self, root: Path) -> dict[str, list[Item]]:
        """Return section -> items with "image", "patient", and "label" where there is one.

        Raises:
            InputError: none of the layouts or several of them, a damaged table, or a label without its slice.
        """
        found = [name for name, (matches, _) in _LAYOUTS.items() if matches(root)]
        if not found:
            raise InputError(
                "neither a datalist nor a known layout here (train/ and train.csv, ct_scans/, ...)",
                path=root,
                remedy="name a datalist JSON with --datalist, or check --dataset_dir",
            )
        if len(found) > 1:
            raise InputError(
                f"several layouts in one folder: {', '.join(found)}",
                path=root,
                remedy="keep one data set in each folder, or write a datalist JSON",
            )
        return _LAYOUTS[found[0]][1](root)


def _read_contest(root: Path) -> dict[str, list[Item]]:
    sections = {}
    for section, name in (("training", "train"), ("test", "test")):
        folder, table = root / name, root / f"{name}.csv"
        labels = read_contest_csv(table) if table.is_file() else {}
        sections[section] = _contest_items(folder, labels, table) if folder.is_dir() or labels else []
    return sections


def _contest_items(folder: Path, labels: Mapping[str, Label], table: Path) -> list[Item]:
    children = folder.iterdir() if folder.is_dir() else ()
    studies = {path.name: path for path in children if path.is_dir() and not path.name.startswith(".")}
    check_labelled(labels, studies, what="folder", table=table, folder=folder)
    items, gaps = [], 0
    for name in sorted(studies, key=natural_key):
        item: Item = {"image": str(studies[name]), "patient": name}
        if name in labels:
            stems = {file.stem for file in list_slices(studies[name], allow_gaps=True)}
            gaps += check_labelled(
                labels[name]["slices"], stems, what="slice", table=table, folder=studies[name]
            )
            item["label"] = labels[name]
        items.append(item)
    log_unlabelled(gaps, table)
    return items


def _read_ct_ich(root: Path) -> dict[str, list[Item]]:
    table, folder = root / CT_ICH_CSV, root / "ct_scans"
    labels = read_ct_ich_csv(table)
    scans: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if match := re.fullmatch(r"(\d+)\.nii(\.gz)?", path.name):
            _add(scans, f"{int(match[1]):03d}", path)
    check_labelled(labels, scans, what="scan", table=table, folder=folder)
    items, gaps = [], 0
    for patient, path in sorted(scans.items()):
        item: Item = {"image": str(path), "patient": patient}
        if patient in labels:
            names = [str(index) for index in range(volume_depth(path))]
            gaps += check_labelled(
                labels[patient]["slices"], names, what="slice (from 0)", table=table, folder=path
            )
            item["label"] = labels[patient]
        items.append(item)
    log_unlabelled(gaps, table)
    return {"training": items}


def _read_cq500(root: Path) -> dict[str, list[Item]]:
    table = root / "reads.csv"
    labels: dict[str, tuple[str, Label]] = {}
    for name, label in read_cq500_reads(table).items():
        if (other := labels.setdefault(_cq500_number(name, table), (name, label))[0]) != name:
            raise InputError(f"{name} and {other} are one study", path=table, remedy="keep one of them")
    folders: dict[str, Path] = {}
    for path in _cq500_folders(root):
        _add(folders, _cq500_number(path.name, root), path)
    if absent := len(set(labels) - set(folders)):
        # the studies come as 491 separate archives: a part of them is a usual thing to have
        _logger.warning("%s lists %d studies whose folders are not here", table, absent)
    items = []
    for number, path in sorted(folders.items(), key=lambda pair: int(pair[0])):
        name, label = labels.get(number, (f"CQ500-CT-{number}", None))
        items.append({"image": str(path), "patient": name} | ({"label": label} if label else {}))
    log_unlabelled(len(set(folders) - set(labels)), table, what="studies")
    return {"test": items}


def _cq500_folders(root: Path) -> list[Path]:
    children = root.iterdir() if root.is_dir() else ()
    return sorted(path for path in children if path.is_dir() and _CQ500.match(path.name))


def _cq500_number(name: str, path: Path) -> str:
    if match := _CQ500.match(name):
        return str(int(match[1]))
    raise InputError(f"{name!r} is no study of CQ500", path=path, remedy="names look like CQ500-CT-12")


def _add(found: dict[str, Path], key: str, path: Path) -> None:
    if (other := found.setdefault(key, path)) != path:
        raise InputError(f"the same scan as {other.name}", path=path, remedy="keep one of them")


def check_labelled(
    labels: Collection[str], present: Collection[str], *, what: str, table: Path, folder: Path
) -> int:
    """Check that whatever has a label is there.

    Returns:
        how many of ``present`` have no label.

    Raises:
        InputError: a label for something that is not in ``present``.
    """
    have = set(present)
    if missing := sorted(set(labels) - have, key=natural_key):
        raise InputError(
            f"label for a missing {what}: {missing[0]!r} is not in {folder}",
            path=table,
            remedy=f"restore the {what.split()[0]} or remove its row",
        )
    return len(have - set(labels))


def log_unlabelled(count: int, table: Path, *, what: str = "slices") -> None:
    """Log how many have no label; they are unknown, which is no error."""
    if count:
        _logger.info("%d %s are not in %s: their labels are unknown", count, what, table)


_LAYOUTS: dict[str, tuple[Callable[[Path], bool], Callable[[Path], dict[str, list[Item]]]]] = {
    "contest": (
        lambda root: (root / "train").is_dir() and (root / "train.csv").is_file(),
        _read_contest,
    ),
    "CT-ICH": (
        lambda root: (root / "ct_scans").is_dir() and (root / CT_ICH_CSV).is_file(),
        _read_ct_ich,
    ),
    "RSNA": (
        lambda root: (root / "stage_2_train").is_dir() and (root / "stage_2_train.csv").is_file(),
        read_rsna,
    ),
    "CQ500": (lambda root: (root / "reads.csv").is_file() and bool(_cq500_folders(root)), _read_cq500),
}
