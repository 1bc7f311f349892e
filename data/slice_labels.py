# SPDX-License-Identifier: Apache-2.0
"""Slice and study labels of intracranial haemorrhage: class names, aliases, and what a label may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from os import PathLike
from typing import Any

import numpy as np

from ..utils import InputError

CLASSES = ("IPH", "IVH", "SAH", "SDH", "EDH")
ANY = "any"
CLASS_NAMES = (*CLASSES, ANY)

Values = dict[str, int | None]  # class -> 1 present, 0 absent, None unknown
Label = dict[str, Any]  # {"slices": {slice name: Values}, "study": Values}, either part may be absent

_SHORT = {name.lower(): name for name in CLASS_NAMES}
_LONG = {
    "intraparenchymal": "IPH",
    "intraventricular": "IVH",
    "subarachnoid": "SAH",
    "subdural": "SDH",
    "epidural": "EDH",
}
# One table a source, because "ich" is intracerebral (IPH) in the contest and any intracranial bleed in CQ500.
ALIASES: dict[str, dict[str, str]] = {
    "own": _SHORT | _LONG | {"intracerebral": "IPH", "extradural": "EDH"},
    "contest": _SHORT | {"ich": "IPH"},
    "rsna": _LONG | {"any": ANY},
    "ct_ich": dict(_LONG),
    "cq500": _SHORT | {"ich": ANY},
}


def canonical_class(name: str, *, source: str = "own") -> str:
    """Return the class that a source calls ``name``: IPH, IVH, SAH, SDH, EDH or any.

    Args:
        name: a column or class name; case and blanks around it do not matter.
        source: key of ``ALIASES``. "own" is the user's own data, where ``ICH`` alone is refused: it is IPH
            (intracerebral) in one source and any (intracranial) in another.

    Raises:
        InputError: no class of that name in the source, or no such source.
    """
    if source not in ALIASES:
        raise InputError(f"no source {source!r}", remedy=f"one of: {', '.join(ALIASES)}")
    key = name.strip().lower()
    if key in ALIASES[source]:
        return ALIASES[source][key]
    if key == "ich":
        raise InputError(
            f"{name!r} is ambiguous: intracerebral (IPH) in some data, any intracranial bleed in other",
            remedy="write IPH or any",
        )
    raise InputError(f"no class {name!r}", remedy=f"one of: {', '.join(CLASS_NAMES)}")


def check_label(label: Any, *, path: str | PathLike | None = None) -> Label:
    """Check a label's form and that it does not contradict itself; return it with canonical class names.

    Args:
        label: ``{"slices": {slice name: {class: 0, 1 or None}}, "study": {class: 0, 1 or None}}``; one of the
            two parts may be absent, and so may classes. Class names may be aliases of the source "own".
        path: file or folder to name in errors.

    Raises:
        InputError: another form, a value that is none of 0, 1 and None, ``any`` 0 beside a class of 1,
            ``any`` 1 where all five classes are 0, or a study without a class that one of its slices has.
    """
    parts = dict(label) if isinstance(label, Mapping) else {}
    if not parts or not set(parts) <= {"slices", "study"}:
        raise InputError(
            "not a label: a mapping with slices, study or both is expected",
            path=path,
            remedy='write {"slices": {slice name: {"IPH": 0, ...}}, "study": {"any": 1, ...}}',
        )
    checked: Label = {}
    if "study" in parts:
        checked["study"] = _check_values(parts["study"], "study", path)
    if "slices" in parts:
        if not isinstance(parts["slices"], Mapping):
            raise InputError(
                "slices of a label is not a mapping", path=path, remedy="write slice name: classes"
            )
        checked["slices"] = {
            str(name): _check_values(values, f"slice {name}", path)
            for name, values in parts["slices"].items()
        }
        _check_against_study(checked, path)
    return checked


def knows_slices(label: Mapping[str, Any]) -> bool:
    """Say whether a label tells 0 or 1 of any class of any slice."""
    slices = label.get("slices", {})
    return any(value is not None for values in slices.values() for value in values.values())


def label_gaps(
    table: np.ndarray, *, class_names: Sequence[str] = CLASS_NAMES, max_gap: int = 2
) -> list[tuple[str, int, int]]:
    """Find short gaps in a bleed, 1 0 1 or 1 0 0 1 in slice order: likely oversights, worth reading again.

    About 21 % of the patients of the contest's data have one.

    Args:
        table: (R, D) labels of one study, 0, 1 or NaN (unknown, which ends a pattern), in slice order; tensor
            or array.
        class_names: names of the first rows; rows beyond them are not looked at.
        max_gap: longest gap to report, in slices.

    Returns:
        (class, first, last) of each gap: the 0-based indices of its first and last slice labelled 0.
    """
    gaps = []
    for name, row in zip(class_names, np.asarray(table), strict=False):
        positive = np.flatnonzero(row == 1)
        for before, after in pairwise(positive):
            between = row[before + 1 : after]
            if 0 < len(between) <= max_gap and (between == 0).all():
                gaps.append((name, int(before) + 1, int(after) - 1))
    return gaps


def _check_values(values: Any, where: str, path: str | PathLike | None) -> Values:
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: not a mapping of classes", path=path, remedy='write {"IPH": 0, ...}')
    checked: Values = {}
    for name, value in values.items():
        try:
            known = name if name in CLASS_NAMES else canonical_class(str(name))
        except InputError as error:
            raise InputError(f"{where}: {error.problem}", path=path, remedy=error.remedy) from error
        if known in checked:
            raise InputError(f"{where}: {known} is given twice", path=path, remedy="keep one of them")
        if value is not None and (isinstance(value, str) or value not in (0, 1)):
            raise InputError(
                f"{where}: {name} is {value!r}", path=path, remedy="write 0, 1, or null for unknown"
            )
        checked[known] = None if value is None else int(value)
    check_any(checked, where=where, path=path)
    return checked


def check_any(values: Mapping[str, int | None], *, where: str, path: str | PathLike | None = None) -> None:
    """Check that ``any`` agrees with the five classes.

    Raises:
        InputError: ``any`` is 0 beside a class of 1, or 1 where all five are 0.
    """
    given = values.get(ANY)
    if given == 0 and (present := [name for name in CLASSES if values.get(name) == 1]):
        raise InputError(f"{where}: any is 0 but {present[0]} is 1", path=path, remedy="mend the label")
    if given == 1 and all(values.get(name) == 0 for name in CLASSES):
        raise InputError(
            f"{where}: any is 1 but all five classes are 0",
            path=path,
            remedy="leave the unknown classes empty",
        )


def complete_study(study: Mapping[str, int | None]) -> Mapping[str, int | None]:
    """Return a study's classes, all 0 where it has no bleed of any class."""
    without = study.get(ANY) == 0 or all(study.get(name) == 0 for name in CLASSES)
    return dict.fromkeys(CLASS_NAMES, 0) if without else study


def _check_against_study(label: Label, path: str | PathLike | None) -> None:
    study = complete_study(label.get("study", {}))
    absent = [name for name in CLASS_NAMES if study.get(name) == 0]
    for where, values in label["slices"].items() if absent else ():
        for name in absent:
            if values.get(name) == 1:
                raise InputError(
                    f"slice {where}: {name} is 1, but the study's label says it has none",
                    path=path,
                    remedy="mend the slice's label or the study's",
                )
