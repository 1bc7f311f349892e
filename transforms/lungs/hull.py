# SPDX-License-Identifier: Apache-2.0
"""The convex hull of a lung in a slice, from the ends of its rows."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull


def hull_of(plane: np.ndarray) -> tuple[ConvexHull, float]:
    """The convex hull of a mask's pixels, their corners included, and its area in pixels.

    Only the ends of rows can be on it, so that few points are left; a line of pixels has a hull too.

    Args:
        plane: bool (y, x), at least one pixel set.
    """
    rows = np.flatnonzero(plane.any(axis=1))
    first = plane[rows].argmax(axis=1)
    last = plane.shape[1] - plane[rows, ::-1].argmax(axis=1)
    ends = [np.stack([rows + up, columns], axis=1) for up in (0, 1) for columns in (first, last)]
    hull = ConvexHull(np.concatenate(ends))
    return hull, float(hull.volume)  # the "volume" of a plane hull is its area


def fill_hull(plane: np.ndarray, *, largest_ratio: float) -> np.ndarray:
    """All pixels whose centre lies in the hull, bool (y, x); the mask itself where its hull is too large.

    Args:
        plane: bool (y, x), at least one pixel set.
        largest_ratio: area of the hull, in units of the mask's, up to which it is taken.
    """
    hull, area = hull_of(plane)
    if area > largest_ratio * np.count_nonzero(plane):
        return plane
    (top, left), (bottom, right) = hull.min_bound.astype(int), hull.max_bound.astype(int)
    y, x = np.arange(top, bottom)[:, None] + 0.5, np.arange(left, right) + 0.5
    inside = np.ones((bottom - top, right - left), bool)
    for down, across, offset in hull.equations:
        inside &= down * y + across * x + offset <= 1e-9
    filled = plane.copy()
    filled[top:bottom, left:right] |= inside
    return filled
