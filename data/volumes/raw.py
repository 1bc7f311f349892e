# SPDX-License-Identifier: Apache-2.0
"""A volume in a .npy file, read and written in boxes: the store of everything out of core."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...utils import InputError
from .base import Box, checked_box
from .flat import FlatVolume

_REMEDY = "give a .npy of slices, rows, columns, written by numpy.save"


class RawVolume(FlatVolume):
    """Open a volume in a .npy file.

    Args:
        path: .npy of three axes (Z, Y, X) in C order.
        spacing_um: see ``Volume``.
        meta: see ``Volume``.
        writable: allow ``write``.

    Raises:
        InputError: missing, not a .npy, pickled objects, not three axes, in Fortran order, or truncated.
    """

    def __init__(
        self,
        path: str | PathLike,
        *,
        spacing_um: Sequence[float] | None = None,
        meta: Mapping[str, Any] | None = None,
        writable: bool = False,
    ) -> None:
        shape, fortran, dtype, offset = read_npy_header(path)
        if len(shape) != 3 or fortran:
            order = " in Fortran order" if fortran else ""
            raise InputError(f"array of shape {shape}, {dtype}{order}", path=path, remedy=_REMEDY)
        super().__init__(
            path,
            offset=offset,
            shape=shape,
            dtype=dtype,
            spacing_um=spacing_um,
            meta={"path": str(path), "form": "npy", **(meta or {})},
        )
        self.writable = writable

    @classmethod
    def create(
        cls,
        path: str | PathLike,
        *,
        shape: Sequence[int],
        dtype: np.dtype | type,
        spacing_um: Sequence[float] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> RawVolume:
        """Make a volume of zeros, its disk space reserved, open for writing; an old file is replaced.

        Raises:
            OSError: no space on the disk (before anything is computed), or no right to write.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        dtype = np.dtype(dtype)
        shape = tuple(int(size) for size in shape)
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        try:
            with path.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
                _reserve(file.fileno(), file.tell(), size)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return cls(path, spacing_um=spacing_um, meta=meta, writable=True)

    def write(self, box: Box, values: np.ndarray) -> None:
        """Write a box. Boxes that share rows must not be written at the same time.

        Args:
            box: as for ``read``.
            values: the box's voxels, or one number for all.

        Raises:
            OSError: the disk is full.
            IndexError: a box that is empty or leaves the volume.
            ValueError: a volume that was opened for reading, or values of another shape.
        """
        if not self.writable:
            raise ValueError(f"{self.file} was opened for reading")
        z, y, x = checked_box(box, self.shape)
        shape = tuple(part.stop - part.start for part in (z, y, x))
        values = np.broadcast_to(np.asarray(values, dtype=self.stored_dtype), shape)
        whole_rows = x == slice(0, self.shape[2])
        rows = np.empty((shape[1], self.shape[2]), dtype=self.stored_dtype)
        with self.file.open("r+b", buffering=0) as file:
            for index, plane in enumerate(range(z.start, z.stop)):
                if not whole_rows:  # one write of whole rows costs less than one a row
                    self._read_rows(file, plane, y.start, rows)
                rows[:, x] = values[index]
                self._write_rows(file, plane, y.start, rows)

    def _write_rows(self, file: FileIO, plane: int, first: int, rows: np.ndarray) -> None:
        view = memoryview(rows).cast("B")
        file.seek(self._row_start(plane, first))
        done = 0
        while done < len(view):
            done += file.write(view[done:])

    def sync(self) -> None:
        """Force what was written to disk."""
        with self.file.open("rb") as file:
            os.fsync(file.fileno())


def read_npy_header(path: str | PathLike) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Read what a .npy file says of its array, and nothing else of it.

    Returns:
        shape, whether in Fortran order, type, and the byte at which the values start.

    Raises:
        InputError: missing, not a .npy, an empty array, or values that are no plain numbers.
    """
    try:
        with Path(path).open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(file)
            offset = file.tell()
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"cannot be read as .npy: {reason}", path=path, remedy=_REMEDY) from error
    if 0 in shape or dtype.kind not in "buif":
        raise InputError(f"array of shape {shape}, {dtype}", path=path, remedy=_REMEDY)
    return shape, fortran and len(shape) > 1, dtype, offset


def _reserve(descriptor: int, offset: int, size: int) -> None:
    # a sparse file would find the disk full only after hours
    if hasattr(os, "posix_fallocate"):  # macOS and Windows have none
        try:
            os.posix_fallocate(descriptor, offset, size)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):  # not on this file system
                raise
    os.ftruncate(descriptor, offset + size)
