# SPDX-License-Identifier: Apache-2.0
"""Submissions in the layout of the AI Challenger 2018 retinal edema contest.

The organisers' scoring script reads two arrays a volume: ``<name>_labelMark_volumes.npy``, class indices
(slices, rows, columns), and ``<name>_labelMark_detections.npy``, the probability of each of the three lesions
in each slice (slices, 3).
"""

from __future__ import annotations

import shutil
import zipfile
from os import PathLike
from pathlib import Path

import numpy as np

from ..utils import InputError, atomic_path
from ..visualize.checks import check_presence
from ..visualize.selection import count_pixels
from .writers_names import LABEL_SUFFIX

NUM_LESIONS = 3  # REA, SRF, PED
_VOLUMES, _DETECTIONS = f"{LABEL_SUFFIX}_volumes.npy", f"{LABEL_SUFFIX}_detections.npy"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: equal contents give equal bytes


def write_contest_submission(
    output_dir: str | PathLike, name: str, mask: np.ndarray, presence: np.ndarray | None
) -> tuple[Path, Path]:
    """Write the two arrays of one volume.

    Args:
        output_dir: folder to write into.
        name: the volume's name, without ``.img``.
        mask: (H, W, D) class indices 0-3.
        presence: (3, D) probabilities 0-1; None takes 1 where the mask has the class and 0 elsewhere.

    Returns:
        the file of masks, uint8 (D, H, W), and the file of detections, float32 (D, 3).

    Raises:
        InputError: the mask is no volume or holds another class, or presence is not (3, D) within 0-1.
    """
    if mask.ndim != 3 or mask.dtype.kind not in "ui":
        raise InputError(
            f"mask of shape {mask.shape} and type {mask.dtype} where a volume of classes is expected"
        )
    counts = count_pixels(mask, NUM_LESIONS)
    presence = counts > 0 if presence is None else presence
    check_presence(presence, NUM_LESIONS, mask.shape[-1])
    volumes, detections = Path(output_dir) / f"{name}{_VOLUMES}", Path(output_dir) / f"{name}{_DETECTIONS}"
    _save(volumes, np.ascontiguousarray(np.moveaxis(mask, -1, 0), dtype=np.uint8))
    _save(detections, np.ascontiguousarray(presence.T, dtype=np.float32))
    return volumes, detections


def zip_submission(output_dir: str | PathLike, zip_path: str | PathLike) -> Path:
    """Pack all submission arrays of a folder into one zip.

    Files lie at the zip's root, sorted by name, without dates or owners: the same arrays give the same zip.

    Args:
        output_dir: folder that :func:`write_contest_submission` wrote into, or one above; other files in it
            are left out.
        zip_path: zip file to write.

    Returns:
        ``zip_path``.

    Raises:
        InputError: no arrays in the folder, a volume that has one of its two arrays only, or one that is
            there twice.
    """
    folder = Path(output_dir)
    found = {kind: _find(folder, kind) for kind in (_DETECTIONS, _VOLUMES)}
    if not any(found.values()):
        raise InputError(
            "no submission arrays in this folder",
            path=folder,
            remedy="write results in the form contest first",
        )
    alone = sorted(set(found[_VOLUMES]) ^ set(found[_DETECTIONS]))
    if alone:
        raise InputError(
            f"volume {alone[0]} has one of its two arrays only", path=folder, remedy="write its results again"
        )
    with atomic_path(zip_path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(found[_VOLUMES]):
            _add(archive, found[_DETECTIONS][name])
            _add(archive, found[_VOLUMES][name])
    return Path(zip_path)


def _find(folder: Path, kind: str) -> dict[str, Path]:
    """Map volume names to their arrays of one kind, in the folder and those below it."""
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob(f"*{kind}")):
        name = file.name[: -len(kind)]
        if name in found:
            raise InputError(
                f"volume {name} is there twice", path=folder, remedy="keep one run in each folder"
            )
        found[name] = file
    return found


def _add(archive: zipfile.ZipFile, file: Path) -> None:
    entry = zipfile.ZipInfo(file.name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, on every system
    entry.external_attr = 0o644 << 16
    entry.file_size = file.stat().st_size
    with file.open("rb") as source, archive.open(entry, "w") as packed:
        shutil.copyfileobj(source, packed, 1 << 20)


def _save(path: Path, array: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)
