# SPDX-License-Identifier: Apache-2.0
"""A stored mask as 0 and 1, its values checked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...utils import InputError
from .base import Box, Volume, slabs


class LabelVolume(Volume):
    """A mask stored as 0/1 or 0/255, read as uint8 0/1.

    Args:
        source: the stored mask.
        spacing_um: voxel size, where the file has none of its own.
    """

    def __init__(self, source: Volume, *, spacing_um: Sequence[float] | None = None) -> None:
        super().__init__(
            shape=source.shape,
            dtype=np.uint8,
            spacing_um=source.spacing_um if source.spacing_um is not None else spacing_um,
            meta=source.meta,
        )
        self.source = source
        self.random_access = source.random_access

    def check(self, *, voxels: int = 2**24) -> int:
        """Read all of it once and return the number of labelled voxels.

        Args:
            voxels: read at a time, about.

        Raises:
            InputError: values other than 0/1 or 0/255, or both 1 and 255.
        """
        thickness = max(1, voxels // math.prod(self.shape[1:]))
        labelled, found = 0, set()
        for box in slabs(self.shape, thickness=thickness):
            values = self.source.read(box)
            found |= _foreground_values(values)
            _check_values(found, values, self.path)
            labelled += int(np.count_nonzero(values))
        return labelled

    def _read(self, box: Box) -> np.ndarray:
        values = self.source.read(box)
        _check_values(_foreground_values(values), values, self.path)
        return (values != 0).astype(np.uint8)


def _foreground_values(values: np.ndarray) -> set[int]:
    """Which of 1 and 255 occur."""
    return {value for value in (1, 255) if value in values}


def _check_values(found: set[int], values: np.ndarray, path: str) -> None:
    """Refuse values besides 0 and the one of ``found``."""
    known = (values == 0) | (values == max(found, default=1))
    if len(found) < 2 and known.all():
        return
    present = np.unique(values[~known]).tolist() if len(found) < 2 else sorted(found)
    shown = ", ".join(f"{value:g}" for value in present[:6]) + (", ..." if len(present) > 6 else "")
    raise InputError(
        f"label has the values {shown} besides 0" if len(found) > 1 else f"label has the values {shown}",
        path=path or None,
        remedy="vessels must be 1, or 255, and the rest 0",
    )
