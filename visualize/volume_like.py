# SPDX-License-Identifier: Apache-2.0
"""What the pictures need of a volume: a shape, a voxel size and boxes that can be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from ..utils import InputError

Box = tuple[slice, slice, slice]

SLAB_BYTES = 64 << 20  # of one slab as float32: the pictures' memory does not grow with the slices


class VolumeLike(Protocol):
    """A volume (Z, Y, X) read in boxes, as ``data.volumes.Volume`` is."""

    shape: tuple[int, int, int]
    spacing_um: tuple[float, float, float] | None

    def read(self, box: Box) -> np.ndarray:
        """Return the voxels of a box of three slices, as an array of the reader's own."""


def slab_ranges(shape: tuple[int, int, int], *, slab_bytes: int = SLAB_BYTES) -> Iterator[tuple[int, int]]:
    """Cut a volume along z into slabs of about ``slab_bytes`` as float32.

    Args:
        shape: (Z, Y, X).
        slab_bytes: size of a slab; one slice is the least.

    Yields:
        first slice and the one after the last.
    """
    thickness = max(1, slab_bytes // (4 * shape[1] * shape[2]))
    for start in range(0, shape[0], thickness):
        yield start, min(start + thickness, shape[0])


def read_slab(volume: VolumeLike, start: int, stop: int) -> np.ndarray:
    """Read whole slices from ``start`` up to ``stop``."""
    return volume.read((slice(start, stop), slice(0, volume.shape[1]), slice(0, volume.shape[2])))


def check_same_shape(volume: VolumeLike, *others: VolumeLike | None) -> None:
    """Check that volumes lie on one grid.

    Raises:
        InputError: shapes differ.
    """
    for other in others:
        if other is not None and tuple(other.shape) != tuple(volume.shape):
            raise InputError(f"volumes of shape {tuple(volume.shape)} and {tuple(other.shape)} do not fit")


def relative_spacing(spacing_um: tuple[float, float, float] | None) -> tuple[float, float, float]:
    """Return the voxel size, and voxels of one unit in each direction where it is unknown."""
    return (1.0, 1.0, 1.0) if spacing_um is None else tuple(float(size) for size in spacing_um)
