# SPDX-License-Identifier: Apache-2.0
"""Write a volume as MetaImage: a header .mhd and, beside it, .raw or compressed .zraw.

The format: https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import zlib
from os import PathLike
from pathlib import Path

import numpy as np

from ...utils import InputError, atomic_path
from ...utils.world import RAS_TO_LPS

_TYPES = {
    "i1": "MET_CHAR", "u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT",
    "u4": "MET_UINT", "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip
_LEVEL = 1  # noise does not pack better with more effort
_SQUARE = 1e-6


def write_metaimage(
    path: str | PathLike, array: np.ndarray, affine_ras: np.ndarray, *, compressed: bool = True
) -> Path:
    """Write an .mhd and its data file.

    Args:
        path: the header, ending in .mhd; the data file gets its name with .zraw or .raw.
        array: (z, y, x), of 8, 16 or 32 bits or double.
        affine_ras: (4, 4), voxel indices (x, y, z), so the array's axes from last to first, to RAS mm; any
            rotation or reflection, but no shear.
        compressed: pack the voxels with zlib.

    Returns:
        ``path``.

    Raises:
        InputError: another ending, an array that is no volume or of a type that MetaImage has not, or an
            affine with shear or without volume.
    """
    path, array = Path(path), np.asarray(array)
    affine = np.asarray(affine_ras, np.float64)
    little = array.dtype.newbyteorder("<")
    if path.suffix.lower() != ".mhd":
        raise InputError("a MetaImage header ends in .mhd", path=path, remedy="name it so")
    if array.ndim != 3 or not array.size or little.str[1:] not in _TYPES:
        problem = f"array {array.shape} of {array.dtype}"
        raise InputError(problem, path=path, remedy="give (z, y, x) of int16, uint8, float32 or the like")
    spacing, direction = _parts(affine, path)
    data_path = path.with_suffix(".zraw" if compressed else ".raw")
    voxels = np.ascontiguousarray(array, little)
    data = zlib.compress(voxels.data, _LEVEL) if compressed else voxels.data
    lines = _header(array.shape[::-1], spacing, direction, RAS_TO_LPS @ affine[:3, 3])
    lines += ["CompressedData = True", f"CompressedDataSize = {len(data)}"] if compressed else [
        "CompressedData = False"
    ]  # fmt: skip
    lines += [f"ElementType = {_TYPES[little.str[1:]]}", f"ElementDataFile = {data_path.name}"]
    with atomic_path(data_path) as temporary:
        Path(temporary).write_bytes(data)
    with atomic_path(path) as temporary:
        Path(temporary).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    return path


def file_affine(affine: np.ndarray) -> np.ndarray:
    """An affine of (row, column, slice) as that of a file's (x, y, z) = (column, row, slice)."""
    return np.asarray(affine, np.float64)[:, [1, 0, 2, 3]]


def _parts(affine: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxel sizes (3,), and LPS directions as columns (3, 3)."""
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise InputError("an affine that is no finite 4 x 4 matrix", path=path, remedy="give voxel to RAS mm")
    lps = RAS_TO_LPS @ affine[:3, :3]
    spacing = np.linalg.norm(lps, axis=0)
    direction = lps / np.where(spacing > 0, spacing, 1)
    if np.abs(direction.T @ direction - np.eye(3)).max() > _SQUARE:
        raise InputError("its axes are not at right angles", path=path, remedy="resample it to a plain grid")
    return spacing, direction


def _header(
    size: tuple[int, ...], spacing: np.ndarray, direction: np.ndarray, origin: np.ndarray
) -> list[str]:
    return [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        f"TransformMatrix = {_numbers(direction.T.ravel())}",
        f"Offset = {_numbers(origin)}",
        "CenterOfRotation = 0 0 0",
        "AnatomicalOrientation = RAI",
        f"ElementSpacing = {_numbers(spacing)}",
        f"DimSize = {' '.join(map(str, size))}",
    ]


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value + 0.0:.15g}" for value in values)
