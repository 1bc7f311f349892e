# SPDX-License-Identifier: Apache-2.0
"""Which of the air within the body is lung: components judged by size, place and texture."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .body import Body
from .planes import erode

_GAS_HU = -960  # gas of stomach and bowel is below, lungs with their vessels and blood above
_GAS_SHARE = 0.5
_GAS_ML = 600.0  # more than that is no bubble
_AXIS_MM = 92.0  # largest distance of a lung to the body's middle axis
_PIECE_ML = 2.0
_OTHER_SHARE = 0.02  # of the larger lung


def lung_air(
    air: np.ndarray, hu: np.ndarray, body: Body, *, spacing: tuple[float, float, float]
) -> np.ndarray:
    """The components of in-body air that are lungs or pieces of them.

    Left out are bubbles of plain gas, what lies far from the body's axis (folds of skin, gaps at the arms)
    and crumbs. A lung is judged by its own largest slices, so that a small one is kept as well as a large
    one, and no component is dropped for being smaller than another.

    Args:
        air: bool (z, y, x).
        hu: (z, y, x).
        body: of the same slices.
        spacing: mm along z, y, x.

    Returns:
        bool (z, y, x), possibly empty.
    """
    labels, count = ndimage.label(air)
    if not count:
        return air.copy()
    ml = np.prod(spacing) / 1000
    sizes = np.bincount(labels.reshape(-1), minlength=count + 1) * ml
    thin = min(1.0, air.shape[0] * spacing[0] / 100)  # a few slices hold little of a lung
    sizes[0] = 0
    large = sizes >= max(_PIECE_ML * thin, _OTHER_SHARE * sizes.max())
    keep = large & ~_is_gas(labels, hu, air, sizes)
    numbers = np.cumsum(keep) * keep  # few are left: renumber them
    few = numbers[labels]
    far = [not _near_axis(few == number, body, spacing) for number in range(1, numbers.max() + 1)]
    keep[np.flatnonzero(keep)[far]] = False
    return keep[labels]


def _is_gas(labels: np.ndarray, hu: np.ndarray, air: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Components whose inside, away from part-filled voxels, is mostly plain gas; bool (count + 1,)."""
    deep = erode(air)
    inner = labels[deep]
    counts = np.bincount(inner, minlength=len(sizes))
    gas = np.bincount(inner[hu[deep] < _GAS_HU], minlength=len(sizes))
    return (gas > _GAS_SHARE * counts) & (sizes < _GAS_ML)


def _near_axis(part: np.ndarray, body: Body, spacing: tuple[float, float, float]) -> bool:
    """Whether a component comes near the body's axis in its large slices."""
    areas = part.sum(axis=(1, 2))
    nearest = []
    for z in np.flatnonzero(areas >= areas.max() / 2):
        rows, columns = np.nonzero(part[z])
        dy, dx = (rows - body.centre_y[z]) * spacing[1], (columns - body.centre_x) * spacing[2]
        nearest.append(np.sqrt((dy * dy + dx * dx).min()))
    return bool(np.mean(nearest) < _AXIS_MM)
