# SPDX-License-Identifier: Apache-2.0
"""A volume that is read in boxes, so that its size does not matter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...utils import InputError

Box = tuple[slice, slice, slice]


class Volume(ABC):
    """A gray volume on disk or computed from one, read box by box in the order slices, rows, columns.

    Args:
        shape: (Z, Y, X): slices, rows, columns.
        dtype: of the boxes that ``read`` gives.
        spacing_um: distance of slices, rows and columns in micrometres; None where unknown.
        meta: what is known besides: "path", "form", "slice_names" (Z strings), "slice_files" of a folder of
            images, "affine" of a NIfTI; and whatever a wrapper adds.

    Attributes:
        random_access: a box costs no more than the rows that it touches, or the blocks of a chunked store.
            False where whole slices, or more, have to be decoded for a row of voxels; ``stage`` such a
            volume before reading it along another axis than the slices'.
        slab_axis: the axis across which slabs are cheapest to read, 0 for nearly all.
    """

    random_access = True
    slab_axis = 0

    def __init__(
        self,
        *,
        shape: Sequence[int],
        dtype: np.dtype | type,
        spacing_um: Sequence[float] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(
                f"volume of shape {tuple(shape)}", remedy="give three axes of at least one voxel"
            )
        self.shape = tuple(int(size) for size in shape)
        self.dtype = np.dtype(dtype)
        self.spacing_um = checked_spacing(spacing_um)
        self.meta = dict(meta or {})

    @property
    def path(self) -> str:
        """File or folder the volume comes from, "" where there is none."""
        return str(self.meta.get("path", ""))

    def read(self, box: Box) -> np.ndarray:
        """Read a box.

        Args:
            box: three slices (z, y, x) with steps of one, within the volume; None ends are the volume's.

        Returns:
            (dz, dy, dx), C-contiguous, the reader's own copy, of ``dtype``.

        Raises:
            InputError: what is on disk cannot be read, or holds NaN or infinite values.
            IndexError: a box that is empty or leaves the volume.
        """
        box = checked_box(box, self.shape)
        values = np.ascontiguousarray(self._read(box))
        if values.dtype.kind == "f":
            self._check_finite(values, box)
        return values

    def read_all(self) -> np.ndarray:
        """Read the whole volume; for small ones."""
        return self.read(full_box(self.shape))

    @abstractmethod
    def _read(self, box: Box) -> np.ndarray:
        """Read a box that has been checked."""

    def _check_finite(self, values: np.ndarray, box: Box) -> None:
        # the extremes are NaN where any voxel is, and cost no array of booleans
        if np.isfinite(values.min()) and np.isfinite(values.max()):
            return
        bad = ~np.isfinite(values).all(axis=(1, 2))
        index = box[0].start + int(np.flatnonzero(bad)[0])
        names = self.meta.get("slice_names") or []
        name = names[index] if len(names) == self.shape[0] else index
        raise InputError(
            f"NaN or infinite values, first in slice {name}",
            path=self.path or None,
            remedy="replace them by numbers, the background's for instance",
        )


class ArrayVolume(Volume):
    """A volume that is in memory already.

    Args:
        array: (Z, Y, X).
        spacing_um: see ``Volume``.
        meta: see ``Volume``.
    """

    def __init__(
        self,
        array: np.ndarray,
        *,
        spacing_um: Sequence[float] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(shape=array.shape, dtype=array.dtype, spacing_um=spacing_um, meta=meta)
        self.array = array

    def _read(self, box: Box) -> np.ndarray:
        return self.array[box].copy()


def full_box(shape: Sequence[int]) -> Box:
    """The box that holds all of a volume."""
    return tuple(slice(0, size) for size in shape)


def slabs(shape: Sequence[int], *, thickness: int, axis: int = 0) -> Iterator[Box]:
    """Cut a volume into slabs across an axis.

    Args:
        shape: (Z, Y, X).
        thickness: voxels of a slab along ``axis``; the last one may be thinner.
        axis: 0, 1 or 2.
    """
    for start in range(0, shape[axis], thickness):
        box = list(full_box(shape))
        box[axis] = slice(start, min(start + thickness, shape[axis]))
        yield tuple(box)


def checked_box(box: Box, shape: Sequence[int]) -> Box:
    """Fill open ends in; refuse what is empty or outside.

    Raises:
        IndexError: see ``Volume.read``.
    """
    if len(box) != 3:
        raise IndexError(f"a box has three slices, got {box}")
    filled = []
    for part, size in zip(box, shape, strict=True):
        start = 0 if part.start is None else int(part.start)
        stop = size if part.stop is None else int(part.stop)
        if part.step not in (None, 1) or not 0 <= start < stop <= size:
            raise IndexError(f"box {box} does not lie in a volume of shape {tuple(shape)}")
        filled.append(slice(start, stop))
    return tuple(filled)


def checked_spacing(spacing_um: Sequence[float] | float | None) -> tuple[float, float, float] | None:
    """Three positive distances, from three or one.

    Raises:
        InputError: another number of them, or one that is not positive and finite.
    """
    if spacing_um is None:
        return None
    spacing = np.asarray(spacing_um, dtype=np.float64)
    if spacing.ndim == 0:
        spacing = np.repeat(spacing, 3)
    if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(
            f"voxel size {np.asarray(spacing_um).tolist()} um",
            remedy="give one positive number, or three: slices, rows, columns, in micrometres",
        )
    return tuple(float(value) for value in spacing)
