# SPDX-License-Identifier: Apache-2.0
"""Size, centre and probability of the parts of a mask, all parts at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def component_spheres(
    labels: np.ndarray, count: int, probabilities: Iterable[tuple[slice, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure components, in time and memory that hardly depend on how many there are.

    Args:
        labels: (H, W, D) int, 0 or 1 to ``count``, each of them present.
        count: components, N.
        probabilities: rows of the volume, and their probabilities, float, positive in components.

    Returns:
        (N, 4) float64 i, j, k of the centre weighted by probability, and the diameter of the sphere of equal
        volume, in voxels; (N,) the mean probability; (N,) the greatest.
    """
    sizes = np.zeros(count + 1)
    weights = np.zeros(count + 1)
    moments = np.zeros((3, count + 1))
    greatest = np.zeros(count + 1)
    for rows, probability in probabilities:
        part = labels[rows]
        places = np.nonzero(part)
        found, weight = part[places], probability[places].astype(np.float64)
        sizes += np.bincount(found, minlength=count + 1)
        weights += np.bincount(found, weight, minlength=count + 1)
        for axis, (place, first) in enumerate(zip(places, (rows.start, 0, 0), strict=True)):
            moments[axis] += np.bincount(found, weight * (place + first), minlength=count + 1)
        np.maximum.at(greatest, found, weight)
    sizes, weights, moments, greatest = sizes[1:], weights[1:], moments[:, 1:], greatest[1:]
    diameters = np.cbrt(6 * sizes / np.pi)
    return np.stack([*(moments / weights), diameters], axis=1), weights / sizes, greatest
