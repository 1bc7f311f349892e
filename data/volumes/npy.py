# SPDX-License-Identifier: Apache-2.0
"""Volumes in .npy files, of any order of axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from ...utils import InputError
from .base import Volume
from .flat import FlatVolume
from .raw import read_npy_header
from .views import PermutedVolume


def open_npy(
    path: str | PathLike, *, axes: str = "ZYX", spacing_um: Sequence[float] | float | None = None
) -> Volume:
    """Open a .npy file; nothing but its header is read.

    Args:
        path: array of three axes, or of two: one slice.
        axes: what the axes are, a permutation of "XYZ"; an array of two axes uses the letters without Z.
        spacing_um: see ``Volume``; the file does not tell.

    Raises:
        InputError: not a .npy, another number of axes, no plain numbers, or truncated.
    """
    shape, fortran, dtype, offset = read_npy_header(path)
    if len(shape) == 2:
        position = axes.index("Z")
        shape = (*shape[:position], 1, *shape[position:])
    if len(shape) != 3:
        raise InputError(
            f"array of shape {shape} where a volume of three axes is expected",
            path=path,
            remedy="save one gray volume: slices, rows, columns",
        )
    meta = {"path": str(path), "form": "npy", "axes": axes}
    if fortran:  # the last axis is the slowest: the same bytes are the reversed array in C order
        shape, axes = shape[::-1], axes[::-1]
    return flat_volume(
        path, offset=offset, shape=shape, dtype=dtype, axes=axes, spacing_um=spacing_um, meta=meta
    )


def flat_volume(
    path: str | PathLike,
    *,
    offset: int,
    shape: Sequence[int],
    dtype: np.dtype,
    axes: str,
    spacing_um: Sequence[float] | float | None,
    meta: Mapping[str, Any],
    slope: float = 1.0,
    intercept: float = 0.0,
) -> Volume:
    """Uncompressed voxels of a file as slices, rows, columns; ``shape`` and ``axes`` as stored, C order."""
    names = [str(index) for index in range(shape[axes.index("Z")])]
    meta = {**meta, "slice_names": names}
    in_order = axes == "ZYX"
    stored = FlatVolume(
        path,
        offset=offset,
        shape=shape,
        dtype=dtype,
        spacing_um=spacing_um if in_order else None,
        meta=meta if in_order else {"path": meta["path"]},
        slope=slope,
        intercept=intercept,
    )
    return stored if in_order else PermutedVolume(stored, axes=axes, spacing_um=spacing_um, meta=meta)
