# SPDX-License-Identifier: Apache-2.0
"""Masks in the form that the images came in: slice folder, single image, .npy or NIfTI.

MONAI's ``NibabelWriter`` sets both qform and sform to code 1 and recomputes them, and its ``PILWriter`` knows
no folders; here the source's own header and file names are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from ..utils import InputError, atomic_path
from ..visualize.folders import atomic_folder
from .readers import DEFAULT_AXES, volume_form
from .slices import list_slices
from .volumes.metaimage import metaimage_affine
from .volumes.mhd import read_mhd_header
from .writers_names import LABEL_SUFFIX, volume_name

_LOSSY = (".jpg", ".jpeg")


def write_mask_like(
    source: str | PathLike,
    mask: np.ndarray,
    output_dir: str | PathLike,
    *,
    label_values: Mapping[int, int] | None = None,
    axes: str | None = None,
) -> Path:
    """Write a mask as ``<name>_labelMark`` in the form of the volume that it belongs to.

    A slice folder gives a folder with the same file names, a single image an image (PNG instead of JPG, which
    would change values), .npy an .npy, NIfTI a NIfTI with the source's geometry: sform, qform, their codes,
    units and voxel sizes are the source's to the bit, and MetaImage a NIfTI of the same geometry. Values are
    uint8 and never scaled.

    Args:
        source: the volume's file or folder, which :func:`read_volume` can read.
        mask: (H, W, D) class indices on the grid of the volume as read.
        output_dir: folder to write into.
        label_values: class index -> value to write, 0-255; None writes class indices. Background is 0 unless
            given.
        axes: order of a .npy's or NIfTI's stored axes, as given to :func:`read_volume`.

    Returns:
        the file or folder written.

    Raises:
        InputError: the mask does not fit the source, or a class has no value.
    """
    form = volume_form(source)
    if mask.ndim != 3:
        raise InputError(f"mask of shape {mask.shape} where (rows, columns, slices) is expected", path=source)
    table = _value_table(mask, label_values)
    name = volume_name(source) + LABEL_SUFFIX
    if form in ("folder", "image"):
        return _write_images(Path(source), mask, table, Path(output_dir) / name, form)
    if form == "metaimage":
        return _write_beside_metaimage(Path(source), table[mask.transpose(1, 0, 2)], Path(output_dir) / name)
    if form not in DEFAULT_AXES:
        raise InputError(
            f"no masks are written in this form ({form})",
            path=source,
            remedy="leave mask out of the outputs, or give the volume as NIfTI",
        )
    order = ["YXZ".index(letter) for letter in axes or DEFAULT_AXES[form]]
    stored = table[mask.transpose(order)]
    return (_write_npy if form == "npy" else _write_nifti)(Path(source), stored, Path(output_dir), name)


def _value_table(mask: np.ndarray, label_values: Mapping[int, int] | None) -> np.ndarray:
    """Return (256,) uint8: the value to write for each class index, checked for the classes in the mask."""
    present = {int(index) for index in _classes(mask)}
    values = {0: 0} | (
        {index: index for index in present} if label_values is None else _integers(label_values)
    )
    missing = sorted(present - set(values))
    if missing:
        raise InputError(
            f"class {missing[0]} has no value in label_values", remedy="give a value for each class"
        )
    for index, value in values.items():
        if not (0 <= index <= 255 and 0 <= value <= 255):
            raise InputError(
                f"class {index} with value {value} does not fit into 8 bit", remedy="give 0 to 255"
            )
    table = np.zeros(256, dtype=np.uint8)
    table[list(values)] = list(values.values())
    return table


def _integers(label_values: Mapping) -> dict[int, int]:
    try:  # keys from a JSON config are strings
        return {int(index): int(value) for index, value in label_values.items()}
    except ValueError as error:
        raise InputError(
            f"label_values {dict(label_values)} is not numbers to numbers", remedy='e.g. {"1": 255, "2": 191}'
        ) from error


def _classes(mask: np.ndarray) -> set[int]:
    """Collect the class indices slice by slice: ``np.unique`` would sort a copy of the whole volume."""
    if mask.dtype.kind not in "ui":
        raise InputError(f"mask holds {mask.dtype} values", remedy="give class indices as integers")
    return set().union(*(np.unique(mask[..., index]).tolist() for index in range(mask.shape[-1])))


def _write_images(source: Path, mask: np.ndarray, table: np.ndarray, target: Path, form: str) -> Path:
    # A reader that allowed gaps may have read this folder; here only the names matter.
    files = list_slices(source, allow_gaps=True) if form == "folder" else [source]
    with Image.open(files[0]) as first:
        _check_shape(source, mask.shape, (first.height, first.width, len(files)))
    ending = ".png" if files[0].suffix.lower() in _LOSSY else files[0].suffix
    if form == "image":
        target = target.with_name(target.name + ending)
        with atomic_path(target) as temporary:
            Image.fromarray(table[mask[..., 0]]).save(temporary)
        return target
    with atomic_folder(target) as fresh:
        for index, file in enumerate(files):
            Image.fromarray(table[mask[..., index]]).save(fresh / (file.stem + ending))
    return target


def _write_npy(source: Path, stored: np.ndarray, output_dir: Path, name: str) -> Path:
    shape = np.load(source, mmap_mode="r", allow_pickle=False).shape
    target = output_dir / f"{name}.npy"
    with atomic_path(target) as temporary:
        np.save(temporary, np.ascontiguousarray(_reshaped(source, stored, shape)), allow_pickle=False)
    return target


def _write_nifti(source: Path, stored: np.ndarray, output_dir: Path, name: str) -> Path:
    image = nib.load(source)
    header = image.header.copy()
    header.set_data_dtype(np.uint8)
    header.extensions.clear()  # they describe the scan, and may name the patient
    header["cal_min"] = header["cal_max"] = 0  # display range of the scan
    result = type(image)(_reshaped(source, stored, image.shape), image.affine, header)
    ending = ".nii.gz" if source.name.lower().endswith(".gz") else ".nii"
    target = output_dir / f"{name}{ending}"
    with atomic_path(target) as temporary:
        nib.save(result, temporary)
    return target


def _write_beside_metaimage(source: Path, stored: np.ndarray, target: Path) -> Path:
    header = read_mhd_header(source)
    _check_shape(source, stored.shape, header.shape[::-1])
    affine = metaimage_affine(header)
    affine = (np.eye(4) if affine is None else affine)[:, [1, 0, 2, 3]]  # of x, y, z
    target = target.with_name(f"{target.name}.nii.gz")
    with atomic_path(target) as temporary:
        nib.save(nib.Nifti1Image(stored, affine), temporary)
    return target


def _reshaped(source: Path, stored: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Give back the axes of one that the source has besides its three, or has not."""
    if [size for size in stored.shape if size > 1] != [size for size in shape if size > 1]:
        raise InputError(
            f"mask of stored shape {stored.shape} does not fit the source's {shape}",
            path=source,
            remedy="give the mask on the source's own grid, with the axes it was read with",
        )
    return stored.reshape(shape)


def _check_shape(source: Path, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise InputError(f"mask of shape {found} does not fit the source's {wanted}", path=source)
