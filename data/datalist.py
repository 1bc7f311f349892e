# SPDX-License-Identifier: Apache-2.0
"""Datalists: which volume has which label, whose they are, and in which part of the data they fall."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from ..utils import InputError, atomic_path, rank0_first
from .datalist_checks import check_item_label, check_sections
from .kidney_facts import check_facts
from .nodules.resolve import LabelResolver
from .sample import make_sample
from .splits import check_no_shared_patients, split_by_patient

Item = dict[str, Any]


class Layout(Protocol):
    """A task's known layout of folders."""

    def matches(self, root: Path) -> bool:
        """Say whether ``root`` has the layout."""

    def __call__(self, root: Path) -> Mapping[str, Sequence[Item]]:
        """Return section -> items, with absolute paths or paths relative to ``root``."""


SECTIONS = ("training", "validation", "test")
PATH_KEYS = ("image", "label", "mask")


def load_datalist(
    *,
    dataset_dir: str | PathLike,
    datalist: str | PathLike | None = None,
    layout: Layout | None = None,
    sample: str | None = None,
    sample_dir: str | PathLike | None = None,
    sections: Sequence[str] = ("training", "validation"),
    validation_fraction: float = 0.2,
    seed: int = 0,
) -> dict[str, list[Item]]:
    """Turn a data folder into sample dictionaries by section, checked before anything is trained.

    Args:
        dataset_dir: folder that the datalist's paths are relative to, or a folder in the task's known layout.
        datalist: JSON file ``{"training": [{"image": path, "label": path, "patient": id}, ...],
            "validation": [...], "test": [...]}``; None takes ``layout``. A label is the path of a mask or a
            CSV of slice labels (see ``read_label_csv``), or a mapping of such labels (see ``check_label``).
            Labels of nodules are a mapping too (see ``check_nodules``), or an annotations.csv or MONAI's
            boxes (see ``LabelResolver``); "mask" is the path of their mask.
            Of volumes of vessels an item may also say "spacing_um" (voxel size, one number or three),
            "slices" (first and last number of the slices that are meant, of image and label) and
            "annotated_fraction" (share of the vessels that has a label, 1 where the label is complete).
        layout: reads a known layout of folders into the same mapping.
        sample: name of the embedded sample that ``sample_dir`` is made of, where it is absent or empty.
        sample_dir: the sample's own folder; only a ``dataset_dir`` that is this folder is ever written to.
        sections: sections that the caller needs; each must have at least one item.
        validation_fraction: share of patients moved from training to validation when no validation section
            exists, in (0, 1); the draw is by patient, from ``seed``.
        seed: seed of that draw.

    Returns:
        section -> items; every "image" and "mask" is an existing path, so is every "label" that is not a
        mapping, "patient" is a string; other keys (series_uid) are kept.

    Raises:
        InputError: missing or empty folder, unreadable datalist, a file that does not exist, a volume without
            label in training or validation, slices of volume and mask that do not match by name, a damaged or
            contradictory table of labels, a voxel size, range of slices or annotated fraction that cannot be,
            training without the label of any slice, one patient or one volume
            in two sections, or an empty section.
    """
    root = Path(dataset_dir)
    if sample is not None and sample_dir is not None and root == Path(sample_dir):
        with rank0_first():
            make_sample(sample, root)
    root = root.absolute()
    if not root.is_dir():
        raise InputError(
            "dataset_dir is not a folder", path=root, remedy="check the path given as --dataset_dir"
        )
    if not any(root.iterdir()):
        raise InputError(
            "dataset_dir is empty", path=root, remedy="put the data there or name another folder"
        )
    source = root if datalist is None else Path(datalist)
    if datalist is not None:
        found = _read_json(source)
    elif layout is not None:
        found = layout(root)
    else:
        raise InputError("no datalist given", path=root, remedy="name a datalist JSON with --datalist")
    resolve = LabelResolver(root, source=source, mode=found.get("box_mode", "cccwhd"))
    data = {
        section: [_checked_item(item, root, source, resolve) for item in found.get(section, [])]
        for section in SECTIONS
    }
    if "validation" in sections and not data["validation"] and data["training"]:
        data["training"], data["validation"] = split_by_patient(
            data["training"], fraction=validation_fraction, seed=seed
        )
    check_no_shared_patients(data, source=source)
    check_sections(data, sections, source=source)
    return data


def save_datalist(
    path: str | PathLike, data: Mapping[str, Sequence[Item]], *, dataset_dir: str | PathLike
) -> None:
    """Write a datalist JSON with paths relative to ``dataset_dir``."""
    root = Path(dataset_dir).resolve()
    relative = {
        section: [
            {
                key: _relative(value, root) if key in PATH_KEYS and not isinstance(value, Mapping) else value
                for key, value in item.items()
            }
            for item in items
        ]
        for section, items in data.items()
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(relative, indent=2) + "\n", encoding="utf-8")


def _relative(path: str, root: Path) -> str:
    resolved = Path(path).resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else str(resolved)


def _read_json(path: Path) -> Mapping[str, Sequence[Item]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"cannot read this datalist: {error.strerror or error}", path=path, remedy="check --datalist"
        ) from error
    except ValueError as error:
        raise InputError(f"not valid JSON: {error}", path=path, remedy="mend the datalist") from error
    if not _is_datalist(found):
        raise InputError(
            "not a datalist: no list of items under training, validation or test",
            path=path,
            remedy='write {"training": [{"image": ..., "label": ..., "patient": ...}], "validation": [...]}',
        )
    return found


def _is_datalist(found: Any) -> bool:
    if not isinstance(found, dict):
        return False
    lists = [found.get(section, []) for section in SECTIONS]
    return any(lists) and all(
        isinstance(items, list) and all(isinstance(item, dict) for item in items) for items in lists
    )


def _checked_item(item: Item, root: Path, source: Path, resolve: LabelResolver) -> Item:
    if "image" not in item:
        what = "label without a volume" if "label" in item else "item without an image"
        raise InputError(f"{what}: {item}", path=source, remedy='give every item an "image"')
    item = resolve(item)
    checked = dict(item)
    for key in PATH_KEYS:
        if item.get(key) is None:
            checked.pop(key, None)
            continue
        if key == "label" and isinstance(item[key], Mapping):
            continue
        path = root / str(item[key])
        if not path.exists():
            raise InputError(
                f"this {key} is in the datalist but not on disk",
                path=path,
                remedy=f"mend {source.name} or the data",
            )
        checked[key] = str(path)
    check_facts(checked, path=checked["image"])
    checked["patient"] = str(item.get("patient", Path(checked["image"]).name))
    if "label" in checked:
        check_item_label(Path(checked["image"]), checked["label"], slices=checked.get("slices"))
    return checked
