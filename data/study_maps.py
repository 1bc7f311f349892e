# SPDX-License-Identifier: Apache-2.0
"""Heat maps of a study as NIfTI on the native grid, with the scanner's true and perhaps sheared affine."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import nibabel as nib
import numpy as np

from ..utils import InputError, atomic_path
from ..visualize.heat_maps import resize_heat
from .study_pictures import study_heat
from .study_result import StudyResult

_LEVELS = 255  # heat 0-1 in steps of 1/255: a float map of a study would be several times as large
_ARBITRARY, _SCANNER = 2, 1  # sform codes


def write_heat_maps(output_dir: str | PathLike, result: StudyResult) -> list[Path]:
    """Write ``<name>_<class>_heatmap.nii.gz`` for each subtype that is called in a slice or in the patient.

    A class that is not called gets no file: its activation is noise, and would look like a finding. Values
    are heat from 0 to 1 (:func:`scale_heat`: never above the slice's calibrated probability), stored as uint8
    with the scale factor 1/255 that readers apply. The grid and its order of axes are the input's. The
    affine stands in sform, sheared where the gantry was tilted; qform cannot hold a shear and has code 0.
    SimpleITK and ITK read no sheared grids; nibabel, MONAI and FSL do.

    Args:
        output_dir: folder to write into.
        result: the study, with ``cam``.

    Returns:
        the files in the order of the classes; none where none is called. Older maps of classes that are not
        called any more are removed.

    Raises:
        InputError: the study has no activation, or it holds NaN.
    """
    if result.cam is None:
        raise InputError(
            f"study {result.name} has no class activation to write as heat maps",
            remedy='compute it, or leave "heatmaps" out',
        )
    folder = Path(output_dir)
    heat = study_heat(result)
    files = {k: folder / f"{result.name}_{name}_heatmap.nii.gz" for k, name in enumerate(result.class_names)}
    for k in set(files) - set(heat):
        files[k].unlink(missing_ok=True)
    return [_write(files[k], upsample_levels(maps, result.image.shape), result) for k, maps in heat.items()]


def upsample_levels(heat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Bring heat to the native grid in 256 levels, slice by slice.

    Args:
        heat: (h, w, D) heat 0-1.
        shape: rows, columns and slices (H, W, D) of the grid.

    Returns:
        (H, W, D) uint8, heat times 255.
    """
    levels = np.empty((shape[2], *shape[:2]), np.uint8)
    for index, target in enumerate(levels):
        target[:] = np.rint(resize_heat(heat[..., index], *shape[:2]) * _LEVELS)
    return np.moveaxis(levels, 0, -1)


def _write(path: Path, levels: np.ndarray, result: StudyResult) -> Path:
    """Store (H, W, D) levels in the input's order of axes."""
    order = ["YXZ".index(letter) for letter in result.axes]
    affine = np.array(result.affine, dtype=np.float64)
    affine[:, :3] = affine[:, order]
    image = nib.Nifti1Image(levels.transpose(order), affine)
    image.header.set_slope_inter(1 / _LEVELS, 0)
    image.set_sform(affine, code=_ARBITRARY if result.spacing is None else _SCANNER)
    image.set_qform(None, code=0)
    if result.spacing is not None:
        image.header.set_xyzt_units("mm")
    image.header["cal_max"] = 1  # what viewers show as full colour
    image.header["descrip"] = b"class activation x probability"
    with atomic_path(path) as temporary:
        nib.save(image, temporary)
    return path
