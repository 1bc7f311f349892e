# SPDX-License-Identifier: Apache-2.0
"""Masks as OME-Zarr labels, probabilities as OME-Zarr images: multiscale, streamed block by block.

Specification: https://ngff.openmicroscopy.org, versions 0.4 (Zarr 2) and 0.5 (Zarr 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ...utils import InputError
from ...visualize.folders import atomic_folder
from .base import Box, Volume
from .ome_metadata import Pyramid
from .writing import (
    SLAB_VOXELS,
    known_of,
    storage_errors,
    stored_block,
    stored_bytes,
    stored_dtype,
)

CHUNK = (64, 256, 256)
ZARR_FORMATS = {"0.4": 2, "0.5": 3}
_SMALLEST_LEVEL = 256
_METHODS = {"labels": "max", "image": "mean"}


def write_ome_zarr(
    volume: Volume,
    path: str | PathLike,
    *,
    kind: str = "labels",
    version: str = "0.5",
    levels: int | None = None,
    name: str = "vessels",
    like: Volume | None = None,
) -> Path:
    """Write a multiscale OME-Zarr; the folder appears when all of it is there.

    Each level halves the one before. Labels take the largest of 2x2x2 voxels, so that thin vessels do not
    fall between the samples of coarser levels (they look thicker there: measure on level 0); images take the
    mean. Either way a voxel's centre lies between those of the fine voxels, which the level's translation
    says.

    ``kind="labels"`` makes the group ``labels/<name>``, to be copied into the image's own OME-Zarr or opened
    as it is: the root shows the same arrays as an image, for viewers and readers that know no labels.

    Args:
        volume: 0/1 mask, stored as uint8; or, with ``kind="image"``, probabilities 0-1, stored as uint16
            0-65535.
        path: folder to write; an older one is replaced.
        kind: "labels" or "image".
        version: of OME-Zarr, "0.4" or "0.5".
        levels: number of levels; None halves until the longest axis has at most 256 voxels.
        name: of the label or image.
        like: the volume whose voxel size is taken; None: the volume's own. Where it is unknown the scale is 1
            and has no unit.

    Returns:
        ``path``.

    Raises:
        InputError: an unknown kind or version, probabilities as labels, no level, a name with folders, values
            outside 0-1, or a full disk.
    """
    _check(volume, kind, version, levels, name)
    _, spacing = known_of(volume, like)
    levels = _natural_levels(volume.shape) if levels is None else levels
    pyramid = Pyramid(name, version, levels, _METHODS[kind], spacing)
    largest = 65535 if stored_dtype(volume) == np.uint16 else 1
    with storage_errors(path, stored_bytes(volume) * 8 // 7), atomic_folder(path) as fresh:
        root = zarr.create_group(fresh, zarr_format=ZARR_FORMATS[version])
        group = _label_group(root, pyramid) if kind == "labels" else root
        _write_levels(group, volume, pyramid)
        shown = pyramid.multiscales(f"labels/{name}/" if kind == "labels" else "")
        root.attrs.update(pyramid.attributes(multiscales=shown, omero=pyramid.display(largest)))
    return Path(path)


def _check(volume: Volume, kind: str, version: str, levels: int | None, name: str) -> None:
    if kind not in _METHODS:
        raise InputError(f"unknown kind {kind!r}", remedy=f"give {' or '.join(_METHODS)}")
    if version not in ZARR_FORMATS:
        raise InputError(f"unknown OME-Zarr version {version!r}", remedy=f"give {' or '.join(ZARR_FORMATS)}")
    if kind == "labels" and volume.dtype.kind == "f":
        raise InputError(f"{volume.dtype} as labels", remedy='threshold first, or give kind="image"')
    if levels is not None and levels < 1:
        raise InputError(f"{levels} levels", remedy="give at least 1")
    if not name or Path(name).name != name:
        raise InputError(f"{name!r} is no name of a label", remedy="give a name without folders")


def _natural_levels(shape: Sequence[int]) -> int:
    levels, longest = 1, max(shape)
    while longest > _SMALLEST_LEVEL:
        levels, longest = levels + 1, (longest + 1) // 2
    return levels


def _label_group(root: zarr.Group, pyramid: Pyramid) -> zarr.Group:
    labels = root.create_group("labels", attributes=pyramid.attributes(labels=[pyramid.name]))
    content = {"multiscales": pyramid.multiscales(), "image-label": pyramid.image_label()}
    return labels.create_group(pyramid.name, attributes=pyramid.attributes(**content))


def _write_levels(group: zarr.Group, volume: Volume, pyramid: Pyramid) -> None:
    array = _create(group, 0, volume.shape, stored_dtype(volume), pyramid.version)
    for box in _blocks(array, voxels=SLAB_VOXELS):
        array[box] = stored_block(volume.read(box), path=volume.path or None)
    for level in range(1, pyramid.levels):
        fine = array
        shape = tuple((size + 1) // 2 for size in fine.shape)
        array = _create(group, level, shape, fine.dtype, pyramid.version)
        for box in _blocks(array, voxels=1):
            doubled = tuple(slice(2 * part.start, 2 * part.stop) for part in box)
            array[box] = halve(fine[doubled], method=pyramid.method)


def _create(group: zarr.Group, level: int, shape: Sequence[int], dtype: np.dtype, version: str) -> zarr.Array:
    options: dict[str, Any] = {"dimension_names": ["z", "y", "x"]}
    if version == "0.4":  # Zarr 2 names no dimensions, and OME wants chunks in nested folders
        options = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    chunks = tuple(min(chunk, size) for chunk, size in zip(CHUNK, shape, strict=True))
    return group.create_array(
        str(level), shape=tuple(shape), dtype=dtype, chunks=chunks, fill_value=0, **options
    )


def _blocks(array: zarr.Array, *, voxels: int) -> Iterator[Box]:
    """Boxes of whole chunks: single ones, or rows of them up to about ``voxels`` voxels.

    A box of level 0 reaches over all columns, since sources give whole rows at the cost of one.
    """
    deep, high, wide = array.chunks
    depth, height, width = array.shape
    if voxels > 1:
        wide = width
        high *= max(1, voxels // (deep * high * width))
    starts = product(range(0, depth, deep), range(0, height, high), range(0, width, wide))
    for start in starts:
        yield tuple(
            slice(first, min(first + step, size))
            for first, step, size in zip(start, (deep, high, wide), array.shape, strict=True)
        )


def halve(block: np.ndarray, *, method: str) -> np.ndarray:
    """Join 2x2x2 voxels to one; at odd ends the last voxels count twice.

    Args:
        block: (dz, dy, dx) integers.
        method: "max" or "mean" (rounded to the nearest).

    Returns:
        half as many voxels along each axis, rounded up, of the same type.
    """
    dtype = block.dtype
    join = np.maximum if method == "max" else np.add
    block = np.pad(block, [(0, size % 2) for size in block.shape], mode="edge")
    block = block if method == "max" else block.astype(np.uint32)
    for axis in (2, 1, 0):  # one axis after the other costs less than all in one reduction
        pairs = block.reshape(*block.shape[:axis], -1, 2, *block.shape[axis + 1 :])
        block = join(pairs.take(0, axis + 1), pairs.take(1, axis + 1))
    return block if method == "max" else np.rint(block / 8).astype(dtype)
