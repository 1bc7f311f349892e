# SPDX-License-Identifier: Apache-2.0
"""What inferers need of volumes and stores, which live in rooms that they do not import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class BoxReader(Protocol):
    """What an inferer needs of a volume; ``data.volumes.Volume`` is one.

    ``read(box)`` gives the (dz, dy, dx) array of three slices; ``meta`` says "slice_files", the names of the
    images in the folder ``path``, where it is one.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    spacing_um: tuple[float, float, float] | None
    meta: Mapping[str, Any]
    path: str
    random_access: bool

    def read(self, box: tuple[slice, slice, slice]) -> np.ndarray:
        """Read a box."""


class Store(Protocol):
    """Where probabilities go, pass by pass; ``data.volumes.ProbabilityStore`` is one."""

    folder: Path
    ledger_path: Path

    def reopen(self, *, shape: Sequence[int], passes: Sequence[str]) -> bool:
        """Go on with an earlier run's files if they are whole."""

    def create(self, *, shape: Sequence[int], passes: Sequence[str]) -> None:
        """Reserve space for all passes."""

    def write(self, name: str, start: int, probabilities: np.ndarray) -> None:
        """Store slices (n, rows, columns) of a pass from ``start`` on."""

    def volume(self, *, spacing_um: Sequence[float] | None, meta: Mapping[str, Any] | None) -> Any:
        """Give the mean of the passes."""
