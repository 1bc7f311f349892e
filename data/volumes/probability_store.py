# SPDX-License-Identifier: Apache-2.0
"""Probabilities of a volume on disk: one file a pass, so that writing a slab twice does no harm."""

from __future__ import annotations

import errno
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...utils import InputError
from .base import Box, Volume
from .raw import RawVolume

PASSES = {"z": 0, "y": 1, "x": 2}
ONE = 65535  # stored where the probability is 1
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class ProbabilityVolume(Volume):
    """The mean of the probabilities of one or several passes, computed where it is read.

    Args:
        passes: "z", "y" or "x" -> uint16, 0 to ``ONE``, stored with the axis of the pass first: (Z, Y, X),
            (Y, Z, X), (X, Z, Y).
        spacing_um: see ``Volume``, in the order z, y, x.
        meta: see ``Volume``.
    """

    def __init__(
        self,
        passes: Mapping[str, Volume],
        *,
        spacing_um: Sequence[float] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        name, first = next(iter(passes.items()))
        shape = _turned_back(first.shape, PASSES[name])
        super().__init__(shape=shape, dtype=np.float32, spacing_um=spacing_um, meta=meta)
        self.passes = dict(passes)

    def _read(self, box: Box) -> np.ndarray:
        total = None
        for name, stored in self.passes.items():
            axis = PASSES[name]
            values = np.moveaxis(stored.read(_turned(box, axis)), 0, axis)
            # uint32 holds three passes exactly, so their order does not matter
            total = values.astype(np.uint32) if total is None else np.add(total, values, out=total)
        return np.divide(total, ONE * len(self.passes), dtype=np.float32)


class ProbabilityStore:
    """The work files of one volume's inference.

    Each pass has a .npy of uint16 (steps of 1/65535), laid out with the axis of the pass first: a slab of any
    pass is one piece of its file.

    Args:
        folder: where the files are; made when they are.

    Attributes:
        ledger_path: for a list of what is finished; removed with the files.
    """

    def __init__(self, folder: str | PathLike) -> None:
        self.folder = Path(folder)
        self.ledger_path = self.folder / "finished.jsonl"
        self._files: dict[str, RawVolume] = {}
        self._shape: tuple[int, ...] = ()

    def reopen(self, *, shape: Sequence[int], passes: Sequence[str]) -> bool:
        """Go on with the files of an earlier run.

        Args:
            shape: (Z, Y, X).
            passes: some of "z", "y", "x".

        Returns:
            whether they are all there, whole and of this shape; if not, nothing is changed.
        """
        files = {}
        for name in passes:
            try:
                files[name] = RawVolume(self._path(name), writable=True)
            except InputError:
                return False
            if files[name].shape != _turned(shape, PASSES[name]) or files[name].dtype != np.uint16:
                return False
        self._files, self._shape = files, tuple(shape)
        return True

    def create(self, *, shape: Sequence[int], passes: Sequence[str]) -> None:
        """Make the files and reserve their space; those of an earlier run are removed.

        Args:
            shape: (Z, Y, X).
            passes: some of "z", "y", "x".

        Raises:
            InputError: not enough space on the disk; nothing is left behind.
        """
        self.remove()
        self.folder.mkdir(parents=True, exist_ok=True)
        needed = disk_bytes(shape, passes)
        if shutil.disk_usage(self.folder).free < needed:
            self._refuse(needed)
        try:
            for name in passes:
                turned = _turned(shape, PASSES[name])
                self._files[name] = RawVolume.create(self._path(name), shape=turned, dtype=np.uint16)
        except OSError as error:
            self.remove()
            if error.errno in _FULL:
                self._refuse(needed, error)
            raise
        self._shape = tuple(shape)

    def write(self, name: str, start: int, probabilities: np.ndarray) -> None:
        """Store some slices of a pass, on disk when this returns.

        Args:
            name: of the pass.
            start: first slice.
            probabilities: (n, rows, columns) of the pass's planes, 0-1.

        Raises:
            InputError: values that are no probabilities, or the disk is full.
        """
        low, high = float(probabilities.min()), float(probabilities.max())
        if not (low >= -1e-3 and high <= 1 + 1e-3):  # so that NaN is refused too
            slices = f"slices {start} to {start + len(probabilities) - 1} along {name}"
            raise InputError(
                f"the network gives values from {low:g} to {high:g} for {slices}, not probabilities",
                path=self.folder,
                remedy="look for NaN in the volume and the weights, and apply a sigmoid to logits",
            )
        file = self._files[name]
        stop = start + len(probabilities)
        values = np.clip(probabilities, 0, 1, dtype=np.float32)
        values *= ONE
        values = np.rint(values, out=values).astype(np.uint16)
        try:
            file.write((slice(start, stop), slice(0, file.shape[1]), slice(0, file.shape[2])), values)
            file.sync()
        except OSError as error:
            if error.errno in _FULL:
                self._refuse(disk_bytes(self._shape, tuple(self._files)), error)
            raise

    def volume(
        self,
        *,
        spacing_um: Sequence[float] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> ProbabilityVolume:
        """Probabilities as float32, the mean of the passes; slices not yet written are 0."""
        return ProbabilityVolume(self._files, spacing_um=spacing_um, meta=meta)

    def remove(self) -> None:
        """Delete the work files, and the folder if nothing else is in it."""
        self._files = {}
        for path in [*map(self._path, PASSES), self.ledger_path]:
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, name: str) -> Path:
        return self.folder / f"probability_{name}.npy"

    def _refuse(self, needed: int, cause: OSError | None = None) -> None:
        free = shutil.disk_usage(self.folder if self.folder.is_dir() else self.folder.parent).free
        raise InputError(
            f"the disk is full: probabilities need {needed / 1e9:.3g} GB, {free / 1e9:.3g} GB are free",
            path=self.folder,
            remedy="make space and start again (finished slabs are kept), or choose another disk",
        ) from cause


class ProbabilityFolder:
    """Give each volume a ``ProbabilityStore`` of its own within one folder.

    Args:
        root: the folder of all.
    """

    def __init__(self, root: str | PathLike) -> None:
        self.root = Path(root)

    def __call__(self, volume: Volume) -> ProbabilityStore:
        """Give the store of ``volume``, named after its path; the same path gives the same store."""
        path = volume.path or "volume"
        readable = re.sub(r"[^\w.-]+", "_", "_".join(Path(path).parts[-2:])).strip("._") or "volume"
        return ProbabilityStore(self.root / f"{readable[:80]}-{sha256(path.encode()).hexdigest()[:8]}")


def disk_bytes(shape: Sequence[int], passes: Sequence[str]) -> int:
    """Bytes that the store of a volume takes."""
    return 2 * math.prod(shape) * len(passes)


def _turned(values: Sequence[Any], axis: int) -> tuple[Any, ...]:
    """Values of z, y, x with that of ``axis`` first."""
    return (values[axis], *values[:axis], *values[axis + 1 :])


def _turned_back(values: Sequence[Any], axis: int) -> tuple[Any, ...]:
    rest = list(values[1:])
    rest.insert(axis, values[0])
    return tuple(rest)
