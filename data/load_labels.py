# SPDX-License-Identifier: Apache-2.0
"""Labels of haemorrhage as tensors: slice by slice in the volume's order, and for the study."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..utils import InputError
from .label_csv import read_label_csv, slice_stem
from .slice_labels import (
    ANY,
    CLASS_NAMES,
    CLASSES,
    Label,
    Values,
    canonical_class,
    check_any,
    check_label,
    complete_study,
)

_logger = logging.getLogger("tomobundles")


class LoadSliceLabelsd(MapTransform):
    """Turn a label (a mapping or the path of a CSV) into tensors aligned with the volume's slices.

    Comes after ``LoadVolumed``. The label's key becomes float32 (R + 1, D): a row for each of
    ``class_names``, then ``any``; 1 present, 0 absent, NaN unknown. ``study_key`` gets the same for the whole
    study, float32 (R + 1,). An item without label passes untouched. Unknown stays unknown, but for what
    follows from the rest:

    - a class that the study does not have is absent from all its slices; so are all five where the study has
      no bleed of any class (``any`` 0 of one slice fills no class: in many tables it only sums up those that
      were annotated);
    - ``any`` is 1 where a class is 1, 0 where all five are 0, else what the label says of it;
    - a study has a class where it or one of its slices says so, and has it not where it says so or all its
      slices do.

    Slices are found by name, never by position: SOPInstanceUID or file stem (meta "slice_names" and
    "slice_files"), or the number from 0 of NIfTI and .npy.

    Args:
        keys: keys of labels.
        image_key: key of the loaded volume, whose meta holds "slice_names".
        class_names: rows, of the five classes; ``any`` is added and always looks at all five.
        study_key: key of the study's label.

    Raises:
        InputError: no such class; and when called: no slice names, a label for a slice that the volume
            lacks, or a label that contradicts itself (see ``check_label``; or a study with a class that all
            its slices are without).
    """

    def __init__(
        self,
        keys: KeysCollection = "label",
        image_key: str = "image",
        class_names: Sequence[str] = CLASSES,
        *,
        study_key: str = "study_label",
    ) -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.image_key = image_key
        self.study_key = study_key
        names = [canonical_class(name) for name in class_names]
        if not names or ANY in names or len(set(names)) != len(names):
            raise InputError(
                f"class_names {list(class_names)}",
                remedy=f"give each of {', '.join(CLASSES)} at most once; any is added",
            )
        self.rows = [CLASS_NAMES.index(name) for name in (*names, ANY)]
        self._reported: set[str] = set()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each label by its table and add the study's label."""
        result = dict(data)
        for key in self.keys:
            if result.get(key) is None:
                continue
            image, label, path = result[self.image_key], result[key], _path_of(result[self.image_key])
            if isinstance(label, str | Path):
                path = Path(label)
                label = read_label_csv(path)
            names, aliases = _slice_names(image)
            table, study = label_tables(label, names, aliases=aliases, path=path)
            self._report(label, len(names), path)
            result[key] = torch.from_numpy(table[self.rows])
            result[self.study_key] = torch.from_numpy(study[self.rows])
        return result

    def _report(self, label: Label, depth: int, path: Path) -> None:
        unlabelled = depth - len(label.get("slices", {}))
        if "slices" in label and unlabelled and str(path) not in self._reported:
            self._reported.add(str(path))
            _logger.info("%s: %d of %d slices without label", path, unlabelled, depth)


def label_tables(
    label: Mapping[str, Any],
    slice_names: Sequence[str],
    *,
    aliases: Mapping[str, int] | None = None,
    path: Path | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Build the tables of a label; see ``LoadSliceLabelsd`` for what is filled in.

    Args:
        label: see ``check_label``.
        slice_names: D names in the volume's order.
        aliases: further names of slices -> index.
        path: file or folder to name in errors.

    Returns:
        float32 (6, D) and (6,): rows of ``CLASS_NAMES``, 0, 1 or NaN.

    Raises:
        InputError: a label for a slice that is not there (or for one slice twice), or a contradiction.
    """
    label = check_label(label, path=path)
    study = complete_study(label.get("study", {}))
    rows: list[Values | None] = [None] * len(slice_names)
    index = {**(aliases or {}), **{name: place for place, name in enumerate(slice_names)}}
    for name, values in label.get("slices", {}).items():
        place = _place(name, index, depth=len(rows), path=path)
        if rows[place] is not None:
            raise InputError(f"two labels for slice {name}", path=path, remedy="keep one of them")
        rows[place] = values
    columns = [
        _column(values or {}, study, f"slice {name}", path)
        for name, values in zip(slice_names, rows, strict=True)
    ]
    table = np.stack(columns, axis=1)
    return table, _study_column(table, _column(study, {}, "study", path), path)


def _place(name: str, index: Mapping[str, int], *, depth: int, path: Path | None) -> int:
    for key in (name, slice_stem(name)):
        if key in index:
            return index[key]
    raise InputError(
        f"label for a slice that the volume lacks: {name!r} (it has {depth})",
        path=path,
        remedy="slices go by SOPInstanceUID or file name; those of NIfTI and .npy count from 0",
    )


def _column(values: Values, study: Values, where: str, path: Path | None) -> np.ndarray:
    """Return (6,): a slice's classes with what the study implies, and ``any`` from them."""
    full = {name: values.get(name) for name in CLASS_NAMES}
    full |= {name: 0 for name in CLASS_NAMES if full[name] is None and study.get(name) == 0}
    check_any(full, where=where, path=path)
    classes = [full[name] for name in CLASSES]
    if 1 in classes:
        full[ANY] = 1
    elif None not in classes:
        full[ANY] = 0
    return np.array([np.nan if value is None else value for value in full.values()], dtype=np.float32)


def _study_column(table: np.ndarray, study: np.ndarray, path: Path | None) -> np.ndarray:
    absent = (table == 0).all(axis=1)
    if (clash := absent & (study == 1)).any():
        name = CLASS_NAMES[int(np.flatnonzero(clash)[0])]
        raise InputError(
            f"the study's label says {name}, but all its slices are labelled without it",
            path=path,
            remedy="mend the study's label or the slices'",
        )
    present = (table == 1).any(axis=1) | (study == 1)
    return np.where(present, 1, np.where(absent | (study == 0), 0, np.nan)).astype(np.float32)


def _slice_names(image: Any) -> tuple[list[str], dict[str, int]]:
    """Return the volume's slice names, and the stems of its files where meta tells them."""
    meta = getattr(image, "meta", {})
    names = [str(name) for name in meta.get("slice_names", ())]
    if len(names) != image.shape[-1] or len(set(names)) != len(names):
        raise InputError(
            f"{len(set(names))} slice names for {image.shape[-1]} slices",
            path=_path_of(image),
            remedy="load the volume with LoadVolumed, before its labels",
        )
    stems = [slice_stem(Path(file).name) for file in meta.get("slice_files", ())]
    return names, {stem: index for index, stem in enumerate(stems) if stems.count(stem) == 1}


def _path_of(image: Any) -> Path:
    return Path(getattr(image, "meta", {}).get("filename_or_obj", "volume"))
