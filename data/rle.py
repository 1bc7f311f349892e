# SPDX-License-Identifier: Apache-2.0
"""Run-length encoded masks and the contest's CSV of them, ``id,rle``, one slice a row.

A mask is written as pairs "start length" of runs of ones, starts counted from 1, along rows (order "C", this
contest's) or along columns (order "F", other contests'). A slice without a vessel is "1 0".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from ..utils import InputError, atomic_path
from .run_lengths import check_order, decode_rle, encode_rle
from .volumes import Box, Volume
from .volumes.writing import storage_errors, stored_bytes, stored_slabs

__all__ = [
    "RleVolume",
    "decode_rle",
    "encode_rle",
    "read_submission",
    "submission_volume",
    "write_submission",
]

HEADER = "id,rle"
_BYTES_PER_VOXEL = 6  # of the worst mask, every second voxel set: "1234567 1 "


class RleVolume(Volume):
    """A mask that is decoded slice by slice from run-length encoded text.

    Args:
        rles: text of each slice, in the order of slices.
        shape: (H, W) of a slice.
        order: "C" along rows, "F" along columns.
        slice_names: Z names, put into the meta.
        path: file named in errors.
    """

    random_access = False

    def __init__(
        self,
        rles: Sequence[str],
        *,
        shape: Sequence[int],
        order: str = "C",
        slice_names: Sequence[str] | None = None,
        path: str | PathLike | None = None,
    ) -> None:
        meta = {"form": "rle", **({} if path is None else {"path": str(path)})}
        meta |= {} if slice_names is None else {"slice_names": list(slice_names)}
        super().__init__(shape=(len(rles), *shape), dtype=np.uint8, meta=meta)
        self.rles, self.order = list(rles), order

    def _read(self, box: Box) -> np.ndarray:
        options = {"order": self.order, "path": self.path or None}
        planes = [decode_rle(text, self.shape[1:], **options)[box[1:]] for text in self.rles[box[0]]]
        return np.stack(planes)


def write_submission(path: str | PathLike, masks: Mapping[str, Volume], *, order: str = "C") -> Path:
    """Write the contest's submission, a row a slice, slab by slab.

    Args:
        path: CSV file to write.
        masks: name of the kidney's folder -> 0/1 mask. Ids are ``<kidney>_<slice name>``; slices without
            names ("slice_names" of the meta) are called 0000, 0001, ...
        order: "C" along rows, "F" along columns.

    Returns:
        ``path``.

    Raises:
        InputError: an id that repeats or that a CSV cannot hold, values other than 0 and 1, or a full disk.
    """
    check_order(order)
    needed = _BYTES_PER_VOXEL * sum(stored_bytes(mask) for mask in masks.values())
    seen: set[str] = set()
    with (
        storage_errors(path, needed),
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        file.write(f"{HEADER}\n")
        for name, text in _rows(masks, order):
            if name in seen or any(mark in name for mark in ',"\r\n'):
                fault = "occurs twice" if name in seen else "cannot stand in the CSV"
                raise InputError(f"id {name!r} {fault}", path=path, remedy="rename kidneys or slices")
            seen.add(name)
            file.write(f"{name},{text}\n")
    return Path(path)


def read_submission(path: str | PathLike) -> dict[str, str]:
    """Read a CSV ``id,rle``.

    Returns:
        id -> text for :func:`decode_rle`, in the file's order.

    Raises:
        InputError: missing or unreadable, another header, a row without an id or text, or an id twice.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise InputError(f"cannot be read: {reason}", path=path, remedy="give a CSV id,rle") from error
    if not lines or _unquoted(lines[0]) != HEADER:
        first = lines[0][:40] if lines else "nothing"
        raise InputError(f"begins with {first!r}", path=path, remedy=f"the first line has to be {HEADER}")
    rles: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        name, _, text = _unquoted(line).partition(",")
        if not name or not text:
            raise InputError(f"line {number} is no id,rle", path=path, remedy='an empty slice is "1 0"')
        if name in rles:
            raise InputError(f"line {number}: {name} occurs twice", path=path, remedy="keep one of them")
        rles[name] = text
    return rles


def submission_volume(
    path: str | PathLike, kidney: str, *, slice_names: Sequence[str], shape: Sequence[int], order: str = "C"
) -> RleVolume:
    """Open one kidney of a submission as a mask, to score or to look at.

    Args:
        path: CSV ``id,rle``.
        kidney: name of its folder.
        slice_names: names of its slices, in their order.
        shape: (H, W) of a slice.
        order: "C" along rows, "F" along columns.

    Raises:
        InputError: as :func:`read_submission`, or a slice that has no row.
    """
    rles = read_submission(path)
    missing = [name for name in slice_names if f"{kidney}_{name}" not in rles]
    if missing:
        raise InputError(f"no row {kidney}_{missing[0]}", path=path, remedy="write the submission again")
    texts = [rles[f"{kidney}_{name}"] for name in slice_names]
    return RleVolume(texts, shape=shape, order=order, slice_names=slice_names, path=path)


def _rows(masks: Mapping[str, Volume], order: str) -> Iterator[tuple[str, str]]:
    for kidney, mask in masks.items():
        names = mask.meta.get("slice_names") or [f"{index:04d}" for index in range(mask.shape[0])]
        for box, block in stored_slabs(mask):
            for name, plane in zip(names[box[0]], block, strict=True):
                yield f"{kidney}_{name}", encode_rle(plane, order=order)


def _unquoted(line: str) -> str:
    return line.replace('"', "")
