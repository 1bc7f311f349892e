# SPDX-License-Identifier: Apache-2.0
"""A whole MetaImage at once, with its place in the patient: chest CTs as LUNA16 and Tianchi give them."""

from __future__ import annotations

from os import PathLike

import numpy as np

from ...utils import InputError
from ...utils.world import RAS_TO_LPS
from .mhd import MhdHeader, read_mhd_header
from .packed import inflate

_MATRIX = ("transformmatrix", "rotation", "orientation")
_ORIGIN = ("offset", "position", "origin")


def read_metaimage(path: str | PathLike) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a MetaImage in one pass.

    The header must account for every byte: data that are longer than it says come from wrong dimensions, and
    the volume would be sheared.

    Args:
        path: .mhd or .mha.

    Returns:
        array: (D, H, W) in the stored type and this machine's byte order.
        affine: (4, 4) float64 of (row, column, slice) in RAS mm; None where the header has no voxel size.

    Raises:
        InputError: see ``open_mhd``; data longer than the header says, or a geometry that is none.
    """
    header = read_mhd_header(path)
    voxels = _unpacked(header) if header.packed else _raw(header)
    array = voxels.view(header.dtype).reshape(header.shape)
    return array.astype(header.dtype.newbyteorder("="), copy=False), metaimage_affine(header)


def metaimage_affine(header: MhdHeader) -> np.ndarray | None:
    """Affine of (row, column, slice) in RAS mm; None where the header has no voxel size.

    A voxel (x, y, z) lies at Offset + sum of index * ElementSpacing * direction, in LPS mm, and the direction
    of an axis is a row of TransformMatrix. CenterOfRotation and AnatomicalOrientation have no part in it: so
    does ITK read these files (checked against SimpleITK).

    Raises:
        InputError: not nine and three numbers, or a singular matrix.
    """
    if header.spacing_um is None:
        return None
    spacing = np.array(header.spacing_um[::-1]) / 1e3  # x, y, z
    directions = _geometry(header, _MATRIX, default=np.eye(3).ravel()).reshape(3, 3)
    origin = _geometry(header, _ORIGIN, default=np.zeros(3))
    if abs(np.linalg.det(directions)) < 1e-3 or not (spacing > 0).all():
        raise InputError(
            "its axes have no direction or no length (TransformMatrix, ElementSpacing)",
            path=header.path,
            remedy="mend the header, or export the volume again",
        )
    affine = np.eye(4)
    affine[:3, :3] = (RAS_TO_LPS @ (directions.T * spacing))[:, [1, 0, 2]]
    affine[:3, 3] = RAS_TO_LPS @ origin
    return affine


def _geometry(header: MhdHeader, names: tuple[str, ...], *, default: np.ndarray) -> np.ndarray:
    name = next((name for name in names if name in header.fields), None)
    if name is None:
        return default
    found = np.array(header.numbers(name), np.float64)
    if found.size != default.size or not np.isfinite(found).all():
        raise InputError(
            f"MetaImage with {name} = {header.fields[name][:60]}",
            path=header.path,
            remedy=f"mend the header: {default.size} numbers are expected",
        )
    return found


def _raw(header: MhdHeader) -> np.ndarray:
    """Bytes of an uncompressed volume."""
    present = header.file.stat().st_size - header.start
    if present < header.bytes:
        raise InputError(
            f"truncated: {max(present, 0)} bytes of {header.bytes}",
            path=header.file,
            remedy="copy the file again, or mend DimSize and ElementType in its header",
        )
    if present > header.bytes and not header.skips:
        raise _longer(header, present)
    try:
        return np.fromfile(header.file, np.uint8, count=header.bytes, offset=header.start)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or error}", path=header.file, remedy="check the file"
        ) from error


def _unpacked(header: MhdHeader) -> np.ndarray:
    """Bytes of a compressed volume; the stream's checksum is compared on the way."""
    voxels, length = np.empty(header.bytes, np.uint8), 0
    for part in inflate(header.file, header.start):
        end = length + len(part)
        if end <= header.bytes:
            voxels[length:end] = np.frombuffer(part, np.uint8)
        length = end
    if length < header.bytes:
        raise InputError(
            f"truncated: {length} bytes of {header.bytes} once decoded",
            path=header.file,
            remedy="copy the file again, or mend DimSize and ElementType in its header",
        )
    if length > header.bytes:
        raise _longer(header, length)
    return voxels


def _longer(header: MhdHeader, present: int) -> InputError:
    return InputError(
        f"{present} bytes where its header says {header.bytes} (DimSize {header.fields['dimsize']})",
        path=header.file,
        remedy="mend DimSize or ElementType in the header, or copy the right file there",
    )
