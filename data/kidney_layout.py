# SPDX-License-Identifier: Apache-2.0
"""The folders of the contest SenNet + HOA (vessels in HiP-CT of kidneys) as a datalist."""

from __future__ import annotations

import logging
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from os import PathLike
from pathlib import Path
from typing import Any

from ..utils import InputError
from .kidney_facts import read_facts
from .slices import list_slices, natural_key, slice_number

_logger = logging.getLogger("tomobundles")

Item = dict[str, Any]


class SenNetLayout:
    """Read ``train/<kidney>/{images,labels}/NNNN.tif`` and ``test/<kidney>/images/``, paired by file name.

    The data folder may also be the train folder itself. Any kidney in these folders is taken, also one that
    is not the contest's. A kidney of labels only (kidney_3_dense) takes its images from the one whose name
    ends in _sparse (kidney_3_sparse), which is then listed for the other slices only, one item for each run
    of them. The patient is the kidney's number: kidney_1_dense and kidney_1_voi are one.

    Args:
        validation: the patient whose densely annotated items validate; its sparse items are left out. Where
            it is absent, or None, there is no validation section.
        include_voi: take kidney_1_voi too, a part of kidney_1 at a tenth of its voxel size.
        facts: see ``read_facts``.
    """

    def __init__(
        self,
        *,
        validation: str | None = "kidney_3",
        include_voi: bool = False,
        facts: Mapping[str, Any] | str | PathLike | None = None,
    ) -> None:
        self.validation = validation
        self.include_voi = include_voi
        self.facts = facts

    def matches(self, root: Path) -> bool:
        """Say whether kidneys lie in ``root``."""
        return any(_kidney_folders(folder) for folder in (_train_folder(root), root / "test"))

    def __call__(self, root: Path) -> dict[str, list[Item]]:
        """Return section -> items.

        An item has "image" and "patient"; as far as known "spacing_um"; "label" and "annotated_fraction"
        where it is labelled; "slices" (first and last number) where not all are meant.

        Raises:
            InputError: no kidney here, a label without its image or the reverse, a gap in the numbering, or
                facts that cannot be read or are of no kidney here.
        """
        if not self.matches(root):
            raise InputError(
                "neither a datalist nor the contest's folders (train/<kidney>/images/...) here",
                path=root,
                remedy="name a datalist JSON with --datalist, or check --dataset_dir",
            )
        train = {kidney.name: kidney for kidney in _kidneys(_train_folder(root))}
        test = _kidneys(root / "test")
        facts = read_facts(self.facts, root=root, present={*train, *(kidney.name for kidney in test)})
        if not self.include_voi and (voi := [name for name in train if name.endswith("_voi")]):
            _logger.info("%s is left out: another scale (include_voi takes it)", ", ".join(voi))
            train = {name: kidney for name, kidney in train.items() if name not in voi}
        training = [item for kidney in train.values() for item in _train_items(kidney, train, facts)]
        training, validation = self._part(training)
        tested = [item for kidney in test for item in _test_items(kidney, facts)]
        return {"training": training, "validation": validation, "test": tested}

    def _part(self, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """Training and validation items."""
        held = [item for item in items if item["patient"] == self.validation]
        dense = [item for item in held if item["annotated_fraction"] == 1]
        if not dense:
            return list(items), []
        if left := len(held) - len(dense):
            _logger.info("%d sparsely annotated parts of %s are left out", left, self.validation)
        return [item for item in items if item["patient"] != self.validation], dense


@dataclass(frozen=True)
class _Kidney:
    """One folder; slices by number."""

    folder: Path
    images: Mapping[int, Path]
    labels: Mapping[int, Path]

    @property
    def name(self) -> str:
        return self.folder.name


def _train_folder(root: Path) -> Path:
    return root / "train" if (root / "train").is_dir() else root


def _kidneys(folder: Path) -> list[_Kidney]:
    return [
        _Kidney(path, _numbered(path / "images"), _numbered(path / "labels", allow_gaps=True))
        for path in _kidney_folders(folder)
    ]


def _kidney_folders(folder: Path) -> list[Path]:
    children = folder.iterdir() if folder.is_dir() else ()
    found = [path for path in children if _is_filled(path / "images") or _is_filled(path / "labels")]
    return sorted(found, key=natural_key)


def _is_filled(folder: Path) -> bool:
    return folder.is_dir() and any(not file.name.startswith(".") for file in folder.iterdir())


def _numbered(folder: Path, *, allow_gaps: bool = False) -> dict[int, Path]:
    if not _is_filled(folder):
        return {}
    files = {slice_number(file): file for file in list_slices(folder, allow_gaps=allow_gaps)}
    if None in files:
        raise InputError(
            "no number in this file's name", path=files[None], remedy="number the slices: 0000.tif, ..."
        )
    return files


def _train_items(kidney: _Kidney, train: Mapping[str, _Kidney], facts: Mapping[str, Mapping]) -> list[Item]:
    if not kidney.images:
        source = train.get(re.sub(r"_dense$", "", kidney.name) + "_sparse")
        if source is None:
            raise InputError(
                "labels without images, and no kidney of that name in _sparse that has them",
                path=next(iter(kidney.labels.values())),
                remedy=f"restore {kidney.folder / 'images'}",
            )
        _check_names(kidney.labels, source.images, what="label without an image", where=source.folder)
        return [_item(kidney, run, source.images, facts) for run in _runs(kidney.labels)]
    dense = train.get(re.sub(r"_sparse$", "", kidney.name) + "_dense")
    taken = dense.labels if dense is not None and not dense.images else {}
    _check_names(kidney.labels, kidney.images, what="label without an image", where=kidney.folder)
    rest = {number: file for number, file in kidney.images.items() if number not in taken}
    _check_names(rest, kidney.labels, what="image without a label", where=kidney.folder)
    return [_item(kidney, run, kidney.images, facts) for run in _runs(rest)]


def _test_items(kidney: _Kidney, facts: Mapping[str, Mapping]) -> list[Item]:
    if kidney.labels:
        _check_names(kidney.labels, kidney.images, what="label without an image", where=kidney.folder)
        _check_names(kidney.images, kidney.labels, what="image without a label", where=kidney.folder)
    return [_item(kidney, run, kidney.images, facts) for run in _runs(kidney.images)]


def _check_names(wanted: Mapping[int, Path], there: Mapping[int, Path], *, what: str, where: Path) -> None:
    if lone := sorted(set(wanted) - set(there)):
        raise InputError(
            f"{what} of its number in {where}" + (f", like {len(lone) - 1} more" if lone[1:] else ""),
            path=wanted[lone[0]],
            remedy="restore the other file, or remove this one",
        )


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of numbers that follow each other."""
    ordered = sorted(numbers)
    starts = [number for index, number in enumerate(ordered) if not index or ordered[index - 1] != number - 1]
    for start, following in zip_longest(starts, starts[1:]):
        stop = len(ordered) if following is None else bisect_left(ordered, following)
        yield start, ordered[stop - 1]


def _item(
    kidney: _Kidney, run: tuple[int, int], images: Mapping[int, Path], facts: Mapping[str, Mapping]
) -> Item:
    known = facts.get(kidney.name, {})
    number = re.match(r"kidney_\d+", kidney.name)
    item: Item = {"image": str(images[run[0]].parent), "patient": number[0] if number else kidney.name}
    if kidney.labels:
        item["label"] = str(kidney.folder / "labels")
        item["annotated_fraction"] = known.get("annotated_fraction", 1.0)
    if "spacing_um" in known:
        item["spacing_um"] = known["spacing_um"]
    if run != (min(images), max(images)):
        item["slices"] = list(run)
    return item
