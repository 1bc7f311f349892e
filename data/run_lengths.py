# SPDX-License-Identifier: Apache-2.0
"""Run-length encoding of one slice: pairs "start length" of runs of ones, starts counted from 1."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from ..utils import InputError

EMPTY = "1 0"
_LONGEST_NUMBER = 18  # digits that fit into 64 bit


def encode_rle(mask: np.ndarray, *, order: str = "C") -> str:
    """Encode one slice.

    Args:
        mask: (H, W), vessels where it is not 0.
        order: "C" along rows, "F" along columns.

    Returns:
        "start length start length ..." in ascending order, "1 0" where there is none.

    Raises:
        InputError: another number of axes, or another order.
    """
    check_order(order)
    if mask.ndim != 2:
        raise InputError(f"mask of shape {mask.shape}", remedy="give one slice: rows, columns")
    line = np.zeros(mask.size + 2, dtype=np.int8)  # a zero at both ends closes runs there
    line[1:-1] = (mask != 0).ravel(order=order)
    steps = np.diff(line)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    runs = np.stack([starts + 1, ends - starts], axis=1).ravel()
    return " ".join(map(str, runs.tolist())) or EMPTY


def decode_rle(
    text: str, shape: Sequence[int], *, order: str = "C", path: str | PathLike | None = None
) -> np.ndarray:
    """Decode one slice.

    Args:
        text: as of :func:`encode_rle`.
        shape: (H, W).
        order: "C" along rows, "F" along columns.
        path: file named in errors.

    Returns:
        (H, W) uint8 of 0 and 1.

    Raises:
        InputError: anything but whole positive numbers, an odd count of them, runs that overlap or do not
            ascend, that are empty, or that leave the slice.
    """
    check_order(order)
    height, width = shape
    steps = np.zeros(height * width + 1, dtype=np.int8)
    if text.strip() != EMPTY:
        starts, ends = _runs(text, height * width, path)
        np.add.at(steps, starts, 1)  # runs may touch: an end and a start at one place
        np.subtract.at(steps, ends, 1)
    line = np.cumsum(steps[:-1], dtype=np.int8).view(np.uint8)
    return np.ascontiguousarray(line.reshape(height, width, order=order))


def check_order(order: str) -> None:
    """Refuse an order other than "C" and "F"."""
    if order not in ("C", "F"):
        raise InputError(f"order {order!r}", remedy='give "C" (along rows) or "F" (along columns)')


def _runs(text: str, size: int, path: str | PathLike | None) -> tuple[np.ndarray, np.ndarray]:
    """First voxel of each run and the one behind its last, from 0."""
    words = text.split()
    wrong = [word for word in words if not (word.isascii() and word.isdigit()) or len(word) > _LONGEST_NUMBER]
    if wrong or not words:
        raise _malformed(f"{wrong[0][:30]!r} is no whole number" if wrong else "no runs", path)
    if len(words) % 2:
        raise _malformed(f"{len(words)} numbers, an odd count", path)
    starts, lengths = np.array(words, dtype=np.int64).reshape(-1, 2).T
    starts = starts - 1
    ends = starts + lengths
    if starts.min() < 0 or lengths.min() < 1:
        raise _malformed("a run begins before 1 or is empty", path)
    if ends.max() > size:
        raise _malformed(f"a run ends at {ends.max()}, the slice at {size}", path)
    if (starts[1:] < ends[:-1]).any():
        raise _malformed("runs overlap or do not ascend", path)
    return starts, ends


def _malformed(fault: str, path: str | PathLike | None) -> InputError:
    return InputError(
        f"malformed run-length text: {fault}", path=path, remedy="check the size of the slice and the file"
    )
