# SPDX-License-Identifier: Apache-2.0
"""What a datalist's items are checked for before anything is trained."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils import InputError
from .label_csv import read_label_csv
from .nodules.checks import check_nodules, is_nodule_label
from .slice_labels import check_label, knows_slices
from .slices import is_slice_folder, list_slices, slice_number

_logger = logging.getLogger("tomobundles")

Item = dict[str, Any]


def is_label_table(label: Any) -> bool:
    """Say whether a label is a mapping or the path of a CSV, and not a mask's path."""
    return isinstance(label, Mapping) or str(label).lower().endswith(".csv")


def check_item_label(image: Path, label: Any, *, slices: Sequence[int] | None = None) -> None:
    """Check a volume's label: a mask's slices against the volume's, a table of labels by its form.

    Args:
        image: the volume.
        label: its label.
        slices: numbers of the first and the last slice that are meant; others may lack a label.

    Raises:
        InputError: see ``check_label``, ``check_nodules`` and ``read_label_csv``; slices of volume and mask
            that do not match.
    """
    if is_nodule_label(label):
        check_nodules(label, path=image)
    elif isinstance(label, Mapping):
        check_label(label, path=image)
    elif is_label_table(label):
        check_label(read_label_csv(label), path=label)
    else:
        _check_slices_match(image, Path(label), slices)


def check_sections(data: Mapping[str, Sequence[Item]], sections: Sequence[str], *, source: Path) -> None:
    """Check that the sections that are needed can be used, and that no volume is in the data twice.

    Raises:
        InputError: an empty section, training or validation without a label, labels of the training section
            that tell nothing of any slice, one volume in two sections, or one item twice.
    """
    _check_no_duplicates(data, source)
    for section in sections:
        _check_section(section, data[section], source)
    if "training" in sections:
        _check_slices_known(data["training"], source)


def _check_no_duplicates(data: Mapping[str, Sequence[Item]], source: Path) -> None:
    """One volume may be listed again in its section with another label (a second reader), never elsewhere.

    Parts of a volume that share no slice are volumes of their own.
    """
    seen: dict[tuple[Path, str], list[tuple[str, Item]]] = {}
    for section, items in data.items():
        for item in items:
            key = Path(item["image"]).resolve(), str(item.get("series_uid"))
            earlier = seen.setdefault(key, [])
            for other, known in earlier:
                if not _share_slices(known, item):
                    continue
                if other != section or known.get("label") == item.get("label"):
                    where = f"both {other} and {section}" if other != section else f"{section} twice"
                    raise InputError(
                        f"{item['image']} is in {where}", path=source, remedy="list each volume once"
                    )
            earlier.append((section, item))


def _share_slices(one: Item, other: Item) -> bool:
    parts = one.get("slices"), other.get("slices")
    return None in parts or (parts[0][0] <= parts[1][1] and parts[1][0] <= parts[0][1])


def _check_section(section: str, items: Sequence[Item], source: Path) -> None:
    if not items:
        raise InputError(
            f"the {section} section is empty", path=source, remedy="add volumes to it (split by patient)"
        )
    for item in items:
        if section != "test" and "label" not in item:
            raise InputError(
                f"volume without a label in the {section} section",
                path=item["image"],
                remedy='give it a "label", or move it to "test"',
            )


def _check_slices_known(items: Sequence[Item], source: Path) -> None:
    if not any(_knows_slices(item["label"]) for item in items):
        raise InputError(
            "no slice in the training section has a label: study labels alone cannot train",
            path=source,
            remedy="add studies with labelled slices, or use these for validation or test",
        )


def _knows_slices(label: Any) -> bool:
    if not is_label_table(label) or is_nodule_label(label):
        return True
    return knows_slices(label if isinstance(label, Mapping) else read_label_csv(label))


def _check_slices_match(image: Path, label: Path, part: Sequence[int] | None) -> None:
    """Compare slice numbers of two folders: names pair slices, never their position in a listing."""
    if not (is_slice_folder(image) and is_slice_folder(label)):
        return
    images, labels = _numbers(image, part), _numbers(label, part)
    if images == labels:
        return
    if part is None and images == list(range(len(images))) and labels == list(range(1, len(images) + 1)):
        _logger.info("%s counts slices from 0 and its label from 1", image)
        return
    lone = sorted(set(map(str, images)) ^ set(map(str, labels)), key=lambda number: (len(number), number))
    raise InputError(
        f"{len(images)} slices, {len(labels)} label slices; numbers differ, first at {(lone or ['?'])[0]}",
        path=label,
        remedy=f"give one label slice for each slice of {image.name}, with the same number",
    )


def _numbers(folder: Path, part: Sequence[int] | None) -> list[int | None]:
    """Numbers of a folder's slices, of those from first to last where a part is meant."""
    if part is None:
        return [slice_number(file) for file in list_slices(folder)]
    numbers = [slice_number(file) for file in list_slices(folder, allow_gaps=True)]
    found = [number for number in numbers if number is not None and part[0] <= number <= part[1]]
    if found != list(range(part[0], part[1] + 1)):
        missing = sorted(set(range(part[0], part[1] + 1)) - set(found))[0]
        raise InputError(
            f"slice {missing} of {part[0]}..{part[1]} is not here",
            path=folder,
            remedy='restore it, or mend "slices" in the datalist',
        )
    return found
