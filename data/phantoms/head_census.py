# SPDX-License-Identifier: Apache-2.0
"""Count what the head phantoms show, to compare with the contest's table: ``python -m`` this module."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .head_bleeds import CLASSES
from .ich_sample import make_patient, plan


@dataclass(frozen=True)
class HeadCensus:
    """Shares of patients and slices with IPH, IVH, SAH, SDH, EDH and any, in 0-1.

    Attributes:
        bleeding: number of patients with a bleed.
        patients: share of these with the class.
        slices: share of their slices with it.
        all_slices: share of the slices of all patients, normal ones included.
    """

    bleeding: int
    patients: tuple[float, ...]
    slices: tuple[float, ...]
    all_slices: tuple[float, ...]


def head_census(
    *, count: int = 90, size: int = 128, slices: tuple[int, int] = (22, 40), seed: int = 0
) -> HeadCensus:
    """Count classes over ``count`` patients of ``write_ich_sample``'s kind.

    Args:
        count: number of patients.
        size: rows and columns.
        slices: fewest and most slices.
        seed: seed of the sample.
    """
    presence = [make_patient(p, size=size).presence for p in plan(seed, (count,), slices)[0]]
    sick = [p for p in presence if p.any()]
    return HeadCensus(
        len(sick),
        tuple(np.mean([p.any(1) for p in sick], 0).tolist()),
        tuple(np.concatenate(sick, 1).mean(1).tolist()),
        tuple(np.concatenate(presence, 1).mean(1).tolist()),
    )


def report(result: HeadCensus) -> str:
    """The figures as a small table."""
    lines = [f"{result.bleeding} patients bleed", "class  patients  slices  slices of all"]
    columns = (result.patients, result.slices, result.all_slices)
    for name, *row in zip((*CLASSES, "any"), *columns, strict=True):
        lines.append("{:5}  {:8.2f}  {:6.3f}  {:13.3f}".format(name, *row))
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(head_census()))
