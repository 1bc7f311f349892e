# SPDX-License-Identifier: Apache-2.0
"""The quality record of a lung mask, with warnings that a radiologist understands."""

from __future__ import annotations

from typing import Any

import numpy as np

from .ladder import Found
from .quality import volumes_ml
from .shrink import SmallGrid

_THICK_MM = 3.0
_SHORT_MM = 100.0
_RATIO = 4.8
_DENSE = 1.2  # part-filled voxels at the surface give a healthy lung 5-10 %
_END_SHARE = 0.2


def record(*, method: str, grid: SmallGrid, found: Found | None = None) -> dict[str, Any]:
    """The quality record, as ``find_lungs`` describes it, without the seconds.

    Args:
        method: "ladder", "body box" or "whole image".
        grid: of the mask.
        found: lungs of the ladder, if one was tried.
    """
    lungs = found is not None and found.sides is not None
    volumes = volumes_ml(found.sides, grid.zyx) if lungs else {"right": 0.0, "left": 0.0}
    slices = np.flatnonzero((found.sides > 0).any(axis=(1, 2))) if lungs else np.zeros(0, int)
    scores = found.scores if lungs else {}
    return {
        "method": method,
        "level_hu": int(found.level) if lungs else None,
        "scores": {str(level): _rounded(terms) for level, terms in scores.items()},
        "volumes_ml": {side: round(volume, 1) for side, volume in volumes.items()},
        "slices": _stored_slices(slices, grid) if len(slices) else None,
        "warnings": _scan_warnings(grid) + _lung_warnings(method, found, volumes),
    }


def _rounded(terms: dict) -> dict:
    return {
        name: {side: round(volume, 1) for side, volume in value.items()}
        if isinstance(value, dict)
        else round(value, 3)
        for name, value in terms.items()
    }


def _stored_slices(slices: np.ndarray, grid: SmallGrid) -> list[int]:
    """First and last stored slice, from 0, along the stored axis nearest head-foot."""
    axis = int(np.flatnonzero(grid.turn[:, 0] == 2)[0])
    first, last = int(slices[0]), int(slices[-1])
    if grid.turn[axis, 1] < 0:
        first, last = grid.shape[2] - 1 - last, grid.shape[2] - 1 - first
    factor = grid.factors[axis]
    return [first * factor, min(last * factor + factor, grid.stored[axis]) - 1]


def _scan_warnings(grid: SmallGrid) -> list[str]:
    thick, length = grid.spacing[2], grid.shape[2] * grid.spacing[2]
    found = []
    if thick > _THICK_MM:
        found.append(f"The slices are {thick:.1f} mm apart: nodules smaller than that may be missed.")
    if length < _SHORT_MM:
        found.append(f"The scan covers only {length:.0f} mm from feet to head.")
    return found


def _lung_warnings(method: str, found: Found | None, volumes: dict[str, float]) -> list[str]:
    if found is None:
        return []
    warnings = []
    missing = [side for side, volume in volumes.items() if not volume]
    if method == "body box" and found.body.crop:
        warnings.append(
            "The field of view shows part of the chest only: the whole image is searched, and right and left"
            " are uncertain."
        )
    elif method == "body box":
        warnings.append("The lungs could not be told apart from other air: the whole body is searched.")
    elif missing:
        warnings.append(
            f"No {missing[0]} lung was found (removed, collapsed or filled?): look at that side yourself."
        )
    elif max(volumes.values()) > _RATIO * min(volumes.values()):
        small, large = sorted(volumes, key=volumes.get)
        warnings.append(
            f"The {small} lung is much smaller than the {large} ({volumes[small] / 1000:.1f} against"
            f" {volumes[large] / 1000:.1f} litres): parts without air may not be searched."
        )
    if found.sides is None:
        return warnings
    if _gain(found) > _DENSE:
        warnings.append(
            f"The lungs are denser than usual (found at {found.level} HU only): parts may be left out."
        )
    return warnings + _end_warnings(found.sides)


def _gain(found: Found) -> float:
    """Volume at the chosen level over that at the lowest one."""
    sums = {level: sum(terms["volumes_ml"].values()) for level, terms in found.scores.items()}
    return sums[found.level] / max(sums[min(sums)], 1e-3)


def _end_warnings(sides: np.ndarray) -> list[str]:
    areas = (sides > 0).sum(axis=(1, 2))
    ends = {"bottom": areas[0], "top": areas[-1]}
    return [
        f"The {name} of the lungs lies outside the scan."
        for name, area in ends.items()
        if area > _END_SHARE * areas.max()
    ]
