# SPDX-License-Identifier: Apache-2.0
"""Masks and probabilities as NIfTI, streamed: nibabel would hold the whole array."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np

from ...utils import InputError, atomic_path
from .base import Volume
from .writing import known_of, storage_errors, stored_dtype, stored_slabs

DEFAULT_AXES = "XYZ"
_LARGEST_NIFTI1 = 32767  # its sizes are 16-bit integers
_UM_PER_MM = 1000.0
_ALIGNED = 1  # NIfTI's code for coordinates of another scan; 2-4 would claim an atlas


def write_nifti(
    mask: Volume, path: str | PathLike, *, dtype: str | None = None, like: Volume | None = None
) -> Path:
    """Write a .nii or .nii.gz slab by slab.

    A volume that came from a NIfTI goes back with its header: the same order of axes, sform, qform and their
    codes, units and voxel sizes to the bit. Any other gets its "affine" (moved to the first slice where the
    volume is some slices of a NIfTI), or one of its voxel size in mm with the first voxel at 0; where the
    voxel size is unknown, 1 of an unknown unit.

    Args:
        mask: 0/1 mask; or probabilities 0-1, which NIfTI holds as uint16 with the slope 1/65535.
        path: file to write; the ending .gz compresses.
        dtype: None for the natural one ("uint8" of a mask, "uint16" of probabilities), or "float32" for
            probabilities that shall not be rounded.
        like: the volume whose geometry is taken; None: the mask's own.

    Returns:
        ``path``.

    Raises:
        InputError: a dtype that does not suit, a source whose grid is another, values outside 0-1, or a full
            disk.
    """
    meta, spacing = known_of(mask, like)
    stored = _checked_dtype(dtype, mask)
    axes = str(meta.get("axes") or DEFAULT_AXES).upper()
    header = _header(meta, spacing, mask.shape, axes)
    header.set_data_dtype(stored)
    header.set_slope_inter(1 / 65535 if stored == np.uint16 else 1.0, 0.0)
    needed = int(np.prod(mask.shape, dtype=np.int64)) * stored.itemsize
    with storage_errors(path, needed), atomic_path(path) as temporary, _opened(temporary) as file:
        header.write_to(file)
        for block in _in_file_order(mask, axes, rounded=stored.kind == "u"):
            file.write(np.ascontiguousarray(block).data)
    return Path(path)


def _in_file_order(mask: Volume, axes: str, *, rounded: bool) -> Iterator[np.ndarray]:
    """Pieces of the file: the first stored axis runs fastest, so the last one is cut into slabs."""
    order = ["ZYX".index(letter) for letter in reversed(axes)]
    for _, block in stored_slabs(mask, rounded=rounded, axis=order[0]):
        yield block.transpose(order)


def _checked_dtype(dtype: str | None, mask: Volume) -> np.dtype:
    natural = stored_dtype(mask)
    known = (None, natural.name) + (("float32",) if mask.dtype.kind == "f" else ())
    if dtype not in known:
        remedy = f"give {' or '.join(map(str, known[1:]))}"
        raise InputError(f"dtype {dtype!r} for a volume of {mask.dtype}", remedy=remedy)
    return natural if dtype is None else np.dtype(dtype)


def _header(
    meta: Mapping[str, Any], spacing: Sequence[float] | None, shape: tuple[int, int, int], axes: str
) -> nib.Nifti1Header:
    sizes = tuple(shape["ZYX".index(letter)] for letter in axes)
    source = Path(str(meta.get("path", "")))
    if meta.get("form") == "nifti" and source.is_file() and "slices" not in meta:
        return _source_header(source, sizes)
    header = (nib.Nifti2Header if max(sizes) > _LARGEST_NIFTI1 else nib.Nifti1Header)()
    header.set_data_shape(sizes)
    affine = _affine(meta, spacing)
    affine[:, :3] = affine[:, ["XYZ".index(letter) for letter in axes]]
    header.set_sform(affine, code=_ALIGNED)
    header.set_qform(affine, code=_ALIGNED)
    header.set_xyzt_units("unknown" if spacing is None else "mm")
    return header


def _affine(meta: Mapping[str, Any], spacing: Sequence[float] | None) -> np.ndarray:
    """Affine of the (X, Y, Z) array, RAS mm; of some slices only, it begins at the first of them."""
    affine = meta.get("affine")
    if affine is None:
        steps = (1.0, 1.0, 1.0) if spacing is None else [size / _UM_PER_MM for size in reversed(spacing)]
        return np.diag([*steps, 1.0])
    affine = np.array(affine, dtype=np.float64)
    affine[:, 3] = affine @ [0, 0, meta.get("slices", (0,))[0], 1]
    return affine


def _source_header(source: Path, sizes: tuple[int, ...]) -> nib.Nifti1Header:
    image = nib.load(source)
    if [size for size in image.shape if size > 1] != [size for size in sizes if size > 1]:
        raise InputError(
            f"result of stored shape {sizes} does not fit the file's {image.shape}",
            path=source,
            remedy="bring the result back to the volume's own grid first",
        )
    header = image.header.as_byteswapped("<")  # a copy; slabs are written little-endian
    header.extensions.clear()  # they describe the scan, and may name the patient
    header["cal_min"] = header["cal_max"] = 0  # display range of the scan
    header["vox_offset"] = 0  # right behind the header
    return header


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        # no time stamp and no name: the same mask gives the same file
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=4, mtime=0) as packed:
            yield packed
