# SPDX-License-Identifier: Apache-2.0
"""Volumes on disk: one function that reads any form we know into rows, columns, slices.

Every form ends in the same array (H, W, D): rows, columns, slices, stored slice by slice (a view of a
(D, H, W) array), because training and inference take whole slices and a slice should be one piece of memory.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterable
from os import PathLike
from pathlib import Path

import nibabel as nib
import numpy as np

from ..utils import InputError
from .dicom.choose import resolve_series
from .dicom.headers import DICOM_SUFFIXES, has_dicom_magic
from .dicom.preference import SeriesPreference
from .dicom.read import read_series
from .dicom.search import holds_dicom
from .slices import SLICE_SUFFIXES, list_slices, read_slices

# Axis order of the array as stored, in the letters of OME and tifffile: X columns, Y rows, Z slices.
DEFAULT_AXES = {"nifti": "XYZ", "npy": "ZYX"}
METAIMAGE_SUFFIXES = (".mhd", ".mha")
_HWD = "YXZ"


def volume_form(path: str | PathLike) -> str:
    """Name the form of a volume by what is on disk.

    Returns:
        ``"folder"`` (of slice images), ``"image"``, ``"npy"``, ``"nifti"``, ``"metaimage"`` or ``"dicom"``
        (one file, or a folder that holds DICOM files and no slice images).

    Raises:
        InputError: nothing there, a form that no reader knows, or slice images and DICOM files side by side.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("no such file or folder", path=path, remedy="check dataset_dir and the datalist")
    name = path.name.lower()
    if path.is_dir():
        return _folder_form(path)
    if name.endswith(SLICE_SUFFIXES):
        return "image"
    if name.endswith(".npy"):
        return "npy"
    if name.endswith((".nii", ".nii.gz")):
        return "nifti"
    if name.endswith(METAIMAGE_SUFFIXES):
        return "metaimage"
    if name.endswith(DICOM_SUFFIXES) or has_dicom_magic(path):
        return "dicom"
    raise InputError(
        "not a form of volume that can be read",
        path=path,
        remedy="give a folder of slice images or DICOM files, a slice, .npy, .nii, .nii.gz, .mhd or .mha",
    )


def _folder_form(path: Path) -> str:
    """Tell DICOM from slice images; an unreadable or empty folder is left to the reader of slices."""
    try:
        files = [file for file in path.iterdir() if file.is_file()]
    except OSError:
        return "folder"
    images = [file for file in files if file.suffix.lower() in SLICE_SUFFIXES]
    if not images:
        return "dicom" if holds_dicom(path) else "folder"
    if any(has_dicom_magic(file) for file in files if file not in images):
        raise InputError(
            "slice images and DICOM files in one folder",
            path=path,
            remedy="keep the one that is meant, or give them folders of their own",
        )
    return "folder"


def read_volume(
    path: str | PathLike,
    *,
    axes: str | None = None,
    series_uid: str | None = None,
    preference: SeriesPreference | None = None,
    accept: Collection[str] = (),
    files: Iterable[str | PathLike] | None = None,
) -> tuple[np.ndarray, dict]:
    """Read a volume from disk.

    Args:
        path: folder of slice images, a single slice image, .npy, .nii, .nii.gz, .mhd, .mha, or a DICOM study.
        axes: order of a .npy's or NIfTI's stored axes, a permutation of "XYZ" (X columns, Y rows, Z slices);
            None means "XYZ" for NIfTI and "ZYX" for .npy. A 2D array is one slice and uses the letters
            without Z.
        series_uid: DICOM only: the series to read; None chooses one, see ``resolve_series``.
        preference: DICOM only: what to choose; None for ``SeriesPreference``'s defaults (head CT).
        accept: DICOM only: codes of faults whose risk the user takes.
        files: DICOM only: the study's files, where ``path`` holds others too; None takes all below it.

    Returns:
        array: (H, W, D) rows, columns, slices, in the stored data type; NIfTI with a scale factor is float32,
            DICOM is int16 Hounsfield units.
        meta: "affine" (4, 4) float64 of the (H, W, D) array in RAS mm (unit spacing where unknown),
            "spacing_known", "form", "axes", "slice_names" (D strings: SOPInstanceUIDs of DICOM, the files'
            stems of a folder of images, else "0", "1", ...), "slice_files" of a folder of images; more for
            DICOM, see ``read_series``.

    Raises:
        InputError: missing, damaged, of another form, of the wrong number of dimensions, complex values, or
            a DICOM study that is refused.
    """
    form = "dicom" if files else volume_form(path)
    if form == "dicom":
        choice = {"preference": preference, "series_uid": series_uid, "accept": accept, "files": files}
        return read_series(resolve_series(path, **choice))
    if form == "metaimage":
        return _read_metaimage(path)
    extra = {}
    if form in ("folder", "image"):
        images = list_slices(path) if form == "folder" else [Path(path)]
        slices = read_slices(images)
        names, extra = [image.stem for image in images], {"slice_files": [image.name for image in images]}
        affine, known, axes = np.eye(4), False, "ZYX"
    else:
        axes = _checked_axes(axes or DEFAULT_AXES[form])
        stored, stored_affine = (_read_npy if form == "npy" else _read_nifti)(Path(path))
        slices, affine = _to_slices(stored, stored_affine, axes, Path(path))
        names = [str(index) for index in range(len(slices))]
        known = stored_affine is not None
    meta = {"affine": affine, "spacing_known": known, "form": form, "axes": axes, "slice_names": names}
    return np.moveaxis(slices, 0, -1), meta | extra


def _read_metaimage(path: str | PathLike) -> tuple[np.ndarray, dict]:
    from .volumes.metaimage import read_metaimage  # its package imports this module

    slices, affine = read_metaimage(path)
    meta = {"affine": np.eye(4) if affine is None else affine, "spacing_known": affine is not None}
    meta |= {"form": "metaimage", "axes": DEFAULT_AXES["nifti"]}  # stored axes are X, Y, Z by definition
    return np.moveaxis(slices, 0, -1), meta | {"slice_names": [str(index) for index in range(len(slices))]}


def _checked_axes(axes: str) -> str:
    if sorted(axes) != ["X", "Y", "Z"]:
        raise InputError(
            f"axes {axes!r} is not a permutation of XYZ", remedy='X columns, Y rows, Z slices, e.g. "ZYX"'
        )
    return axes


def _to_slices(
    stored: np.ndarray, affine: np.ndarray | None, axes: str, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Permute a stored array to contiguous (D, H, W) and its affine to (H, W, D)."""
    if stored.ndim == 2:
        stored = np.expand_dims(stored, axes.index("Z"))
    while stored.ndim > 3 and stored.shape[-1] == 1:  # NIfTI often has trailing axes of one
        stored = stored[..., 0]
    if stored.ndim != 3 or 0 in stored.shape:
        raise InputError(
            f"array of shape {stored.shape} where a volume of three axes is expected",
            path=path,
            remedy="store one gray volume a file",
        )
    if stored.dtype.kind not in "buif":
        raise InputError(
            f"values of type {stored.dtype} where gray values are expected",
            path=path,
            remedy="store integers or floats",
        )
    slices = np.ascontiguousarray(stored.transpose([axes.index(letter) for letter in "ZYX"]))
    order = [axes.index(letter) for letter in _HWD]
    native = np.eye(4) if affine is None else np.asarray(affine, dtype=np.float64)
    permuted = native.copy()
    permuted[:, :3] = native[:, order]
    return _native_order(slices), permuted


def _native_order(array: np.ndarray) -> np.ndarray:
    """Bring foreign byte orders and bool to types that torch knows."""
    if array.dtype == bool:
        return array.astype(np.uint8)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _read_npy(path: Path) -> tuple[np.ndarray, None]:
    try:
        return np.load(path, allow_pickle=False), None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"cannot be read as .npy: {_reason(error)}",
            path=path,
            remedy="save it again with numpy.save (plain numbers; pickled objects are never loaded)",
        ) from error


def _read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        if path.name.lower().endswith(".gz"):
            _check_gzip(path)
        image = nib.load(path)
        if getattr(image.dataobj, "slope", 1) == 1 and getattr(image.dataobj, "inter", 0) == 0:
            return np.asanyarray(image.dataobj), image.affine
        return image.get_fdata(dtype=np.float32, caching="unchanged"), image.affine
    except (OSError, EOFError, zlib.error, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(
            f"cannot be read as NIfTI: {_reason(error)}",
            path=path,
            remedy="the file is damaged or of another format: export or copy it again",
        ) from error


def _check_gzip(path: Path) -> None:
    """Read the stream to its end: nibabel stops before the checksum and believes damaged files."""
    with gzip.open(path) as stream:
        while stream.read(1 << 24):
            pass


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
