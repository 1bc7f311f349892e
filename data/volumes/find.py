# SPDX-License-Identifier: Apache-2.0
"""What to segment: whatever volumes lie where the user points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ...utils import InputError
from ..datalist import Layout, load_datalist
from ..sample import make_sample
from ..writers_names import distinct_names
from .open import is_openable

Item = dict[str, Any]

_INNER = "images"  # the contest's folder of a kidney's slices


def find_tomograms(
    *,
    dataset_dir: str | PathLike,
    datalist: str | PathLike | None = None,
    layout: Layout | None = None,
    sample: str | None = None,
    sample_dir: str | PathLike | None = None,
    section: str = "test",
) -> list[Item]:
    """List the volumes to segment, each with the name of its results.

    Args:
        dataset_dir: one volume in any form that ``open_volume`` knows, a folder of such volumes, or a folder
            in the task's known layout (whose ``section`` is taken).
        datalist: JSON file as for training; its ``section`` is taken.
        layout: see ``load_datalist``; a folder that does not match it is searched.
        sample: name of the embedded sample that ``sample_dir`` is made of, where it is absent or empty.
        sample_dir: see ``load_datalist``.
        section: section of the datalist or layout.

    Returns:
        items with "image", "patient" and "name", sorted by path; a datalist's other keys are kept, "label"
        among them, so that results can be compared with it.

    Raises:
        InputError: nothing to segment there.
    """
    path = Path(dataset_dir)
    if sample is not None and sample_dir is not None and path == Path(sample_dir):
        make_sample(sample, path)
    if not path.exists():
        raise InputError("no such file or folder", path=path, remedy="check the path given as --dataset_dir")
    if datalist is not None or (layout is not None and layout.matches(path)):
        data = load_datalist(dataset_dir=path, datalist=datalist, layout=layout, sections=(section,))
        return with_names(data[section])
    found = [_inner(path)] if is_openable(_inner(path)) else _below(path)
    if not found:
        raise InputError(
            "no volume found here",
            path=path,
            remedy="give a folder of slices, a TIFF, NIfTI, OME-Zarr, .npy or .mhd, or a folder of those",
        )
    return with_names([{"image": str(volume), "patient": volume.name} for volume in found])


def with_names(items: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Give each item the name of its results: file or folder without its ending, all of them different.

    A folder named "images" goes by the folder that it lies in, as the contest's kidneys do. Several parts of
    one volume ("slices") get the numbers of their slices.
    """
    shown = [_shown(item) for item in items]
    names = distinct_names(list(dict.fromkeys(shown)))
    result = []
    for item, path in zip(items, shown, strict=True):
        part = f"_{item['slices'][0]}-{item['slices'][1]}" if item.get("slices") else ""
        result.append({**item, "name": names[path] + part})
    return result


def _shown(item: Mapping[str, Any]) -> str:
    path = Path(item["image"])
    return str(path.parent if path.name == _INNER and path.parent.name else path)


def _below(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [_inner(child) for child in sorted(path.iterdir()) if is_openable(_inner(child))]


def _inner(path: Path) -> Path:
    return path / _INNER if not is_openable(path) and (path / _INNER).is_dir() else path
