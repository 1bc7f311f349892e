# SPDX-License-Identifier: Apache-2.0
"""What to infer: whatever volumes lie where the user points."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from ..utils import InputError, rank0_first
from .datalist import Layout, load_datalist
from .readers import METAIMAGE_SUFFIXES
from .sample import make_sample
from .slices import SLICE_SUFFIXES, is_slice_folder

VOLUME_FILES = (".nii.gz", ".nii", ".npy", *METAIMAGE_SUFFIXES)
VOLUME_SUFFIXES = (*VOLUME_FILES, *SLICE_SUFFIXES)


def find_volumes(
    *,
    dataset_dir: str | PathLike,
    datalist: str | PathLike | None = None,
    layout: Layout | None = None,
    sample: str | None = None,
    sample_dir: str | PathLike | None = None,
    section: str = "test",
) -> list[dict[str, Any]]:
    """List the volumes to infer, without labels.

    Args:
        dataset_dir: one volume (a folder of slices, .nii, .nii.gz, .npy, .mhd, .mha, one slice image), or a
            folder of volumes, or a folder in the task's known layout (whose ``section`` is taken).
        datalist: JSON file as for training; its ``section`` is taken.
        layout: see ``load_datalist``; a folder that does not match it is searched.
        sample: name of the embedded sample that ``sample_dir`` is made of, where it is absent or empty.
        sample_dir: see ``load_datalist``.
        section: section of the datalist or layout.

    Returns:
        items with "image" and "patient", sorted by name.

    Raises:
        InputError: nothing to infer there.
    """
    path = Path(dataset_dir)
    if sample is not None and sample_dir is not None and path == Path(sample_dir):
        with rank0_first():
            make_sample(sample, path)
    if not path.exists():
        raise InputError("no such file or folder", path=path, remedy="check the path given as --dataset_dir")
    if datalist is not None or (layout is not None and layout.matches(path)):
        data = load_datalist(dataset_dir=path, datalist=datalist, layout=layout, sections=(section,))
        return [{"image": item["image"], "patient": item["patient"]} for item in data[section]]
    volumes = [path] if is_volume(path) else sorted(child for child in path.iterdir() if is_volume(child))
    if not volumes:
        raise InputError(
            "no volume found here",
            path=path,
            remedy=f"give slices ({', '.join(SLICE_SUFFIXES)}) or volumes ({', '.join(VOLUME_FILES)})",
        )
    return [{"image": str(volume), "patient": volume.name} for volume in volumes]


def is_volume(path: Path) -> bool:
    """Say whether a path looks like a volume: a folder of slices, or a file by its ending."""
    name = path.name.lower()
    if path.is_dir():
        return is_slice_folder(path)
    return name.endswith(VOLUME_SUFFIXES) and not name.startswith(".")
