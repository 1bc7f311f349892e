# SPDX-License-Identifier: Apache-2.0
"""Gray mean and standard deviation of a training set, computed once and kept beside the weights."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..utils import InputError, atomic_path, rank0_first
from .readers import read_volume

_logger = logging.getLogger("tomobundles")


def training_intensity(
    items: Sequence[Mapping[str, Any]], *, path: str | PathLike, axes: str | None = None
) -> dict[str, Any]:
    """Mean and standard deviation over all voxels of the training volumes, written to ``path``.

    A file that an earlier run wrote for the same volumes is read back, so that a resumed or evaluated model
    keeps its constants. Of several processes the first one computes, and all must come here.

    Args:
        items: training samples with "image" paths.
        path: JSON file ``{"mean", "std", "training_set"}``, grays in stored units; the last is a hash of the
            volumes' names, since names may identify patients and the file travels with the weights.
        axes: see ``read_volume``.

    Raises:
        InputError: a constant or non-finite training set.
    """
    names = "\n".join(sorted(Path(item["image"]).name for item in items))
    training_set = hashlib.sha256(names.encode()).hexdigest()
    with rank0_first():
        if Path(path).is_file():
            stored = load_intensity(path)
            if stored["training_set"] == training_set:
                return stored
        found = _measure(items, axes) | {"training_set": training_set}
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        return found


def _measure(items: Sequence[Mapping[str, Any]], axes: str | None) -> dict[str, Any]:
    _logger.info("computing the gray mean and standard deviation of %d training volumes", len(items))
    count, total, squares = 0, 0.0, 0.0
    for item in items:
        array, _ = read_volume(item["image"], axes=axes)
        for index in range(array.shape[-1]):  # slice by slice: no float copy of the volume
            pixels = array[..., index].astype(np.float64)
            count += pixels.size
            total += float(pixels.sum())
            squares += float(np.square(pixels).sum())
    mean = total / count
    deviation = math.sqrt(max(squares / count - mean**2, 0.0)) if math.isfinite(squares) else math.nan
    if not deviation > 0:
        raise InputError(
            f"training volumes have mean {mean:g} and standard deviation {deviation:g}",
            path=items[0]["image"],
            remedy="constant or NaN volumes cannot be normalised: check the data",
        )
    return {"mean": mean, "std": deviation}


def load_intensity(path: str | PathLike) -> dict[str, Any]:
    """Read what ``training_intensity`` wrote.

    Raises:
        InputError: missing, or without a finite "mean" and a positive "std".
    """
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        usable = math.isfinite(stored["mean"]) and stored["std"] > 0 and math.isfinite(stored["std"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "no gray mean and standard deviation of the training set here",
            path=path,
            remedy="train first, or name the folder of the trained model with --ckpt_dir",
        ) from error
    if not usable:
        raise InputError("mean and std are not usable numbers", path=path, remedy="train again")
    return {"mean": stored["mean"], "std": stored["std"], "training_set": stored.get("training_set")}
