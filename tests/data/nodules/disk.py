# SPDX-License-Identifier: Apache-2.0
"""Small scans and tables of nodules on disk."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

HEADER = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
SHAPE = (8, 9, 10)  # slices, rows, columns


def ct(shape: Sequence[int] = SHAPE) -> np.ndarray:
    """(slices, rows, columns) int16: lung in one half, soft tissue in the other."""
    array = np.full(shape, -850, np.int16)
    array[:, :, shape[2] // 2 :] = 40
    return array


def write_mhd(
    path: Path,
    array: np.ndarray | None = None,
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    matrix: np.ndarray | None = None,
    packed: bool = False,
    **fields: object,
) -> Path:
    """Write a .mhd with its .raw or .zraw; ``spacing`` and ``origin`` are x, y, z; None drops a field."""
    array = ct() if array is None else array
    data = path.with_suffix(".zraw" if packed else ".raw")
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = np.ascontiguousarray(array).tobytes()
    data.write_bytes(zlib.compress(raw) if packed else raw)
    types = {"i2": "MET_SHORT", "u1": "MET_UCHAR", "u2": "MET_USHORT", "f4": "MET_FLOAT"}
    lines = {"ObjectType": "Image", "NDims": 3, "CompressedData": packed}
    lines["TransformMatrix"] = _text(np.eye(3) if matrix is None else matrix)
    lines |= {"Offset": _text(origin), "ElementSpacing": _text(spacing), "DimSize": _text(array.shape[::-1])}
    lines |= {"ElementType": types[array.dtype.str[1:]]} | fields | {"ElementDataFile": data.name}
    path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None))
    return path


def write_nifti(path: Path, array: np.ndarray | None = None, affine: np.ndarray | None = None) -> Path:
    """Write (slices, rows, columns) as NIfTI of x, y, z."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = ct() if array is None else array
    nib.save(nib.Nifti1Image(array.T, np.diag([-1.0, -1, 1, 1]) if affine is None else affine), path)
    return path


def write_table(path: Path, *rows: str, header: str = HEADER) -> Path:
    """Write a table with the given rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "".join(f"{row}\n" for row in rows))
    return path


def _text(numbers: Sequence[float] | np.ndarray) -> str:
    return " ".join(f"{number:.17g}" for number in np.ravel(numbers))
