# SPDX-License-Identifier: Apache-2.0
"""Volumes in zarr: OME-Zarr 0.4 (zarr v2) and 0.5 (zarr v3), and plain arrays of either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ...utils import InputError
from .base import Box, Volume
from .flat import checked_dtype, read_dtype
from .ome_axes import OmeImage, read_multiscales

_MARKS = ("zarr.json", ".zgroup", ".zarray")
_LARGEST_CHUNK = 256  # voxels along an axis: beyond, a slab across it decodes many times what it holds
_REMEDY = "check that the folder is a whole zarr (v2 or v3), or write it again"


class ZarrVolume(Volume):
    """Boxes of a zarr array; only the chunks that a box touches are decoded.

    Args:
        array: the array.
        axes: a letter an axis; those besides "z", "y" and "x" have a length of one.
        path: for messages.
        spacing_um: see ``Volume``.
        meta: see ``Volume``.

    Raises:
        InputError: several channels or time points, another number of axes, values that are no plain numbers.
    """

    def __init__(
        self,
        array: zarr.Array,
        *,
        axes: str,
        path: str | PathLike,
        spacing_um: Sequence[float] | float | None,
        meta: Mapping[str, Any],
    ) -> None:
        _check_axes(array.shape, axes, path)
        self.axes = axes
        self.array = array
        self.places = [axes.find(letter) for letter in "zyx"]  # -1 for a missing z: one slice
        shape = [array.shape[place] if place >= 0 else 1 for place in self.places]
        super().__init__(
            shape=shape,
            dtype=read_dtype(checked_dtype(array.dtype, path=path)),
            spacing_um=spacing_um,
            meta={**meta, "slice_names": [str(index) for index in range(shape[0])]},
        )
        chunks = [array.chunks[place] if place >= 0 else 1 for place in self.places]
        self.random_access = all(map(_is_small, chunks, self.shape))

    def _read(self, box: Box) -> np.ndarray:
        selection: list[slice | int] = [0] * len(self.axes)
        for place, part in zip(self.places, box, strict=True):
            if place >= 0:
                selection[place] = part
        with zarr_errors(self.path):
            values = np.asarray(self.array[tuple(selection)])
        present = sorted(place for place in self.places if place >= 0)
        values = values.transpose([present.index(place) for place in self.places if place >= 0])
        return values.reshape([part.stop - part.start for part in box]).astype(self.dtype, copy=False)


def is_zarr(path: str | PathLike) -> bool:
    """Whether a folder is a zarr group or array, by the files it holds."""
    return any((Path(path) / mark).is_file() for mark in _MARKS)


def open_zarr(
    path: str | PathLike, *, level: str | int | None = None, spacing_um: Sequence[float] | float | None = None
) -> ZarrVolume:
    """Open an OME-Zarr image or label, or a plain array.

    Args:
        path: folder of the group or array.
        level: path of a resolution level within the group, e.g. 0; None takes the first, the finest.
        spacing_um: see ``Volume``; None takes the level's scale, where its axes have a unit of length.

    Raises:
        InputError: damaged, no image in the group, a level that it does not have, or see ``ZarrVolume``.
    """
    with zarr_errors(path):
        node = zarr.open(store=str(path), mode="r")
    if isinstance(node, zarr.Array):
        if level is not None:
            raise InputError("a plain array has no levels", path=path, remedy=f"leave out ::{level}")
        axes = "zyx"[-node.ndim :] if node.ndim in (2, 3) else "tczyx"[-node.ndim :]
        image = OmeImage(axes=axes, level="", spacing_um=None)
    else:
        image = read_multiscales(
            node.attrs.asdict(), path=path, level=level, groups=lambda: sorted(node.keys())
        )
        with zarr_errors(path):
            node = node[image.level]
    meta = {"path": str(path), "form": "ome_zarr", "level": image.level}
    if spacing_um is None and image.spacing_um is not None:
        spacing_um, meta["spacing_source"] = image.spacing_um, "OME-Zarr"
    return ZarrVolume(node, axes=image.axes, path=path, spacing_um=spacing_um, meta=meta)


@contextmanager
def zarr_errors(path: str | PathLike) -> Iterator[None]:
    """Turn whatever a damaged zarr raises into an ``InputError`` that names it."""
    try:
        yield
    except Exception as error:  # the codecs have no common error
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"cannot be read as zarr: {reason}", path=path, remedy=_REMEDY) from error


def _is_small(chunk: int, size: int) -> bool:
    return min(chunk, size) <= _LARGEST_CHUNK


def _check_axes(shape: Sequence[int], axes: str, path: str | PathLike) -> None:
    if len(axes) != len(shape) or "y" not in axes or "x" not in axes:
        raise InputError(
            f"zarr array of shape {tuple(shape)} with axes {axes!r}", path=path, remedy="store axes z, y, x"
        )
    for letter, size in zip(axes, shape, strict=True):
        if letter not in "zyx" and size != 1:
            name = {"c": "channels", "t": "time points"}.get(letter, f"places along axis {letter}")
            raise InputError(
                f"zarr with {size} {name} where one gray volume is expected",
                path=path,
                remedy="store one channel and one time point",
            )
