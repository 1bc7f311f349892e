# SPDX-License-Identifier: Apache-2.0
"""Chests for the tests of the lung mask: blocks and ellipsoids, and the chest phantom, made once."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

from tomobundles.data.phantoms.chest import ChestPhantom, chest_phantom

SPACING = (4.0, 2.0, 2.0)  # z, y, x
SHAPE = (60, 130, 170)


def ellipsoid(centre, radii, shape=SHAPE):
    """bool (z, y, x); centre and radii in voxels."""
    axes = np.ogrid[tuple(slice(0, size) for size in shape)]
    return sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True)) <= 1


def simple_chest(*, lungs_hu=(-850, -850), scale=(1.0, 1.0), shift=0):
    """HU (z, y, x) of a body with two lungs, and the lungs: 1 right, 2 left, each moved by ``shift``."""
    hu = np.full(SHAPE, -1000.0, np.float32)
    body = ellipsoid((0, 65, 85), (1e6, 55, 78))
    hu[body] = 40
    truth = np.zeros(SHAPE, np.uint8)
    for side, x in ((1, 55 + shift), (2, 115 - shift)):
        radius = scale[side - 1]
        lung = ellipsoid((30, 65, x), (24 * radius, 38 * radius, 22 * radius))
        hu[lung] = lungs_hu[side - 1]
        truth[lung] = side
    return hu, truth


def as_stored(volume):
    """(z, y, x) to (rows, columns, slices), a view."""
    return volume.transpose(1, 2, 0)


def affine_of(spacing=SPACING):
    """RAS mm of ``as_stored`` of a scan: rows to the back, columns to the left, slices to the head."""
    affine = np.zeros((4, 4))
    affine[1, 0], affine[0, 1], affine[2, 2], affine[3, 3] = -spacing[1], -spacing[2], spacing[0], 1
    affine[:3, 3] = [spacing[2] * SHAPE[2] / 2, 50, -300]
    return affine


@cache
def phantom(fault: str | None = None, seed: int = 0) -> ChestPhantom:
    """A small chest of the simulator; read only."""
    return chest_phantom(seed, spacing_mm=(2, 2, 2.5), scale=0.6, fault=fault)


def on_grid(labels, affine, shape, wanted):
    """Nearest labels of a mask on another grid of (rows, columns, slices)."""
    there = np.linalg.inv(affine) @ wanted
    return ndimage.affine_transform(labels, there[:3, :3], there[:3, 3], output_shape=shape, order=0)


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))
