# SPDX-License-Identifier: Apache-2.0
"""Radius at the centre-line and at every voxel."""

import numpy as np
import pytest
from scipy import ndimage

from tomobundles.metrics.thinning import centre_lines
from tomobundles.metrics.vessel_radius import centre_line_radius, voxel_radius

from .vessels import line, tangle, tube


@pytest.mark.parametrize("spacing", [(1, 1, 1), (5, 1, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_distance_transform(seed, spacing):
    mask = tangle((16, 24, 20), seed=seed)
    voxels = np.argwhere(mask)
    expected = ndimage.distance_transform_edt(mask, sampling=spacing)[mask]
    np.testing.assert_allclose(centre_line_radius(mask, voxels, spacing=spacing), expected, rtol=1e-12)


def test_without_an_outside():
    mask = np.ones((2, 3, 4), np.uint8)
    assert centre_line_radius(mask, np.array([[0, 0, 0]])).tolist() == [np.inf]
    assert centre_line_radius(mask, np.empty((0, 3), int)).shape == (0,)


@pytest.mark.parametrize(
    ("radius", "low", "high"), [(0.5, 0.5, 0.5), (1, 0, 0.1), (2, -0.3, 0), (4, -0.5, 0), (8, -0.8, 0)]
)
def test_error_on_tubes(radius, low, high):
    """The figures of the docstring: mean error of tubes in random positions and directions."""
    rng = np.random.default_rng(int(radius * 10))
    errors = []
    for _ in range(4):
        centre = 17.5 + rng.uniform(-0.5, 0.5, 3)
        mask = tube((36, 36, 36), radius=radius, direction=rng.normal(size=3), centre=centre)
        voxels = np.argwhere(centre_lines(mask))
        voxels = voxels[(np.abs(voxels - 17.5) < 8).all(axis=1)]
        errors.append(centre_line_radius(mask, voxels).mean() - radius)
    assert low - 1e-9 <= np.mean(errors) <= high + 1e-9


def test_voxels_take_the_nearest_line():
    thin, thick = (
        tube((12, 30, 20), radius=1.2, centre=(0, 5, 10)),
        tube((12, 30, 20), radius=5, centre=(0, 20, 10)),
    )
    mask = thin | thick
    voxels, radius = voxel_radius(mask, centre_lines(mask), within=slice(4, 8))
    np.testing.assert_array_equal(voxels, np.argwhere(mask[4:8]))
    of_thin = voxels[:, 1] < 10
    assert radius[of_thin].max() < 2
    assert radius[~of_thin].min() > 4


def test_spacing_counts():
    mask = line((1, 1, 1), shape=(3, 3, 3))
    assert voxel_radius(mask, mask > 0, within=slice(0, 3), spacing=(5, 3, 4))[1].tolist() == [3]


def test_no_vessel():
    mask = np.zeros((2, 3, 4), np.uint8)
    voxels, radius = voxel_radius(mask, mask > 0, within=slice(0, 2))
    assert voxels.shape == (0, 3)
    assert radius.shape == (0,)
