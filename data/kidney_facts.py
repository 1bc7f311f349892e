# SPDX-License-Identifier: Apache-2.0
"""What the contest's folders of kidneys do not say: voxel sizes, and how much of the vessels is annotated."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ..utils import InputError

# the contest's data page; the private test kidney's was published after its end
FACTS: dict[str, dict[str, Any]] = {
    "kidney_1_dense": {"spacing_um": 50.0},
    "kidney_1_voi": {"spacing_um": 5.2},
    "kidney_2": {"spacing_um": 50.0, "annotated_fraction": 0.65},
    "kidney_3_dense": {"spacing_um": 50.16},
    "kidney_3_sparse": {"spacing_um": 50.16, "annotated_fraction": 0.85},
    "kidney_5": {"spacing_um": 50.28},
    "kidney_6": {"spacing_um": 63.08},
}
FACTS_FILE = "kidneys.json"
_REMEDY = 'write {"kidney_7": {"spacing_um": 50, "annotated_fraction": 1}}'


def read_facts(
    facts: Mapping[str, Any] | str | PathLike | None, *, root: Path, present: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Gather what is known about kidneys: the contest's facts, overridden by the user's.

    Args:
        facts: kidney's folder -> {"spacing_um": um, or three for slices, rows, columns;
            "annotated_fraction": 0-1}, or a JSON file of that; None takes ``kidneys.json`` in ``root`` if
            there is one.
        root: the data folder.
        present: the kidneys in it.

    Returns:
        facts by kidney, of those in the data and of the contest's.

    Raises:
        InputError: unreadable, not of this form, or facts of a kidney that is neither in the data nor known.
    """
    source = root / FACTS_FILE
    if isinstance(facts, Mapping):
        found: Any = facts
    elif facts is not None or source.is_file():
        source = source if facts is None else Path(facts)
        found = _read_json(source)
    else:
        found = {}
    if not isinstance(found, Mapping):
        raise InputError("not a mapping of kidneys", path=source, remedy=_REMEDY)
    known = {name: dict(values) for name, values in FACTS.items()}
    for name, values in found.items():
        if not isinstance(values, Mapping) or set(values) - {"spacing_um", "annotated_fraction"}:
            raise InputError(f"{name}: {values} are no facts of a kidney", path=source, remedy=_REMEDY)
        if name not in {*present, *FACTS}:  # a slip in a name would leave a kidney without its voxel size
            raise InputError(f"no kidney {name} in {root}", path=source, remedy="mend or remove the name")
        check_facts(values, path=source, what=f"{name}: ")
        known[name] = known.get(name, {}) | dict(values)
    return known


def check_facts(values: Mapping[str, Any], *, path: str | PathLike, what: str = "") -> None:
    """Check "spacing_um", "annotated_fraction" and "slices" of an item, as far as it has them.

    Args:
        values: the item.
        path: what an error names.
        what: what its text begins with.

    Raises:
        InputError: a voxel size that is neither a positive number nor three, a fraction outside (0, 1], or
            slices that are not two numbers in order.
    """
    if (spacing := values.get("spacing_um")) is not None:
        three = spacing if isinstance(spacing, list | tuple) else [spacing] * 3
        if len(three) != 3 or not all(_is_number(size) and size > 0 for size in three):
            raise InputError(
                f"{what}voxel size {spacing} um",
                path=path,
                remedy="give spacing_um as a positive number, or as three: slices, rows, columns",
            )
    fraction = values.get("annotated_fraction", 1)
    if not _is_number(fraction) or not 0 < fraction <= 1:
        raise InputError(
            f"{what}annotated fraction {fraction}", path=path, remedy="give more than 0 and at most 1"
        )
    if (slices := values.get("slices")) is not None:
        pair = slices if isinstance(slices, list | tuple) else []
        if len(pair) != 2 or any(type(n) is not int for n in pair) or not 0 <= pair[0] <= pair[1]:
            raise InputError(
                f"{what}slices {slices}",
                path=path,
                remedy='give "slices": [first, last], as in the file names',
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"cannot read this: {error.strerror or error}", path=path, remedy="check the path"
        ) from error
    except ValueError as error:
        raise InputError(f"not valid JSON: {error}", path=path, remedy=_REMEDY) from error
