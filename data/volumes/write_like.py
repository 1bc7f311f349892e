# SPDX-License-Identifier: Apache-2.0
"""A result in the form that its input came in, or in a form that the user names."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

from ...utils import InputError
from .base import Volume
from .write_nifti import write_nifti
from .write_plain import write_mha, write_npy
from .write_tiff import write_tiff_file, write_tiff_stack
from .write_zarr import write_ome_zarr


def write_like(
    mask: Volume, source_volume: Volume, output_dir: str | PathLike, name: str, *, form: str | None = None
) -> Path:
    """Write a mask or probabilities in the form of the volume they belong to, with its names and geometry.

    A folder of slices gives a folder ``name`` of TIFF slices with the same names (.tif where they were PNG or
    JPG), one TIFF ``name.tif``, NIfTI ``name.nii`` or ``name.nii.gz``, OME-Zarr ``name.ome.zarr`` in the
    source's version (a label, or an image of probabilities), .npy ``name.npy``, .mhd and .mha ``name.mha``.

    Args:
        mask: 0/1 mask (0/255 in TIFF), or probabilities 0-1, on the grid of ``source_volume``.
        source_volume: the opened input.
        output_dir: folder to write into.
        name: of the file or folder, without ending.
        form: of ``WRITERS``, to have another form than the input's.

    Returns:
        the file or folder written.

    Raises:
        InputError: an unknown form, a mask on another grid, a result that would replace its
            input, and what the form's own writer raises.
    """
    form = form or str(source_volume.meta.get("form", "npy"))
    if form not in WRITERS:
        raise InputError(f"unknown form of results {form!r}", remedy=f"known are {', '.join(WRITERS)}")
    return WRITERS[form](mask, source_volume, Path(output_dir), name)


def _stack(mask: Volume, source: Volume, folder: Path, name: str) -> Path:
    return write_tiff_stack(mask, _target(folder / name, source), like=source)


def _tiff(mask: Volume, source: Volume, folder: Path, name: str) -> Path:
    return write_tiff_file(mask, _target(folder / f"{name}.tif", source), like=source)


def _nifti(mask: Volume, source: Volume, folder: Path, name: str) -> Path:
    plain = source.meta.get("form") == "nifti" and not source.path.lower().endswith(".gz")
    target = _target(folder / f"{name}.nii{'' if plain else '.gz'}", source)
    return write_nifti(mask, target, like=source)


def _npy(mask: Volume, source: Volume, folder: Path, name: str) -> Path:
    return write_npy(mask, _target(folder / f"{name}.npy", source), like=source)


def _mha(mask: Volume, source: Volume, folder: Path, name: str) -> Path:
    return write_mha(mask, _target(folder / f"{name}.mha", source), like=source)


def _ome_zarr(mask: Volume, source: Volume, folder: Path, name: str) -> Path:
    kind = "image" if mask.dtype.kind == "f" else "labels"
    target = _target(folder / f"{name}.ome.zarr", source)
    return write_ome_zarr(mask, target, kind=kind, version=_ome_version(source), like=source)


def _target(path: Path, source: Volume) -> Path:
    """Refuse a path that is the input, or a folder that holds it: writing would replace it."""
    if source.path:
        taken = _source_path(source).resolve()
        if path.resolve() in (taken, *taken.parents):
            raise InputError(
                "the result would replace its input", path=path, remedy="write to another folder"
            )
    return path


def _source_path(source: Volume) -> Path:
    return Path(source.path.partition("::")[0])


def _ome_version(source: Volume) -> str:
    """0.4 lies in Zarr 2, whose groups have a .zgroup or .zattrs; everything else gets the newer one."""
    folder = _source_path(source)
    old = source.path and any((folder / file).is_file() for file in (".zgroup", ".zattrs", ".zarray"))
    return "0.4" if old else "0.5"


WRITERS: dict[str, Callable[[Volume, Volume, Path, str], Path]] = {
    "tiff_stack": _stack,
    "images": _stack,
    "tiff": _tiff,
    "nifti": _nifti,
    "ome_zarr": _ome_zarr,
    "zarr": _ome_zarr,
    "npy": _npy,
    "mhd": _mha,
}
