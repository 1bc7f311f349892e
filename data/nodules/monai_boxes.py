# SPDX-License-Identifier: Apache-2.0
"""Boxes of MONAI's detection datalists to nodules.

MONAI's LUNA16 lists hold ``{"image": ..., "box": [[x, y, z, w, h, d], ...], "label": [0, ...]}`` with cubes
around the nodules, in mode cccwhd and LPS mm, as the contest's tables
(https://github.com/Project-MONAI/tutorials/tree/main/detection).
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from monai.data.box_utils import convert_box_mode, get_boxmode

from ...utils import InputError

MODE = "cccwhd"
_MODES = ("xyzxyz", "xyzwhd", "cccwhd", "xxyyzz", "xyxyzz")


def boxes_to_nodules(
    boxes: Sequence[Sequence[float]], *, mode: str = MODE, path: str | PathLike | None = None
) -> list[list[float]]:
    """Boxes in the world to spheres: the box's centre and the cube root of its volume.

    Args:
        boxes: N boxes of six numbers, LPS mm; may be empty.
        mode: MONAI's name of the order of the six numbers.
        path: file to name in errors.

    Returns:
        N rows x, y, z, diameter_mm.

    Raises:
        InputError: an unknown mode, rows that are not six finite numbers, or a side that is not positive.
    """
    if mode not in _MODES:
        raise InputError(f"box mode {mode!r}", path=path, remedy=f"one of: {', '.join(_MODES)}")
    array = _array(boxes, path)
    if not len(array):
        return []
    if mode != MODE:
        array = convert_box_mode(array, get_boxmode(mode), get_boxmode(MODE))
    if (array[:, 3:] <= 0).any():
        index = int(np.flatnonzero((array[:, 3:] <= 0).any(axis=1))[0])
        raise InputError(
            f"box {index} has sides of {array[index, 3:].tolist()} mm in mode {mode}",
            path=path,
            remedy="mend the box, or name the list's mode as its box_mode",
        )
    diameters = np.cbrt(array[:, 3:].prod(axis=1))
    return np.column_stack([array[:, :3], diameters]).tolist()


def _array(boxes: Any, path: str | PathLike | None) -> np.ndarray:
    try:
        array = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.full((1, 1), np.nan)
    if array.size == 0:
        return np.zeros((0, 6))
    if array.ndim != 2 or array.shape[1] != 6 or not np.isfinite(array).all():
        raise InputError(
            f"box is {str(boxes)[:60]}", path=path, remedy="write a list of six finite numbers a nodule"
        )
    return array
