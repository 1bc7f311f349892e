# SPDX-License-Identifier: Apache-2.0
"""One function that opens a volume of any form; its voxels stay on disk."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from ...utils import InputError
from ..readers import DEFAULT_AXES
from ..slices import SLICE_SUFFIXES
from .base import Volume, checked_spacing
from .image_stack import ImageStack
from .mhd import MHD_SUFFIXES, open_mhd
from .nifti import NIFTI_SUFFIXES, open_nifti
from .npy import open_npy
from .stack_files import stack_files
from .tiff_file import open_tiff
from .tiff_pages import TIFF_SUFFIXES
from .tiff_stack import TiffStack
from .views import SliceRange
from .zarr_volume import is_zarr, open_zarr

_LEVEL = "::"
_FILE_FORMS = {
    TIFF_SUFFIXES: "tiff",
    tuple(suffix for suffix in SLICE_SUFFIXES if suffix not in TIFF_SUFFIXES): "images",
    NIFTI_SUFFIXES: "nifti",
    (".npy",): "npy",
    MHD_SUFFIXES: "mhd",
}
_STACKS = ("tiff_stack", "images")
_KNOWN = "a folder of TIFF, PNG, JPEG or BMP slices, a TIFF, NIfTI, OME-Zarr, .npy, .mhd or .mha"


def open_volume(
    path: str | PathLike,
    *,
    spacing_um: Sequence[float] | float | None = None,
    slices: Sequence[int] | None = None,
    axes: str | None = None,
) -> Volume:
    """Open a volume of any form. Headers are read and checked now, voxels where ``read`` asks for them.

    Args:
        path: a folder of slices (TIFF, PNG, JPEG or BMP, one file a slice), a TIFF file (pages, OME, ImageJ,
            BigTIFF), .nii, .nii.gz, OME-Zarr 0.4 or 0.5 or a zarr array, .npy, .mhd, .mha or one image.
            ``<path>::<level>`` takes a level of an OME-Zarr, else the finest.
        spacing_um: voxel size in micrometres, one number or (slices, rows, columns); None takes what the file
            states, and where it states none the volume has none.
        slices: (first, last) slice to take, inclusive: numbers in the file names of a folder, else from 0.
        axes: order of a .npy's or NIfTI's axes, see ``DEFAULT_AXES``.

    Returns:
        the volume. ``meta``: "path", "form" ("tiff_stack", "tiff", "nifti", "npy", "ome_zarr", "mhd",
        "images"), "slice_names" (file stems of a folder, else "0", "1", ...), "slice_files" of a folder,
        "slices" where given, "spacing_source", "affine" of a NIfTI.

    Raises:
        InputError: missing, unreadable, damaged, of no known form, colour, several channels or time points,
            slices missing or unlike each other. Each names the file or folder.
    """
    form = find_form(path)
    spacing = checked_spacing(spacing_um)
    if axes is not None and sorted(axes) != ["X", "Y", "Z"]:
        raise InputError(
            f"axes {axes!r} is not a permutation of XYZ", remedy='X columns, Y rows, Z slices, e.g. "ZYX"'
        )
    volume = _open(path, form, spacing_um=spacing, slices=slices, axes=axes)
    if slices is not None and "slices" not in volume.meta:
        volume = SliceRange(volume, slices=slices)
    if spacing is not None:
        volume.meta["spacing_source"] = "argument"
    return volume


def _open(
    path: str | PathLike,
    form: str,
    *,
    spacing_um: Sequence[float] | None,
    slices: Sequence[int] | None,
    axes: str | None,
) -> Volume:
    if form in _STACKS:
        reader = TiffStack if form == "tiff_stack" else ImageStack
        files = stack_files(path, slices=slices) if Path(path).is_dir() else [Path(path)]
        numbers = slices if Path(path).is_dir() else None
        return reader(path, files=files, spacing_um=spacing_um, slices=numbers)
    if form == "ome_zarr":
        folder, level = _split_level(path)
        return open_zarr(folder, level=level, spacing_um=spacing_um)
    if form in DEFAULT_AXES:
        opener = open_npy if form == "npy" else open_nifti
        return opener(path, axes=axes or DEFAULT_AXES[form], spacing_um=spacing_um)
    return (open_tiff if form == "tiff" else open_mhd)(path, spacing_um=spacing_um)


def find_form(path: str | PathLike) -> str:
    """Name the form of a volume, by names and not by contents; see ``open_volume``'s "form".

    Raises:
        InputError: nothing there, an empty or unreadable folder, or a form that is not known.
    """
    folder, level = _split_level(path)
    if not folder.exists():
        raise InputError("no such file or folder", path=path, remedy="check the path of the volume")
    form = _folder_form(folder) if folder.is_dir() else _file_form(folder)
    if form is None or (level is not None and form != "ome_zarr"):
        raise InputError("not a form of volume that can be read", path=path, remedy=f"give {_KNOWN}")
    return form


def is_openable(path: str | PathLike) -> bool:
    """Whether ``open_volume`` knows a form by this name; says nothing of whether it is whole."""
    try:
        find_form(path)
    except InputError:
        return False
    return True


def _split_level(path: str | PathLike) -> tuple[Path, str | None]:
    folder, mark, level = str(path).rpartition(_LEVEL)
    if not mark or Path(path).exists():
        return Path(path), None
    return Path(folder), level


def _file_form(path: Path) -> str | None:
    name = path.name.lower()
    return next((form for suffixes, form in _FILE_FORMS.items() if name.endswith(suffixes)), None)


def _folder_form(path: Path) -> str | None:
    try:
        if is_zarr(path):
            return "ome_zarr"
        names = [file.name for file in path.iterdir() if not file.name.startswith(".")]
    except OSError as error:
        raise InputError(
            f"cannot list this folder: {error.strerror or error}", path=path, remedy="check that you may read"
        ) from error
    if not names:
        raise InputError("empty folder", path=path, remedy=f"give {_KNOWN}")
    suffixes = {Path(name).suffix.lower() for name in names}
    if suffixes & set(TIFF_SUFFIXES):
        return "tiff_stack"
    return "images" if suffixes & set(SLICE_SUFFIXES) else None
