# SPDX-License-Identifier: Apache-2.0
"""What all writers of volumes share: slabs of stored values, one error for a full disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np

from ...utils import InputError
from .base import Box, Volume, slabs

SLAB_VOXELS = 2**24  # held at a time; a probability of that many voxels is 64 MiB
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)  # Windows knows no quota
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ROUNDING = 1e-3  # interpolated probabilities may leave 0-1 by as much


@contextmanager
def storage_errors(target: str | PathLike, needed: int) -> Iterator[None]:
    """Turn a full disk and a missing right to write into an InputError that names the target.

    Args:
        target: file or folder that is being written.
        needed: bytes it takes at most.
    """
    try:
        yield
    except OSError as error:
        # numpy's and tifffile's short writes carry no error number
        short = error.errno is None and "written" in str(error)
        if error.errno in _FULL or short:
            raise InputError(
                f"no space left on the disk; writing this takes up to {_readable(needed)}",
                path=target,
                remedy="free space, or write to another disk; nothing half-written was kept",
            ) from error
        if error.errno in _DENIED:
            raise InputError(
                f"cannot be written: {error.strerror}", path=target, remedy="check the folder's permissions"
            ) from error
        raise


def stored_dtype(volume: Volume) -> np.dtype:
    """Data type a volume has on disk: uint8 of a mask, uint16 (0-65535 for 0-1) of probabilities."""
    return np.dtype(np.uint16 if volume.dtype.kind == "f" else np.uint8)


def stored_bytes(volume: Volume) -> int:
    """Bytes of the volume on disk without compression."""
    return int(np.prod(volume.shape, dtype=np.int64)) * stored_dtype(volume).itemsize


def stored_block(
    block: np.ndarray, *, value: int = 1, rounded: bool = True, path: str | PathLike | None = None
) -> np.ndarray:
    """Convert a box to the values that are stored.

    Args:
        block: mask of 0 and 1 (bool or integer), or probabilities 0-1 (float).
        value: what 1 of a mask becomes, 1-255.
        rounded: round probabilities to 16 bit.
        path: file or folder named in the error.

    Returns:
        uint8 of 0 and ``value``; or probabilities as uint16, round(65535 p), or else float32.

    Raises:
        InputError: other values than these, or NaN.
    """
    if block.dtype.kind == "f":
        # written so that NaN, which compares to nothing, is refused
        if not (block.min() >= -_ROUNDING and block.max() <= 1 + _ROUNDING):
            raise InputError(
                f"probabilities run from {block.min():g} to {block.max():g}",
                path=path,
                remedy="give values from 0 to 1, without NaN",
            )
        block = np.clip(block, 0, 1).astype(np.float32)
        return np.rint(block * np.float32(65535)).astype(np.uint16) if rounded else block
    if block.min() < 0 or block.max() > 1:
        raise InputError(
            f"mask holds values from {block.min()} to {block.max()}", path=path, remedy="give 0 and 1"
        )
    return block.astype(np.uint8) * np.uint8(value)


def stored_slabs(
    volume: Volume, *, value: int = 1, rounded: bool = True, axis: int = 0
) -> Iterator[tuple[Box, np.ndarray]]:
    """Walk a volume in slabs of bounded size: each slab's box and its stored values.

    Args:
        volume: mask or probabilities, see :func:`stored_block`.
        value: what 1 of a mask becomes.
        rounded: round probabilities to 16 bit.
        axis: axis that the slabs cut.
    """
    for box in slabs(volume.shape, thickness=slab_thickness(volume.shape, axis=axis), axis=axis):
        yield box, stored_block(volume.read(box), value=value, rounded=rounded, path=volume.path or None)


def slab_thickness(shape: tuple[int, int, int], *, axis: int = 0, voxels: int = SLAB_VOXELS) -> int:
    """Thickness along ``axis`` at which a slab holds about ``voxels`` voxels; at least 1."""
    plane = int(np.prod(shape, dtype=np.int64)) // shape[axis]
    return max(1, voxels // plane)


def known_of(volume: Volume, like: Volume | None) -> tuple[Mapping[str, Any], tuple | None]:
    """Meta and spacing that results take: those of ``like``, where given, else the volume's own.

    Raises:
        InputError: the two have different shapes.
    """
    if like is None:
        return volume.meta, volume.spacing_um
    if like.shape != volume.shape:
        raise InputError(
            f"result of shape {volume.shape} does not fit the volume's {like.shape}",
            path=like.path,
            remedy="bring the result back to the volume's own grid first",
        )
    return like.meta, like.spacing_um


def _readable(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
