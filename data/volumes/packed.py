# SPDX-License-Identifier: Apache-2.0
"""A volume in one deflate stream (.nii.gz, compressed .mhd), which can only be read from its start.

Slabs that follow each other are decoded as they come. Whoever jumps back more than once makes the stream
be unpacked, once, into a temporary file that is read in place.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...utils import InputError
from .base import full_box
from .flat import FlatVolume, checked_dtype, read_dtype, scaled
from .free_space import check_free_space
from .sliced import SliceState, SliceVolume

_CHUNK = 1 << 20
_AUTO_HEADER = 47  # zlib or gzip, whichever it is, with their checksums
_REWINDS = 1


class PackedVolume(SliceVolume):
    """Read slices from a deflate stream.

    When it is opened, the stream is decoded once, keeping nothing, to check its checksum: a damaged file
    must not be found out after hours.

    Args:
        file: file of the stream.
        start: byte of the file at which the stream starts.
        offset: first byte of the first voxel in the decoded stream.
        shape: (Z, Y, X), X the fastest.
        dtype: as stored.
        spacing_um: see ``Volume``.
        meta: see ``Volume``.
        slope: see ``FlatVolume``.
        intercept: see ``FlatVolume``.

    Raises:
        InputError: damaged or too short.
    """

    def __init__(
        self,
        file: str | PathLike,
        *,
        start: int = 0,
        offset: int = 0,
        shape: Sequence[int],
        dtype: np.dtype | type,
        spacing_um: Sequence[float] | float | None = None,
        meta: Mapping[str, Any] | None = None,
        slope: float = 1.0,
        intercept: float = 0.0,
    ) -> None:
        self.file, self.start, self.offset = Path(file), int(start), int(offset)
        self.stored_dtype = checked_dtype(dtype, path=self.file)
        self.slope, self.intercept = float(slope), float(intercept)
        kept = (self.slope, self.intercept) == (1.0, 0.0)
        read_as = read_dtype(self.stored_dtype) if kept else np.float32
        super().__init__(shape=shape, dtype=read_as, spacing_um=spacing_um, meta=meta)
        self.slice_bytes = self.shape[1] * self.shape[2] * self.stored_dtype.itemsize
        _check_length(self.file, self.start, wanted=self.offset + self.shape[0] * self.slice_bytes)

    def _new_state(self) -> SliceState:
        state = super()._new_state()
        state.opened = _Reader(self.file, self.start, self.offset, self.slice_bytes)
        return state

    def _decode(self, index: int) -> np.ndarray:
        reader = self._process_state().opened
        if isinstance(reader, _Reader) and index < reader.position and reader.rewinds >= _REWINDS:
            reader = self._process_state().opened = self._unpack()
        if isinstance(reader, FlatVolume):
            _, y, x = full_box(self.shape)
            return reader._read((slice(index, index + 1), y, x))[0]
        values = np.frombuffer(reader.slice_at(index), dtype=self.stored_dtype).reshape(self.shape[1:])
        return scaled(values, slope=self.slope, intercept=self.intercept).astype(self.dtype, copy=False)

    def _unpack(self) -> FlatVolume:
        """Decode the whole stream into a temporary file that goes when the volume or the process does."""
        wanted = self.offset + self.shape[0] * self.slice_bytes
        check_free_space(tempfile.gettempdir(), wanted, what=f"unpacking {self.path}")
        folder = tempfile.mkdtemp(prefix="tomobundles-")
        weakref.finalize(self._process_state(), _remove, folder, os.getpid())
        unpacked = Path(folder) / "voxels.raw"
        try:
            with unpacked.open("wb") as file:
                file.writelines(inflate(self.file, self.start))
        except OSError as error:
            raise InputError(
                f"cannot be unpacked to {folder}: {error.strerror or error}",
                path=self.file,
                remedy="free space there, set TMPDIR to another disk, or unpack the file yourself",
            ) from error
        return FlatVolume(
            unpacked,
            offset=self.offset,
            shape=self.shape,
            dtype=self.stored_dtype,
            slope=self.slope,
            intercept=self.intercept,
        )


class _Reader:
    """Slices of a stream, in order; going back starts it anew."""

    def __init__(self, file: Path, start: int, offset: int, slice_bytes: int) -> None:
        self.file, self.start, self.offset, self.slice_bytes = file, start, offset, slice_bytes
        self.rewinds = 0
        self._restart()

    def _restart(self) -> None:
        self.parts = inflate(self.file, self.start)
        self.left = b""
        self.position = 0
        self._take(self.offset)

    def slice_at(self, index: int) -> bytearray:
        if index < self.position:
            self.rewinds += 1
            self._restart()
        while True:
            data = self._take(self.slice_bytes)
            self.position += 1
            if self.position > index:
                return data

    def _take(self, count: int) -> bytearray:
        taken = bytearray(self.left)
        while len(taken) < count:
            part = next(self.parts, None)
            if part is None:
                raise InputError("truncated while it was read", path=self.file, remedy="copy it again")
            taken += part
        self.left = bytes(taken[count:])
        del taken[count:]
        return taken


def inflate(file: str | PathLike, start: int = 0) -> Iterator[bytes]:
    """Decode a zlib or gzip stream, of one or several members, in parts; checksums are compared.

    Raises:
        InputError: damaged, or cut off.
    """
    try:
        with Path(file).open("rb") as source:
            source.seek(start)
            yield from _members(source)
    except (OSError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"damaged: its compressed data cannot be decoded ({reason})",
            path=file,
            remedy="copy or export the file again",
        ) from error


def _members(source: Any) -> Iterator[bytes]:
    decoder = zlib.decompressobj(_AUTO_HEADER)
    rest = source.read(_CHUNK)
    while rest:
        if decoder.eof:
            rest = rest.lstrip(b"\0")  # padding
            decoder = zlib.decompressobj(_AUTO_HEADER) if rest else decoder
        if rest:
            yield decoder.decompress(rest, 4 * _CHUNK)
            rest = decoder.unconsumed_tail or decoder.unused_data
        rest = rest or source.read(_CHUNK)
    yield decoder.flush()
    if not decoder.eof:
        raise EOFError("it ends before its end mark")


def _check_length(file: Path, start: int, *, wanted: int) -> None:
    length = sum(len(part) for part in inflate(file, start))
    if length < wanted:
        raise InputError(
            f"truncated: {length} bytes of {wanted} once decoded", path=file, remedy="export the file again"
        )


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # a forked process holds a copy of the volume, but the file is its parent's
        shutil.rmtree(folder, ignore_errors=True)
