# SPDX-License-Identifier: Apache-2.0
"""The range of grays of a volume of any size: percentiles from a streaming histogram."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from ...utils import InputError
from .base import Volume, slabs

BINS = 65536
CHUNK = 2**22  # voxels counted at a time: memory does not grow with the volume
LEAST_LEVELS = 1024
MOST_PASSES = 4


def measure_intensity(
    volume: Volume, *, lower: float = 10.0, upper: float = 99.8, progress: bool = False
) -> dict[str, Any]:
    """Measure robust ends of a volume's grays, slab by slab, in constant memory.

    A percentile p of n voxels is the gray of rank ceil(n p / 100), a gray that occurs (numpy's
    "inverted_cdf"). It comes from a histogram of 65,536 bins. That is exact for integers of 8 and 16 bits and
    for wider ones that span no more levels. Other grays are first read for their range; each then counts as
    the nearest of 65,536 levels. Where fewer than 1,024 levels lie between the two percentiles, as a few
    extreme voxels cause, the count is repeated on that part.

    Args:
        volume: of integers or floats.
        lower: percentile of "low".
        upper: percentile of "high".
        progress: show a bar.

    Returns:
        "low" and "high" (stored grays at the percentiles), "minimum", "maximum", "voxels", "percentiles":
        plain numbers, fit for JSON.

    Raises:
        InputError: one gray throughout, or at both percentiles; percentiles that are not
            0 <= lower < upper <= 100; and, from ``Volume.read``, NaN or infinite voxels.
    """
    if not 0 <= lower < upper <= 100:
        raise InputError(
            f"percentiles {lower} and {upper}", remedy="give two numbers from 0 to 100 in rising order"
        )
    if volume.dtype.kind in "bui" and volume.dtype.itemsize <= 2:
        offset = np.iinfo(volume.dtype).min if volume.dtype.kind == "i" else 0
        counts = _count_small(volume, offset, progress)
        occupied = np.flatnonzero(counts)
        minimum, maximum = int(occupied[0]) + offset, int(occupied[-1]) + offset
        _check_range(volume, minimum, maximum)
        low, high = (_rank(counts, share) + offset for share in (lower, upper))
    else:
        minimum, maximum = _extremes(volume, progress)
        _check_range(volume, minimum, maximum)
        low, high = _refine(volume, minimum, maximum, (lower, upper), progress)
    if not low < high:
        raise InputError(
            f"the gray is {low:g} at both {lower:g} and {upper:g} % of the voxels",
            path=volume.path or None,
            remedy="nothing is left to scale: crop the empty part away, or give other percentiles",
        )
    return {
        "low": low,
        "high": high,
        "minimum": minimum,
        "maximum": maximum,
        "voxels": math.prod(volume.shape),
        "percentiles": [float(lower), float(upper)],
    }


def _count_small(volume: Volume, offset: int, progress: bool) -> np.ndarray:
    counts = np.zeros(BINS, np.int64)
    for values in _chunks(volume, progress):
        counts += np.bincount(values.astype(np.int64) - offset, minlength=BINS)
    return counts


def _extremes(volume: Volume, progress: bool) -> tuple[float, float]:
    minimum, maximum = math.inf, -math.inf
    for values in _chunks(volume, progress):
        minimum, maximum = min(minimum, values.min().item()), max(maximum, values.max().item())
    return minimum, maximum


def _refine(
    volume: Volume, minimum: float, maximum: float, percentiles: tuple[float, float], progress: bool
) -> tuple[float, float]:
    start, end = minimum, maximum
    whole = volume.dtype.kind in "ui"
    for _ in range(MOST_PASSES):
        if whole and end - start < BINS:
            end = start + BINS - 1  # a level is an integer: exact
        step = (end - start) / (BINS - 1)
        counts = np.zeros(BINS, np.int64)
        for values in _chunks(volume, progress):
            level = np.rint((values.astype(np.float64) - start) / step)
            counts += np.bincount(np.clip(level, 0, BINS - 1).astype(np.int64), minlength=BINS)
        first, last = (_rank(counts, share) for share in percentiles)
        low, high = start + first * step, start + last * step
        if last - first >= LEAST_LEVELS or (whole and step == 1):
            break
        start, end = max(minimum, low - step), min(maximum, high + step)
        if whole:
            start, end = math.floor(start), math.ceil(end)
    return (round(low), round(high)) if whole else (min(max(low, minimum), maximum), min(high, maximum))


def _rank(counts: np.ndarray, percentile: float) -> int:
    total = int(counts.sum())
    rank = min(max(1, math.ceil(total * (percentile / 100))), total)
    return int(np.searchsorted(np.cumsum(counts), rank))


def _check_range(volume: Volume, minimum: float, maximum: float) -> None:
    if minimum == maximum:
        raise InputError(
            f"every voxel is {minimum:g}: a constant volume shows nothing",
            path=volume.path or None,
            remedy="check the export, or leave the volume out",
        )


def _chunks(volume: Volume, progress: bool) -> Iterator[np.ndarray]:
    """All voxels, flat, a bounded number at a time."""
    thickness = max(1, CHUNK // math.prod(volume.shape[1:]))
    boxes = list(slabs(volume.shape, thickness=thickness))
    for box in tqdm(boxes, desc="grays", unit="slab", disable=not progress, leave=False):
        values = volume.read(box).ravel()
        for start in range(0, len(values), CHUNK):
            yield values[start : start + CHUNK]
