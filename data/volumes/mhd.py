# SPDX-License-Identifier: Apache-2.0
"""Volumes in MetaImage files: .mhd with a .raw or .zraw beside it, .mha with all in one.

The format: https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...utils import InputError
from .base import Volume
from .flat import FlatVolume
from .packed import PackedVolume

MHD_SUFFIXES = (".mhd", ".mha")
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_LONGEST_HEADER = 1 << 16


def open_mhd(path: str | PathLike, *, spacing_um: Sequence[float] | float | None = None) -> Volume:
    """Open a MetaImage: header now, voxels where they are asked for.

    Args:
        path: .mhd or .mha, of three axes, or of two: one slice.
        spacing_um: see ``Volume``; None takes ElementSpacing (mm).

    Raises:
        InputError: no MetaImage, several channels, text, one file a slice, data missing or truncated.
    """
    header = read_mhd_header(path)
    meta: dict[str, Any] = {"path": str(header.path), "form": "mhd"}
    meta["slice_names"] = [str(index) for index in range(header.shape[0])]
    if spacing_um is None:
        spacing_um = header.spacing_um
        meta["spacing_source"] = "MetaImage" if spacing_um is not None else ""
    about = {"shape": header.shape, "dtype": header.dtype, "spacing_um": spacing_um, "meta": meta}
    if header.packed:
        return PackedVolume(header.file, start=header.start, **about)
    return FlatVolume(header.file, offset=header.start, **about)


@dataclass(frozen=True)
class MhdHeader:
    """What a MetaImage's header says.

    Args:
        path: the header's file.
        fields: all its fields, names in lower case.
        shape: (Z, Y, X).
        dtype: as stored, with its byte order.
        file: file of the voxels.
        start: byte of ``file`` at which they start.
        packed: whether they are compressed.
        skips: whether the header says to skip bytes before the voxels.
    """

    path: Path
    fields: Mapping[str, str]
    shape: tuple[int, int, int]
    dtype: np.dtype
    file: Path
    start: int
    packed: bool
    skips: bool

    @property
    def bytes(self) -> int:
        """Bytes of the voxels, once decoded."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def spacing_um(self) -> tuple[float, ...] | None:
        """Voxel size (slices, rows, columns) in micrometres; None where the header has none."""
        return _spacing_um(self.fields, self.path)

    def numbers(self, name: str) -> list[float]:
        """Numbers of a field.

        Raises:
            InputError: text.
        """
        return _numbers(self.fields, name, self.path)


def read_mhd_header(path: str | PathLike) -> MhdHeader:
    """Read a MetaImage's header and find its voxels.

    Raises:
        InputError: see :func:`open_mhd`; the length of the data is not looked at.
    """
    path = Path(path)
    fields, end = _read_header(path)
    shape, dtype = _shape(fields, path), _dtype(fields, path)
    file, start = _data_file(fields, path, header_end=end)
    packed = _is_true(fields, "compresseddata")
    skip = 0 if packed else _integer(fields, "headersize", 0, path)
    if skip == -1:  # the voxels are the file's last bytes
        start = max(file.stat().st_size - int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, 0)
    return MhdHeader(path, fields, shape, dtype, file, start + max(skip, 0), packed, skip != 0)


def _read_header(path: Path) -> tuple[dict[str, str], int]:
    """Fields in lower case, and the byte after the header."""
    try:
        with path.open("rb") as file:
            head = file.read(_LONGEST_HEADER)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", path=path, remedy="check that you may read it"
        ) from error
    fields, end = {}, 0
    for line in head.splitlines(keepends=True):
        key, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            break
        end += len(line)
        fields[key.strip().lower()] = value.strip()
        if key.strip().lower() == "elementdatafile":  # always the last
            return fields, end
    raise InputError(
        "not a MetaImage header: no line ElementDataFile", path=path, remedy="export the volume again"
    )


def _shape(fields: Mapping[str, str], path: Path) -> tuple[int, int, int]:
    sizes = [int(size) if size < 2**31 else 0 for size in _numbers(fields, "dimsize", path)]  # no nan or inf
    axes = len(sizes)
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    sizes = [*sizes, 1] if len(sizes) == 2 else sizes
    channels = _integer(fields, "elementnumberofchannels", 1, path)
    if len(sizes) != 3 or min(sizes) < 1 or channels != 1:
        problem = f"{channels} channels" if channels != 1 else f"DimSize {fields.get('dimsize', 'absent')}"
        raise InputError(
            f"MetaImage with {problem} where one gray volume is expected",
            path=path,
            remedy="store one channel of three axes",
        )
    if _integer(fields, "ndims", axes, path) != axes:
        raise InputError(
            f"MetaImage with DimSize {fields['dimsize']} and NDims {fields['ndims']}",
            path=path,
            remedy="mend the header",
        )
    return tuple(sizes[::-1])


def _dtype(fields: Mapping[str, str], path: Path) -> np.dtype:
    name = fields.get("elementtype", "absent").upper()
    if name not in _TYPES or fields.get("binarydata", "true").lower() in ("false", "0"):
        problem = f"ElementType {name}" if name not in _TYPES else "voxels written as text"
        raise InputError(f"MetaImage with {problem}", path=path, remedy="export integers or floats, binary")
    big = _is_true(fields, "elementbyteordermsb") or _is_true(fields, "binarydatabyteordermsb")
    return np.dtype((">" if big else "<") + _TYPES[name])


def _data_file(fields: Mapping[str, str], path: Path, *, header_end: int) -> tuple[Path, int]:
    name = fields["elementdatafile"]
    if name.upper() == "LOCAL":
        return path, header_end
    if name.upper().startswith("LIST") or "%" in name:
        raise InputError(
            "MetaImage with its slices in many files", path=path, remedy="export it with one data file"
        )
    file = path.parent / name
    if not file.is_file():
        raise InputError(
            f"its data file {name} is missing", path=path, remedy="copy it to the folder of the header"
        )
    return file, 0


def _spacing_um(fields: Mapping[str, str], path: Path) -> tuple[float, ...] | None:
    key = "elementspacing" if "elementspacing" in fields else "elementsize"
    if key not in fields:
        return None
    sizes = _numbers(fields, key, path)[:3]
    return tuple(size * 1e3 for size in sizes[::-1]) if len(sizes) == 3 else None


def _numbers(fields: Mapping[str, str], key: str, path: Path) -> list[float]:
    try:
        return [float(number) for number in fields.get(key, "").split()]
    except ValueError as error:
        raise InputError(
            f"MetaImage with {key} = {fields[key]}", path=path, remedy="mend the header"
        ) from error


def _integer(fields: Mapping[str, str], key: str, default: int, path: Path) -> int:
    return int(_numbers(fields, key, path)[0]) if fields.get(key) else default


def _is_true(fields: Mapping[str, str], key: str) -> bool:
    return fields.get(key, "false").lower() in ("true", "1")
