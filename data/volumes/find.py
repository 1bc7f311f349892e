# SPDX-License-Identifier: Apache-2.0
"""What to segment: whatever volumes lie where the user points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import tifffile

from ...utils import InputError, rank0_first
from ..datalist import Layout, load_datalist
from ..sample import make_sample
from ..writers_names import ENDINGS, distinct_names
from .open import is_openable
from .tiff_pages import TIFF_SUFFIXES

Item = dict[str, Any]

_ENDINGS = (".ome.zarr", ".zarr", ".mhd", ".mha", ".ome")  # ".ome" of .ome.tif
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
        dataset_dir: one volume in any form that ``open_volume`` knows, a folder of such volumes (TIFF files
            of several pages are volumes, those of one page the slices of one), or a folder in the task's
            known layout (whose ``section``, a folder of that name, is taken).
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
        with rank0_first():
            make_sample(sample, path)
    if not path.exists():
        raise InputError("no such file or folder", path=path, remedy="check the path given as --dataset_dir")
    # a layout's training folders alone are volumes like any others
    in_layout = layout is not None and (path / section).is_dir() and layout.matches(path)
    if datalist is not None or in_layout:
        data = load_datalist(dataset_dir=path, datalist=datalist, layout=layout, sections=(section,))
        return with_names(data[section])
    inner = _inner(path)
    found = [inner] if is_openable(inner) and not _holds_volumes(inner) else _below(inner)
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
    others = [ending for ending in ENDINGS if ending not in _ENDINGS]  # those go last, see _bare
    names = distinct_names(list(dict.fromkeys(shown)), endings=others)
    bare = {path: _bare(name) for path, name in names.items()}
    counts = Counter(bare.values())
    names |= {path: name for path, name in bare.items() if counts[name] == 1}
    result = []
    for item, path in zip(items, shown, strict=True):
        part = f"_{item['slices'][0]}-{item['slices'][1]}" if item.get("slices") else ""
        result.append({**item, "name": names[path] + part})
    return result


def _shown(item: Mapping[str, Any]) -> str:
    path = Path(item["image"]).absolute()
    return str(path.parent if path.name == _INNER and path.parent.name else path)


def _bare(name: str) -> str:
    """Drop the endings of volumes that ``distinct_names`` does not know; "a.ome.zarr::1" gives "a_1"."""
    name, _, level = name.partition("::")
    ending = next((one for one in _ENDINGS if name.lower().endswith(one) and len(name) > len(one)), "")
    return name[: len(name) - len(ending)] + (f"_{level}" if level else "")


def _holds_volumes(path: Path) -> bool:
    """Whether the first TIFF of a folder has several slices, so that it is no slice itself."""
    if not path.is_dir():
        return False
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in TIFF_SUFFIXES)
    try:
        with tifffile.TiffFile(next(file for file in files if not file.name.startswith("."))) as tiff:
            return bool(set(tiff.series[0].axes) - set("YXS"))
    except (StopIteration, OSError, ValueError, IndexError):  # none, or damaged, which shows when it is read
        return False


def _below(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    children = sorted(child for child in path.iterdir() if not child.name.startswith("."))
    return [_inner(child) for child in children if is_openable(_inner(child))]


def _inner(path: Path) -> Path:
    return path / _INNER if not is_openable(path) and (path / _INNER).is_dir() else path
