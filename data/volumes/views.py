# SPDX-License-Identifier: Apache-2.0
"""Other views of a volume: its axes in another order, or some of its slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...utils import InputError
from .base import Box, Volume


class PermutedVolume(Volume):
    """A volume whose axes are stored in another order, read as slices, rows, columns.

    Args:
        stored: the volume in the order of the file.
        axes: what its three axes are, from the slowest: a permutation of "XYZ", e.g. "XYZ" for an array
            whose columns come first.
        spacing_um: of slices, rows, columns; see ``Volume``.
        meta: see ``Volume``.
    """

    def __init__(
        self,
        stored: Volume,
        *,
        axes: str,
        spacing_um: Sequence[float] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.order = [axes.index(letter) for letter in "ZYX"]
        super().__init__(
            shape=[stored.shape[axis] for axis in self.order],
            dtype=stored.dtype,
            spacing_um=spacing_um,
            meta=meta,
        )
        self.stored = stored
        self.slab_axis = self.order.index(stored.slab_axis)
        self.random_access = stored.random_access and self.slab_axis == 0

    def _read(self, box: Box) -> np.ndarray:
        wanted = tuple(box[self.order.index(axis)] for axis in range(3))
        return self.stored._read(wanted).transpose(self.order)


class SliceRange(Volume):
    """Consecutive slices of a volume, as a volume.

    Args:
        volume: the whole.
        slices: (first, last), counted from 0, inclusive.

    Raises:
        InputError: slices that the volume does not have.
    """

    def __init__(self, volume: Volume, *, slices: Sequence[int]) -> None:
        first, last = checked_range(slices)
        if not 0 <= first <= last < volume.shape[0]:
            raise InputError(
                f"slices {first} to {last} of a volume that has slices 0 to {volume.shape[0] - 1}",
                path=volume.path or None,
                remedy="give the first and the last slice that exist",
            )
        names = volume.meta.get("slice_names") or [str(index) for index in range(volume.shape[0])]
        meta = {**volume.meta, "slices": [first, last], "slice_names": list(names[first : last + 1])}
        super().__init__(
            shape=(last - first + 1, *volume.shape[1:]),
            dtype=volume.dtype,
            spacing_um=volume.spacing_um,
            meta=meta,
        )
        self.volume = volume
        self.first = first
        self.random_access, self.slab_axis = volume.random_access, volume.slab_axis

    def _read(self, box: Box) -> np.ndarray:
        z, y, x = box
        return self.volume._read((slice(z.start + self.first, z.stop + self.first), y, x))


def checked_range(slices: Sequence[int]) -> tuple[int, int]:
    """First and last number of slices to take.

    Raises:
        InputError: not two whole numbers in order.
    """
    if len(slices) != 2 or any(int(number) != number for number in slices) or slices[0] > slices[1]:
        raise InputError(f"slices {list(slices)}", remedy="give the first and the last number, inclusive")
    return int(slices[0]), int(slices[1])
