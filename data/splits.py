# SPDX-License-Identifier: Apache-2.0
"""Splits by patient: no patient is ever on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..utils import InputError

Item = dict[str, Any]


def split_by_patient(items: Sequence[Item], *, fraction: float, seed: int) -> tuple[list[Item], list[Item]]:
    """Split items in two, patient by patient.

    Args:
        items: sample dictionaries with "patient".
        fraction: share of patients of the second part, in (0, 1); at least one patient falls on each side.
        seed: seed of the draw; the same items in another order give the same split.

    Returns:
        first and second part, each in the order of ``items``.

    Raises:
        InputError: ``fraction`` outside (0, 1), or fewer than two patients.
    """
    if not 0 < fraction < 1:
        raise InputError(f"validation fraction {fraction} is not between 0 and 1", remedy="0.2 is usual")
    patients = _shuffled_patients(items, seed)
    if len(patients) < 2:
        raise InputError(
            f"a split by patient needs two patients, the data has {len(patients)}",
            remedy="give a validation section in the datalist",
        )
    count = min(max(round(fraction * len(patients)), 1), len(patients) - 1)
    second = set(patients[:count])
    return (
        [item for item in items if item["patient"] not in second],
        [item for item in items if item["patient"] in second],
    )


def folds_by_patient(items: Sequence[Item], *, folds: int, seed: int) -> list[tuple[list[Item], list[Item]]]:
    """Cut items into cross-validation folds: a list of (training, validation), each patient validated once.

    Raises:
        InputError: fewer than two folds, or more folds than patients.
    """
    patients = _shuffled_patients(items, seed)
    if not 2 <= folds <= len(patients):
        raise InputError(
            f"{folds} folds cannot be made of {len(patients)} patients", remedy="2 <= folds <= patients"
        )
    pairs = []
    for fold in range(folds):
        held_out = set(patients[fold::folds])
        pairs.append(
            (
                [item for item in items if item["patient"] not in held_out],
                [item for item in items if item["patient"] in held_out],
            )
        )
    return pairs


def check_no_shared_patients(data: Mapping[str, Sequence[Item]], *, source: Path) -> None:
    """Raise InputError where one patient is in two sections."""
    seen: dict[str, str] = {}
    for section, items in data.items():
        for item in items:
            other = seen.setdefault(item["patient"], section)
            if other != section:
                raise InputError(
                    f"patient {item['patient']} is in both {other} and {section}",
                    path=source,
                    remedy="split by patient: all of a patient's volumes belong to one section",
                )


def _shuffled_patients(items: Sequence[Item], seed: int) -> list[str]:
    patients = sorted({item["patient"] for item in items})
    np.random.default_rng(seed).shuffle(patients)
    return patients
