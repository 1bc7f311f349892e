# SPDX-License-Identifier: Apache-2.0
"""A volume whose voxels lie one after the other in a file, uncompressed: .npy, .nii, .mhd, plain TIFF.

Boxes go through reads of the file and not through a memory map: pages of a map count as the process's
memory, which would grow with the volume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...utils import InputError
from .base import Box, Volume


class FlatVolume(Volume):
    """Read boxes of a C-ordered array that starts at a byte of a file.

    Args:
        file: where the voxels lie.
        offset: first byte of the first voxel.
        shape: (Z, Y, X), X the fastest in the file.
        dtype: as stored, of any byte order; booleans are read as uint8 0 and 1.
        spacing_um: see ``Volume``.
        meta: see ``Volume``.
        slope: voxels are ``stored * slope + intercept`` as float32; 1 and 0 keep the stored type.
        intercept: see ``slope``.

    Raises:
        InputError: values that are no plain numbers, or a file that is too short.
    """

    def __init__(
        self,
        file: str | PathLike,
        *,
        offset: int,
        shape: Sequence[int],
        dtype: np.dtype | type,
        spacing_um: Sequence[float] | None = None,
        meta: Mapping[str, Any] | None = None,
        slope: float = 1.0,
        intercept: float = 0.0,
    ) -> None:
        self.file = Path(file)
        self.offset = int(offset)
        self.stored_dtype = checked_dtype(dtype, path=self.file)
        self.slope, self.intercept = float(slope), float(intercept)
        scaled = (self.slope, self.intercept) != (1.0, 0.0)
        super().__init__(
            shape=shape,
            dtype=np.float32 if scaled else read_dtype(self.stored_dtype),
            spacing_um=spacing_um,
            meta=meta,
        )
        self._check_size()

    def _check_size(self) -> None:
        wanted = self.offset + int(np.prod(self.shape, dtype=np.int64)) * self.stored_dtype.itemsize
        size = self.file.stat().st_size
        if size < wanted:
            raise InputError(
                f"truncated: {size} bytes of {wanted}", path=self.file, remedy="copy or write the file again"
            )

    def _read(self, box: Box) -> np.ndarray:
        z, y, x = box
        result = np.empty(tuple(part.stop - part.start for part in box), dtype=self.dtype)
        rows = np.empty((y.stop - y.start, self.shape[2]), dtype=self.stored_dtype)
        try:
            with self.file.open("rb", buffering=0) as file:
                for index, plane in enumerate(range(z.start, z.stop)):
                    self._read_rows(file, plane, y.start, rows)
                    result[index] = self._scaled(rows[:, x])
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise InputError(
                f"cannot be read: {reason}", path=self.file, remedy="check the file and its disk"
            ) from error
        return result

    def _read_rows(self, file: FileIO, plane: int, first: int, rows: np.ndarray) -> None:
        """Fill ``rows`` (n, X) with rows of a slice."""
        view = memoryview(rows).cast("B")
        file.seek(self._row_start(plane, first))
        done = 0
        while done < len(view):
            got = file.readinto(view[done:])
            if not got:
                raise InputError("truncated while it was read", path=self.file, remedy="write the file again")
            done += got

    def _row_start(self, plane: int, row: int) -> int:
        return self.offset + (plane * self.shape[1] + row) * self.shape[2] * self.stored_dtype.itemsize

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return scaled(values, slope=self.slope, intercept=self.intercept)


def scaled(values: np.ndarray, *, slope: float, intercept: float) -> np.ndarray:
    """Apply a file's scale factors, in float64 where there are any."""
    if (slope, intercept) == (1.0, 0.0):
        return values
    return values.astype(np.float64) * slope + intercept


def checked_dtype(dtype: np.dtype | type, *, path: str | PathLike) -> np.dtype:
    """Accept booleans, integers and floats of any byte order.

    Raises:
        InputError: complex values, colours, objects, text.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "buif":
        raise InputError(
            f"values of type {dtype} where gray values are expected",
            path=path,
            remedy="store integers or floats, one a voxel",
        )
    return dtype


def read_dtype(stored: np.dtype) -> np.dtype:
    """Type that voxels of a stored type are read as: this machine's byte order, booleans as uint8."""
    return np.dtype(np.uint8) if stored.kind == "b" else stored.newbyteorder("=")
