# SPDX-License-Identifier: Apache-2.0
"""A small chest CT with three candidates, for the tests of the writers."""

import numpy as np

from tomobundles.data.nodules.case import NoduleCase

# Rows, columns and slices all differ, so that no wrong order of axes fits.
GRID_SHAPE, NATIVE_SHAPE = (40, 50, 60), (32, 44, 24)
# The lung grid: rows to the back, columns to the left, slices to the head, 1 mm; its first voxel at LPS
# (-25, -20, -130).
GRID = np.array([[0, -1, 0, 25.0], [-1, 0, 0, 20.0], [0, 0, 1, -130.0], [0, 0, 0, 1]])
# The scan: rows to the back 1.5 mm, columns to the left 1.25 mm, slices to the FEET 3 mm; first voxel at LPS
# (-27, -22, -68).
NATIVE = np.array([[0, -1.25, 0, 27.0], [-1.5, 0, 0, 22.0], [0, 0, -3, -68.0], [0, 0, 0, 1]])
WORLD = np.array([[3.0, 2.0, -95.0, 8.0], [-12.0, 8.0, -110.0, 5.0], [12.0, -4.0, -119.0, 12.0]])
# (2 + 22) / 1.5, (3 + 27) / 1.25, (-68 + 95) / 3 and so on
VOXEL = np.array([[16, 24, 9], [20, 12, 14], [12, 31.2, 17]])


def make_image():
    """Dark lungs, a soft body around them, and the three nodules."""
    i, j, k = np.ogrid[: GRID_SHAPE[0], : GRID_SHAPE[1], : GRID_SHAPE[2]]
    image = np.full(GRID_SHAPE, 170, np.uint8)
    lungs = make_lungs()
    image[lungs > 0] = 45
    for x, y, z, diameter in WORLD:
        image[(i - y - 20) ** 2 + (j - x - 25) ** 2 + (k - z - 130) ** 2 <= diameter**2 / 4] = 165
    return image


def make_lungs():
    """Labels on the lung grid: the patient's right at low columns."""
    i, j, k = np.ogrid[: GRID_SHAPE[0], : GRID_SHAPE[1], : GRID_SHAPE[2]]
    lungs = np.zeros(GRID_SHAPE, np.uint8)
    for label, centre in ((1, 12), (2, 37)):
        lungs[((i - 20) / 17) ** 2 + ((j - centre) / 11) ** 2 + ((k - 30) / 27) ** 2 <= 1] = label
    return lungs


def make_case(**changes):
    content = {
        "name": "scan1",
        "patient": "P1",
        "seriesuid": "1.3.6.1",
        "image": make_image(),
        "affine": GRID,
        "native_affine": NATIVE,
        "native_shape": NATIVE_SHAPE,
        "nodules": WORLD.copy(),
        "voxel": VOXEL.copy(),
        "probability": np.array([0.9996861, 0.75, 0.25], np.float32),
        "detector": np.array([0.9, 0.8, 0.3], np.float32),
        "lungs": make_lungs(),
        "lungs_affine": GRID,
        "lung_quality": {
            "level_hu": np.float32(-400),
            "volumes_ml": {"right": 21.5, "left": 20.25},
            "warnings": ["the left lung is small"],
        },
        "source": "1.3.6.1.mhd",
        "model": "detector small",
        "seconds": {"load and prepare": 1.5, "network": 2.25},
    }
    return NoduleCase(**(content | changes))


def none_found(**changes):
    empty = {"nodules": np.empty((0, 4)), "voxel": np.empty((0, 3))}
    return make_case(
        **empty, probability=np.empty(0, np.float32), detector=np.empty(0, np.float32), **changes
    )
