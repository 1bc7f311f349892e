# SPDX-License-Identifier: Apache-2.0
"""Masks and probabilities as TIFF: a folder of slices with the input's names, or one BigTIFF file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ...utils import InputError, atomic_path
from ...visualize.folders import atomic_folder
from .base import Volume
from .writing import known_of, storage_errors, stored_bytes, stored_dtype, stored_slabs

_TIFF = (".tif", ".tiff")
_UM_PER_CM = 1e4


def write_tiff_stack(
    mask: Volume,
    folder: str | PathLike,
    *,
    names: Sequence[str] | None = None,
    value: int = 255,
    like: Volume | None = None,
) -> Path:
    """Write one deflate-compressed TIFF a slice, slab by slab; the folder appears when all of it is there.

    Args:
        mask: 0/1 mask, stored as uint8; or probabilities 0-1, stored as uint16 0-65535.
        folder: folder to write; an older one is replaced.
        names: Z file names; None takes the input's ("slice_files" of the meta), with the ending .tif where
            they were no TIFF, and 0000.tif, 0001.tif, ... where there were none.
        value: what 1 of a mask becomes, 1-255.
        like: the volume whose file names and voxel size are taken; None: the mask's own.

    Returns:
        ``folder``.

    Raises:
        InputError: names that are too few, repeat or leave the folder; values outside 0-1; a full disk.
    """
    meta, spacing = known_of(mask, like)
    files = _file_names(meta.get("slice_files") if names is None else names, mask.shape[0])
    options = {"photometric": "minisblack", "compression": "zlib", "metadata": None, **_resolution(spacing)}
    with storage_errors(folder, stored_bytes(mask)), atomic_folder(folder) as fresh:
        for box, block in stored_slabs(mask, value=value):
            for file, plane in zip(files[box[0]], block, strict=True):
                tifffile.imwrite(fresh / file, plane, **options)
    return Path(folder)


def write_tiff_file(
    mask: Volume, path: str | PathLike, *, value: int = 255, like: Volume | None = None
) -> Path:
    """Write one multi-page OME-TIFF (BigTIFF, deflate), a page a slice, slab by slab.

    The voxel size stands in the OME metadata and, for rows and columns, in the resolution tags.

    Args:
        mask: 0/1 mask, stored as uint8; or probabilities 0-1, stored as uint16 0-65535.
        path: .tif file to write.
        value: what 1 of a mask becomes, 1-255.
        like: the volume whose voxel size is taken; None: the mask's own.

    Returns:
        ``path``.

    Raises:
        InputError: values outside 0-1, or a full disk.
    """
    _, spacing = known_of(mask, like)
    metadata: dict[str, Any] = {"axes": "ZYX"}
    for axis, size in zip("ZYX", spacing or (), strict=False):
        metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    with (
        storage_errors(path, stored_bytes(mask)),
        atomic_path(path) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=True, ome=True) as writer,
    ):
        writer.write(
            _planes(mask, value),
            shape=mask.shape,
            dtype=stored_dtype(mask),
            photometric="minisblack",
            compression="zlib",
            metadata=metadata,
            **_resolution(spacing),
        )
    return Path(path)


def _planes(mask: Volume, value: int) -> Iterator[np.ndarray]:
    for _, block in stored_slabs(mask, value=value):
        yield from block


def _resolution(spacing: Sequence[float] | None) -> Mapping[str, Any]:
    """TIFF's own words for the voxel size: pixels a centimetre, columns first."""
    if spacing is None:
        return {}
    return {"resolution": (_UM_PER_CM / spacing[2], _UM_PER_CM / spacing[1]), "resolutionunit": "CENTIMETER"}


def _file_names(names: Sequence[str] | None, count: int) -> list[str]:
    if names is None:
        width = max(4, len(str(count - 1)))
        return [f"{index:0{width}d}.tif" for index in range(count)]
    files = [name if Path(name).suffix.lower() in _TIFF else f"{Path(name).stem}.tif" for name in names]
    if len(files) != count:
        raise InputError(f"{len(files)} file names for {count} slices", remedy="give one name a slice")
    outside = [file for file in files if Path(file).name != file]
    if outside:
        raise InputError(f"{outside[0]!r} is no file name", remedy="give names without folders")
    name, times = Counter(files).most_common(1)[0]
    if times > 1:
        raise InputError(f"{times} slices would be called {name}", remedy="give slices names of their own")
    return files
