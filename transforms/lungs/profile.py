# SPDX-License-Identifier: Apache-2.0
"""Where the lungs lie from feet to head: the profile of in-body air, and the airway above them."""

from __future__ import annotations

import numpy as np

from .planes import dilate_planes, label_planes

_LEAST_CM2 = 10.0
_LEAST_SHARE = 0.1
_AIRWAY_CM2 = (0.3, 8.0)
_AIRWAY_OFF_CENTRE_MM = 40.0


def lung_run(areas: np.ndarray, *, least_cm2: float = _LEAST_CM2) -> slice:
    """Slices of the lungs: the run of large in-body air with the largest sum.

    Sinuses, pharynx and bowel give runs of their own, smaller ones, in scans that show head or abdomen.

    Args:
        areas: (z,) air within the body, cm2.
        least_cm2: a slice counts above the larger of this and a tenth of the peak; where no slice reaches
            it, the tenth alone counts.

    Returns:
        The run, not empty unless ``areas`` is all zero.
    """
    peak = float(areas.max(initial=0.0))
    limit = _LEAST_SHARE * peak
    if peak > least_cm2:
        limit = max(limit, least_cm2)
    inside = np.concatenate([[False], areas > limit, [False]]).astype(np.int8)
    starts, stops = np.flatnonzero(np.diff(inside) == 1), np.flatnonzero(np.diff(inside) == -1)
    if not len(starts):
        return slice(0, 0)
    sums = [areas[start:stop].sum() for start, stop in zip(starts, stops, strict=True)]
    best = int(np.argmax(sums))
    return slice(int(starts[best]), int(stops[best]))


def widen(run: slice, *, voxels: int, count: int) -> slice:
    """A run with room for apices and recesses, within the scan."""
    return slice(max(0, run.start - voxels), min(count, run.stop + voxels))


def trace_airway(
    air: np.ndarray, *, centre_x: float, spacing: tuple[float, float, float], lowest_start: int
) -> np.ndarray:
    """The trachea and main bronchi, followed slice by slice from the head until they meet the lungs.

    It starts with a blob of 0.3-8 cm2 within 40 mm of the body's middle, and goes on with the blobs that
    lie below it while they are that small. What ends before it meets the lungs (pharynx, sinuses) is airway
    too, and the search goes on below it.

    Args:
        air: bool (z, y, x), in-body air, last slice nearest the head.
        centre_x: the body's middle, voxels.
        spacing: mm along z, y, x.
        lowest_start: lowest slice in which the trachea may come into view.

    Returns:
        bool (z, y, x), grown by a voxel in the slice for the part-filled voxels of the wall.
    """
    labels, count = label_planes(air)
    sizes = np.bincount(labels.reshape(-1), minlength=count + 1) * spacing[1] * spacing[2] / 100
    small = (sizes >= _AIRWAY_CM2[0]) & (sizes <= _AIRWAY_CM2[1])
    large = sizes > _AIRWAY_CM2[1]
    small[0] = large[0] = False
    airway = np.zeros(air.shape, bool)
    above: np.ndarray | None = None
    for z in range(len(air) - 1, -1, -1):
        seen = np.unique(labels[z][above]) if above is not None else np.zeros(1, int)
        going_on = seen[small[seen]]
        if len(going_on):
            above = np.isin(labels[z], going_on)
        elif large[seen].any():  # the lungs
            break
        else:
            above = _start(labels[z], small, centre_x, spacing[2]) if z >= lowest_start else None
        if above is None and z < lowest_start:
            break
        if above is not None:
            airway[z] = above
    return dilate_planes(airway) & air


def _start(plane: np.ndarray, small: np.ndarray, centre_x: float, width_mm: float) -> np.ndarray | None:
    """The small blob of a slice nearest the body's middle, if it is near enough."""
    best, least = None, _AIRWAY_OFF_CENTRE_MM
    seen = np.unique(plane)
    for index in seen[small[seen]]:
        columns = np.flatnonzero((plane == index).any(axis=0))
        distance = abs(columns.mean() - centre_x) * width_mm
        if distance <= least:
            best, least = plane == index, distance
    return best
