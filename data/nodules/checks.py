# SPDX-License-Identifier: Apache-2.0
"""What a label of nodules may say, and whether it can belong to its image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from ...utils import InputError
from ...utils.world import world_to_voxel
from .annotations import UNKNOWN

_PARTS = {"nodules", "excluded", "source", "lines"}
_OUTER_VOXEL = 0.5  # a point may lie anywhere in the outermost voxels
_ROUNDING = 1e-3  # voxels; tables are rounded


def is_nodule_label(label: Any) -> bool:
    """Say whether a label is one of nodules (a mapping with "nodules" or "excluded")."""
    return isinstance(label, Mapping) and bool({"nodules", "excluded"} & set(label))


def check_nodules(label: Any, *, path: str | PathLike | None = None) -> dict[str, Any]:
    """Check a label's form.

    Args:
        label: {"nodules": [[x, y, z, diameter_mm], ...], "excluded": [...]} in LPS mm; a diameter of -1 of an
            excluded finding is unknown. "source" and "lines" may say where the nodules come from.
        path: file or folder to name in errors.

    Returns:
        the label with both parts, rows of floats.

    Raises:
        InputError: another form, rows that are not four finite numbers, a diameter that is not positive, or
            one nodule twice.
    """
    if not is_nodule_label(label) or not set(label) <= _PARTS:
        raise InputError(
            "not a label of nodules: a mapping with nodules and excluded is expected",
            path=path,
            remedy='write {"nodules": [[x, y, z, diameter_mm], ...], "excluded": []}, in LPS mm',
        )
    checked = {name: _rows(label.get(name), name, path) for name in ("nodules", "excluded")}
    centres = [tuple(row[:3]) for row in checked["nodules"]]
    for index, centre in enumerate(centres):
        if centre in centres[:index]:
            raise InputError(
                f"nodules[{index}] at {_point(centre)} is there twice", path=path, remedy="keep one of them"
            )
    return {**label, **checked}


def check_inside(
    points: np.ndarray,
    *,
    affine: np.ndarray,
    shape: Sequence[int],
    path: str | PathLike | None,
    where: Sequence[str],
) -> None:
    """Check that points lie in an image, the outermost half voxels included.

    Args:
        points: (N, 3) LPS mm.
        affine: (4, 4) of the image, RAS mm.
        shape: (H, W, D) of the image.
        path: the image, named in errors.
        where: where each point comes from, N words for errors.

    Raises:
        InputError: a point outside; says so where it would fit with x and y reversed (RAS for LPS).
    """
    outside = _outside(points, affine, shape)
    if not outside.any():
        return
    index = int(np.flatnonzero(outside)[0])
    voxel = ", ".join(f"{value:.1f}" for value in world_to_voxel(points[index : index + 1], affine)[0])
    turned = not _outside(points * [-1, -1, 1], affine, shape).any()
    raise InputError(
        f"nodule at {_point(points[index])} mm ({where[index]}) is outside the image: voxel {voxel} of "
        + " x ".join(map(str, shape)),
        path=path,
        remedy="it would fit with x and y reversed: points are LPS here, these seem to be RAS"
        if turned
        else "the label belongs to another image, or one of the two has a wrong origin",
    )


def _outside(points: np.ndarray, affine: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """(N,) whether each point is outside."""
    voxels = world_to_voxel(points, affine)
    edge = _OUTER_VOXEL + _ROUNDING
    return ((voxels < -edge) | (voxels > np.array(shape) - 1 + edge)).any(axis=1)


def _rows(rows: Any, name: str, path: str | PathLike | None) -> list[list[float]]:
    if rows is None:
        return []
    if isinstance(rows, str | Mapping) or not hasattr(rows, "__iter__"):
        raise InputError(f"{name} is {rows!r}", path=path, remedy="write a list of [x, y, z, diameter_mm]")
    return [_row(row, f"{name}[{index}]", path) for index, row in enumerate(rows)]


def _row(row: Any, where: str, path: str | PathLike | None) -> list[float]:
    try:
        numbers = [float(number) for number in row]
    except (TypeError, ValueError):
        numbers = []
    if isinstance(row, str) or len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise InputError(f"{where} is {row!r}", path=path, remedy="write [x, y, z, diameter_mm], in LPS mm")
    unknown = numbers[3] == UNKNOWN and where.startswith("excluded")
    if numbers[3] <= 0 and not unknown:
        raise InputError(
            f"{where} has a diameter of {numbers[3]:g} mm", path=path, remedy="give a positive diameter"
        )
    return numbers


def _point(point: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in point) + ")"
