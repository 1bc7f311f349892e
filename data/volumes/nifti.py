# SPDX-License-Identifier: Apache-2.0
"""Volumes in NIfTI files: .nii read in place, .nii.gz decoded as it comes."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from os import PathLike
from typing import Any

import nibabel as nib
import numpy as np

from ...utils import InputError
from .base import Volume
from .npy import flat_volume
from .packed import PackedVolume
from .views import PermutedVolume

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_UNITS_UM = {"meter": 1e6, "mm": 1e3, "micron": 1.0, "unknown": 1e3}  # readers take unknown as mm
_ERRORS = (OSError, EOFError, zlib.error, ValueError, KeyError, nib.filebasedimages.ImageFileError)


def open_nifti(
    path: str | PathLike, *, axes: str = "XYZ", spacing_um: Sequence[float] | float | None = None
) -> Volume:
    """Open a NIfTI file: header now, voxels where they are asked for, scale factors honoured.

    Args:
        path: .nii or .nii.gz; trailing axes of one are dropped, two axes are one slice.
        axes: what the axes are in the order of the header, a permutation of "XYZ".
        spacing_um: see ``Volume``; None takes the affine's voxel sizes in the header's unit. A header that
            names no unit and has voxels of exactly 1 states none.

    Returns:
        the volume; its ``meta`` has "affine": (4, 4), of the (X, Y, Z) array, RAS mm.

    Raises:
        InputError: no NIfTI, damaged, truncated, another number of axes, colours or complex values.
    """
    image = _load(path)
    shape = _shape(image, path)
    affine, stated = _geometry(image)
    order = [axes.index(letter) for letter in "XYZ"]
    affine[:, :3] = affine[:, order]
    meta: dict[str, Any] = {"path": str(path), "form": "nifti", "axes": axes, "affine": affine}
    if spacing_um is None and stated:
        meta["spacing_source"] = "NIfTI"
        spacing_um = _spacing_um(affine)
    proxy = image.dataobj
    about = {
        "offset": proxy.offset,
        "shape": shape[::-1],  # NIfTI stores the first axis fastest: the same bytes are C order reversed
        "dtype": proxy.dtype,
        "slope": proxy.slope,
        "intercept": proxy.inter,
    }
    if not str(path).lower().endswith(".gz"):
        return flat_volume(path, axes=axes[::-1], spacing_um=spacing_um, meta=meta, **about)
    meta["slice_names"] = [str(index) for index in range(shape[axes.index("Z")])]
    if axes == "XYZ":
        return PackedVolume(path, spacing_um=spacing_um, meta=meta, **about)
    stored = PackedVolume(path, meta={"path": str(path)}, **about)
    return PermutedVolume(stored, axes=axes[::-1], spacing_um=spacing_um, meta=meta)


def _load(path: str | PathLike) -> nib.Nifti1Image:
    quiet = logging.getLogger("nibabel.global")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # it logs the repairs of headers, "pixdim[0] should be 1"
    try:
        image = nib.load(path)
    except _ERRORS as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"cannot be read as NIfTI: {reason}",
            path=path,
            remedy="the file is damaged or of another format: export or copy it again",
        ) from error
    finally:
        quiet.setLevel(level)
    if not isinstance(image, nib.Nifti1Image):
        raise InputError(f"{type(image).__name__} where NIfTI is expected", path=path, remedy="convert it")
    return image


def _shape(image: nib.Nifti1Image, path: str | PathLike) -> tuple[int, ...]:
    shape = tuple(int(size) for size in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    shape = (*shape, 1) if len(shape) == 2 else shape
    if len(shape) != 3 or 0 in shape:
        raise InputError(
            f"array of shape {shape} where a volume of three axes is expected",
            path=path,
            remedy="store one gray volume a file: one channel, one time point",
        )
    return shape


def _geometry(image: nib.Nifti1Image) -> tuple[np.ndarray, bool]:
    """Affine of the array as stored, RAS mm, and whether the file states a voxel size."""
    unit = image.header.get_xyzt_units()[0]
    affine = np.array(image.affine, dtype=np.float64)
    sizes = nib.affines.voxel_sizes(affine)
    affine[:3] *= _UNITS_UM.get(unit, 1e3) / 1e3
    stated = np.isfinite(sizes).all() and (sizes > 0).all() and not (unit == "unknown" and (sizes == 1).all())
    return affine, bool(stated)


def _spacing_um(affine: np.ndarray) -> tuple[float, ...]:
    # float32 headers hold 0.05 mm as 0.0500000007 mm
    return tuple(float(f"{size * 1e3:.6g}") for size in nib.affines.voxel_sizes(affine)[::-1])
