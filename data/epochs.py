# SPDX-License-Identifier: Apache-2.0
"""How long an epoch is: as many stacks as there are slices."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from ..utils import InputError
from .dicom import SeriesPreference, resolve_series
from .readers import DEFAULT_AXES, read_volume, volume_form
from .slices import list_slices
from .volumes.mhd import read_mhd_header


def volume_depth(
    path: str | PathLike,
    *,
    axes: str | None = None,
    series_uid: str | None = None,
    preference: SeriesPreference | None = None,
    accept: Collection[str] = (),
    files: Collection[str] | None = None,
) -> int:
    """Count a volume's slices from its listing or headers, without reading its pixels where that is possible.

    Args:
        path: see ``read_volume``, as are the others.
        axes: order of stored axes.
        series_uid: DICOM only.
        preference: DICOM only.
        accept: DICOM only.
        files: DICOM only.

    Raises:
        InputError: see ``read_volume``.
    """
    form = "dicom" if files else volume_form(path)
    if form == "folder":
        return len(list_slices(path))
    if form == "image":
        return 1
    if form == "dicom":
        choice = {"preference": preference, "series_uid": series_uid, "accept": accept, "files": files}
        return len(resolve_series(path, **choice).slices)
    if form == "metaimage":
        return read_mhd_header(path).shape[0]
    axes = axes or DEFAULT_AXES[form]
    try:
        shape = nib.load(path).shape if form == "nifti" else np.load(path, mmap_mode="r").shape
    except Exception:  # damaged: the reader says how
        shape = ()
    if len(shape) < 3:
        return read_volume(path, axes=axes)[0].shape[-1]
    return shape[axes.index("Z")]


def epoch_items(
    items: Sequence[Mapping[str, Any]],
    *,
    stacks_per_volume: int,
    axes: str | None = None,
    preference: SeriesPreference | None = None,
    accept: Collection[str] = (),
) -> list[Mapping[str, Any]]:
    """Repeat each item so often that an epoch draws about one stack for each slice of its volume.

    A caching dataset with ``hash_as_key`` keeps repeated items once.

    Args:
        items: training samples.
        stacks_per_volume: stacks that one visit of a volume draws.
        axes: see ``read_volume``.
        preference: see ``read_volume``.
        accept: see ``read_volume``.

    Raises:
        InputError: ``stacks_per_volume`` is not positive.
    """
    if stacks_per_volume < 1:
        raise InputError(f"stacks_per_volume is {stacks_per_volume}", remedy="give a positive number")
    repeated: list[Mapping[str, Any]] = []
    for item in items:
        depth = volume_depth(
            Path(item["image"]),
            axes=axes,
            series_uid=item.get("series_uid"),
            files=item.get("files"),
            preference=preference,
            accept=accept,
        )
        visits = math.ceil(depth / stacks_per_volume)
        repeated += [item] * visits
    return repeated
