# SPDX-License-Identifier: Apache-2.0
"""Masks that the tests of the vessels' scores share."""

import numpy as np


def tube(shape, *, radius, direction=(1.0, 0.0, 0.0), centre=None):
    """A straight endless tube, bool."""
    axis = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
    middle = (np.asarray(shape) - 1) / 2 if centre is None else np.asarray(centre, dtype=float)
    offset = np.moveaxis(np.indices(shape), 0, -1) - middle
    across = offset - (offset @ axis)[..., None] * axis
    return np.linalg.norm(across, axis=-1) < radius


def tangle(shape, *, seed, tubes=6):
    """Tubes of several radii in random directions, bool."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, dtype=bool)
    for _ in range(tubes):
        radius = rng.choice([0.8, 1.5, 2.5, 4.0])
        mask |= tube(shape, radius=radius, direction=rng.normal(size=3), centre=rng.random(3) * shape)
    return mask


def line(*voxels, shape):
    """A mask of single voxels, uint8."""
    mask = np.zeros(shape, dtype=np.uint8)
    for voxel in voxels:
        mask[voxel] = 1
    return mask


class Array:
    """An array that is read in boxes, as volumes are, and counts how often."""

    def __init__(self, array, *, spacing_um=None, path=""):
        self.array = array
        self.shape = array.shape
        self.spacing_um = spacing_um
        self.path = path
        self.slices_read = 0

    def read(self, box):
        self.slices_read += box[0].stop - box[0].start
        return self.array[box].copy()
