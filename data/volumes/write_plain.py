# SPDX-License-Identifier: Apache-2.0
"""Masks and probabilities as .npy and .mha: uncompressed voxels behind a short header, streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from ...utils import InputError, atomic_path
from .base import Volume
from .raw import RawVolume
from .writing import known_of, storage_errors, stored_slabs

_UM_PER_MM = 1000.0
_ELEMENT_TYPES = {np.dtype(np.uint8): "MET_UCHAR", np.dtype(np.float32): "MET_FLOAT"}
# what a MetaImage header says about where the voxels lie
_GEOMETRY = (
    "TransformMatrix", "Rotation", "Orientation", "Offset", "Position", "Origin", "CenterOfRotation",
    "AnatomicalOrientation", "ElementSpacing", "ElementSize", "DistanceUnits",
)  # fmt: skip
_MATRICES = _GEOMETRY[:3]
_OFFSETS = ("Offset", "Position", "Origin")
_LONGEST_HEADER = 2**16


def write_npy(mask: Volume, path: str | PathLike, *, value: int = 1, like: Volume | None = None) -> Path:
    """Write a .npy slab by slab, its disk space reserved before the first.

    Args:
        mask: 0/1 mask, stored as uint8; or probabilities 0-1, stored as float32.
        path: file to write.
        value: what 1 of a mask becomes, 1-255.
        like: the volume whose order of axes ("axes" of its meta, "ZYX" if there is none) is taken.

    Returns:
        ``path``.

    Raises:
        InputError: values outside 0-1, or a full disk.
    """
    meta, _ = known_of(mask, like)
    dtype = _plain_dtype(mask)
    order = ["ZYX".index(letter) for letter in str(meta.get("axes") or "ZYX").upper()]
    shape = tuple(mask.shape[axis] for axis in order)
    with storage_errors(path, _bytes(mask, dtype)), atomic_path(path) as temporary:
        store = RawVolume.create(temporary, shape=shape, dtype=dtype)
        for box, block in stored_slabs(mask, value=value, rounded=False, axis=order[0]):
            store.write(tuple(box[axis] for axis in order), block.transpose(order))
    return Path(path)


def write_mha(mask: Volume, path: str | PathLike, *, value: int = 1, like: Volume | None = None) -> Path:
    """Write a MetaImage in one file, slab by slab.

    A volume that came from a .mhd or .mha goes back with its origin, directions and voxel size. Any other
    gets its voxel size in mm, 1 where it is unknown.

    Args:
        mask: 0/1 mask, stored as unsigned char; or probabilities 0-1, stored as float.
        path: .mha file to write.
        value: what 1 of a mask becomes, 1-255.
        like: the volume whose geometry is taken; None: the mask's own.

    Returns:
        ``path``.

    Raises:
        InputError: the source's header cannot be read, values outside 0-1, or a full disk.
    """
    meta, spacing = known_of(mask, like)
    dtype = _plain_dtype(mask)
    known = _source_geometry(Path(str(meta["path"]))) if meta.get("form") == "mhd" else {}
    if known and "slices" in meta:
        _begin_at(known, meta["slices"][0])
    header = _mha_header(mask.shape, spacing, _ELEMENT_TYPES[dtype], known)
    with (
        storage_errors(path, _bytes(mask, dtype)),
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
    ):
        file.write(header.encode("ascii"))
        for _, block in stored_slabs(mask, value=value, rounded=False):
            file.write(np.ascontiguousarray(block).data)
    return Path(path)


def _plain_dtype(mask: Volume) -> np.dtype:
    return np.dtype(np.float32 if mask.dtype.kind == "f" else np.uint8)


def _bytes(mask: Volume, dtype: np.dtype) -> int:
    return int(np.prod(mask.shape, dtype=np.int64)) * dtype.itemsize


def _mha_header(
    shape: Sequence[int], spacing: Sequence[float] | None, element: str, known: Mapping[str, str]
) -> str:
    steps = (1.0, 1.0, 1.0) if spacing is None else tuple(size / _UM_PER_MM for size in spacing)
    fields = {"ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False"}
    fields |= {"CompressedData": "False"}
    fields |= known or {"ElementSpacing": " ".join(f"{step:.17g}" for step in reversed(steps))}
    fields |= {"DimSize": " ".join(map(str, reversed(shape))), "ElementType": element}
    return "".join(f"{key} = {text}\n" for key, text in (fields | {"ElementDataFile": "LOCAL"}).items())


def _source_geometry(source: Path) -> dict[str, str]:
    """Read the lines about geometry; voxels may follow ElementDataFile in the same file."""
    try:
        with source.open("rb") as file:
            text = file.read(_LONGEST_HEADER)
    except OSError as error:
        raise InputError(
            f"its header cannot be read: {error.strerror}", path=source, remedy="restore the file"
        ) from error
    header = text.partition(b"ElementDataFile")[0].decode("ascii", errors="ignore")
    pairs = [line.partition("=") for line in header.splitlines()]
    found = {key.strip().lower(): text.strip() for key, _, text in pairs}
    if found.get("ndims", "3") != "3":
        return {}
    return {key: found[key.lower()] for key in _GEOMETRY if key.lower() in found}


def _begin_at(known: dict[str, str], first: int) -> None:
    """Move the origin to a slice: row k of the matrix is the direction of axis k, in the order x, y, z."""
    step = float((known.get("ElementSpacing") or known.get("ElementSize") or "1 1 1").split()[2])
    matrix = next(
        (known[key] for key in ("TransformMatrix", "Rotation", "Orientation") if key in known), None
    )
    direction = np.array([0.0, 0.0, 1.0] if matrix is None else matrix.split()[6:9], dtype=np.float64)
    for key in [key for key in _OFFSETS if key in known] or ["Offset"]:
        start = np.array(known.get(key, "0 0 0").split(), dtype=np.float64)
        known[key] = " ".join(f"{value:.17g}" for value in start + first * step * direction)
