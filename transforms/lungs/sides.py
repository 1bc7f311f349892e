# SPDX-License-Identifier: Apache-2.0
"""Right and left lung: components by their place, joined lungs parted by erosion."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .planes import dilate, erode

RIGHT, LEFT = 1, 2
_JOINED_SHARE = 0.15  # of a component beyond the middle
_RATIO = 4.8  # of the volumes of two lungs, as in DSB2017
_STEPS = 10


def split_sides(lungs: np.ndarray, *, centre_x: float) -> np.ndarray:
    """Tell the right lung from the left.

    A component lies on the side of its centroid. One that reaches well beyond the middle is eroded
    step by step until its two largest parts have a ratio of volumes below 4.8 and centroids on two sides;
    they then grow back within it. A lung that stays in one piece (it may cross the middle when the other is
    gone) is one lung.

    Args:
        lungs: bool (z, y, x), x growing to the patient's left.
        centre_x: the body's middle, voxels.

    Returns:
        uint8 (z, y, x): 0, 1 right, 2 left.
    """
    labels, count = ndimage.label(lungs)
    sides = np.zeros(lungs.shape, np.uint8)
    if not count:
        return sides
    totals, lefts, means = _columns(labels, count, centre_x)
    of_component = np.where(means > centre_x, LEFT, RIGHT).astype(np.uint8)
    of_component[0] = 0
    sides = of_component[labels]
    boxes = ndimage.find_objects(labels)
    for index in np.flatnonzero((lefts > _JOINED_SHARE) & (lefts < 1 - _JOINED_SHARE)):
        if index and totals[index] > totals[1:].max() / _RATIO:
            box = boxes[index - 1]
            part = labels[box] == index
            split = _part_joined(part, centre_x - box[2].start)
            sides[box][part] = split[part] if split is not None else sides[box][part]
    return sides


def halves(lungs: np.ndarray, *, centre_x: float) -> np.ndarray:
    """Right and left by the middle alone, uint8 (z, y, x): good enough for a score."""
    sides = lungs.astype(np.uint8)
    sides[:, :, int(np.floor(centre_x)) + 1 :] *= LEFT
    return sides


def _columns(labels: np.ndarray, count: int, centre_x: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voxels of each component, share of them left of the middle, and mean x; (count + 1,) each."""
    planes = labels.transpose(2, 0, 1)
    columns = np.stack([np.bincount(plane.reshape(-1), minlength=count + 1) for plane in planes])
    x = np.arange(len(columns))
    totals = np.maximum(columns.sum(axis=0), 1)
    return totals, columns[x > centre_x].sum(axis=0) / totals, x @ columns / totals


def _part_joined(joined: np.ndarray, centre_x: float) -> np.ndarray | None:
    """Sides of a component, or None where erosion finds no two lungs."""
    core = joined
    for step in range(1, _STEPS + 1):
        core = erode(core)
        seeds = _two_seeds(core, centre_x)
        if seeds is not None:
            return _grow_back(seeds, joined, step, centre_x)
    return None


def _two_seeds(core: np.ndarray, centre_x: float) -> np.ndarray | None:
    labels, count = ndimage.label(core, structure=np.ones((3, 3, 3)))
    if count < 2:
        return None
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0
    one, other = (int(index) for index in np.argsort(sizes)[:-3:-1])
    middles = [np.flatnonzero((labels == index).any(axis=(0, 1))).mean() for index in (one, other)]
    if sizes[one] > _RATIO * sizes[other] or (middles[0] > centre_x) == (middles[1] > centre_x):
        return None
    seeds = np.zeros(core.shape, np.uint8)
    for index, middle in zip((one, other), middles, strict=True):
        seeds[labels == index] = LEFT if middle > centre_x else RIGHT
    return seeds


def _grow_back(seeds: np.ndarray, joined: np.ndarray, steps: int, centre_x: float) -> np.ndarray:
    """Grow both seeds in turn within the component; what neither reaches goes by the middle."""
    right, left = seeds == RIGHT, seeds == LEFT
    for _ in range(2 * steps):
        right |= dilate(right) & joined & ~left
        left |= dilate(left) & joined & ~right
    sides = np.where(np.arange(joined.shape[2]) > centre_x, LEFT, RIGHT).astype(np.uint8)
    sides = np.broadcast_to(sides, joined.shape).copy()
    sides[right], sides[left] = RIGHT, LEFT
    return sides * joined.astype(np.uint8)
