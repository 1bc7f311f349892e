# SPDX-License-Identifier: Apache-2.0
"""What the scores of vessels read: volumes in slabs with a margin, probabilities and labels as masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..utils import InputError

_ROUNDING = 1e-3  # means of half-precision probabilities leave the range by this much


class ReadableVolume(Protocol):
    """A volume that is read in boxes, as ``data.volumes.Volume`` is."""

    shape: tuple[int, ...]

    def read(self, box: tuple[slice, slice, slice]) -> np.ndarray:
        """Read a box (z, y, x)."""


@dataclass(frozen=True)
class Slab:
    """Some slices and their margin.

    Args:
        start: number of the first slice of the slab proper.
        stop: number behind its last slice.
        arrays: one ``(dz, Y, X)`` for each volume, with the margin, or None for a volume that is None.
        core: which of the dz slices are the slab proper.
    """

    start: int
    stop: int
    arrays: tuple[np.ndarray | None, ...]
    core: slice


def walk_slabs(volumes: Sequence[ReadableVolume | None], *, slab: int, halo: int = 0) -> Iterator[Slab]:
    """Walk volumes of one shape slab by slab, reading each slice once.

    Args:
        volumes: the volumes, the first of which is not None.
        slab: slices of a slab; the last one may be thinner.
        halo: slices of margin on either side, where the volume has them.

    Raises:
        InputError: the shapes differ, or slab or halo make no sense.
    """
    shape = tuple(volumes[0].shape)
    for volume in volumes:
        if volume is not None and tuple(volume.shape) != shape:
            raise InputError(
                f"volumes of shapes {shape} and {tuple(volume.shape)} are to be compared",
                path=getattr(volume, "path", "") or None,
                remedy="give volumes of one grid: as many slices, rows and columns",
            )
    if slab < 1 or halo < 0:
        raise InputError(
            f"slabs of {slab} slices with a margin of {halo}", remedy="give 1 or more, 0 or more"
        )
    held: list[np.ndarray | None] = [None] * len(volumes)
    first = done = 0  # slices first to done are in memory
    for start in range(0, shape[0], slab):
        stop = min(start + slab, shape[0])
        lowest, end = max(0, start - halo), min(stop + halo, shape[0])
        for index, volume in enumerate(volumes):
            if volume is not None:
                held[index] = _moved(held[index], volume, drop=lowest - first, box=(done, end))
        first, done = lowest, end
        yield Slab(start, stop, tuple(held), slice(start - lowest, stop - lowest))


def _moved(held: np.ndarray | None, volume: ReadableVolume, *, drop: int, box: tuple[int, int]) -> np.ndarray:
    parts = [] if held is None else [held[drop:]]
    if box[0] < box[1]:
        parts.append(volume.read((slice(*box), slice(0, volume.shape[1]), slice(0, volume.shape[2]))))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class ProbabilityVolume:
    """Probabilities that are checked where they are read.

    Args:
        volume: probabilities of any float type.
    """

    def __init__(self, volume: ReadableVolume) -> None:
        self.volume = volume
        self.shape = tuple(volume.shape)
        self.path = str(getattr(volume, "path", ""))

    def read(self, box: tuple[slice, slice, slice]) -> np.ndarray:
        """Read a box, as it is.

        Raises:
            InputError: NaN, numbers outside 0-1, or integers.
        """
        values = self.volume.read(box)
        if values.dtype.kind != "f":
            raise InputError(
                f"probabilities of type {values.dtype}",
                path=self.path or None,
                remedy="give float numbers from 0 to 1",
            )
        _check_probabilities(values, self.path)
        return values


class MaskVolume:
    """Probabilities or labels, read as 0 and 1.

    Args:
        volume: float probabilities, or a mask of bool or integers: 0 and 1, or 0 and 255.
        threshold: the least probability of a vessel; masks are not concerned.
    """

    def __init__(self, volume: ReadableVolume, *, threshold: float = 0.5) -> None:
        self.volume = volume
        self.threshold = threshold
        self.shape = tuple(volume.shape)
        self.path = str(getattr(volume, "path", ""))

    def read(self, box: tuple[slice, slice, slice]) -> np.ndarray:
        """Read a box as uint8 0 and 1.

        Raises:
            InputError: NaN among the probabilities, or a mask with other values.
        """
        values = self.volume.read(box)
        if values.dtype.kind == "f":
            _check_probabilities(values, self.path)
            return (values >= self.threshold).view(np.uint8)
        _check_mask(values, self.path)
        return binary_mask(values)


def binary_mask(array: np.ndarray) -> np.ndarray:
    """1 where not 0, as uint8 of the same shape; no copy of a bool array."""
    return (array if array.dtype == bool else array != 0).view(np.uint8)


def occupied_voxels(mask: np.ndarray) -> np.ndarray:
    """What ``np.argwhere`` gives for ``(Z, Y, X)``, ``(n, 3)`` int64; faster where few voxels are set."""
    return np.stack(np.unravel_index(np.flatnonzero(mask), mask.shape), axis=1)


def _check_probabilities(values: np.ndarray, path: str) -> None:
    low, high = float(values.min()), float(values.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # NaN is neither
        raise InputError(
            f"probabilities from {low:g} to {high:g}", path=path or None, remedy="give numbers from 0 to 1"
        )


def _check_mask(values: np.ndarray, path: str) -> None:
    if values.dtype == bool or (values.min() >= 0 and values.max() <= 1):
        return
    if ((values != 0) & (values != 255)).any():
        found = ", ".join(str(value) for value in np.unique(values)[:5])
        raise InputError(
            f"a mask with the values {found}", path=path or None, remedy="give 0 and 1, or 0 and 255"
        )
