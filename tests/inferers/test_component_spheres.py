# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np

from tomobundles.inferers.component_spheres import component_spheres


def in_rows(probability, rows):
    for start in range(0, len(probability), rows):
        yield slice(start, start + rows), probability[start : start + rows]


def test_by_hand():
    labels = np.zeros((5, 4, 3), np.int32)
    probability = np.full(labels.shape, 0.1, np.float32)
    labels[1:4, 2, 1], probability[1:4, 2, 1] = (
        1,
        [0.5, 0.5, 1.0],
    )  # centre (1 * 0.5 + 2 * 0.5 + 3) / 2 = 2.25
    labels[4, 0, 0], probability[4, 0, 0] = 2, 0.75
    for rows in (1, 2, 5):
        spheres, mean, greatest = component_spheres(labels, 2, in_rows(probability, rows))
        diameters = [math.cbrt(18 / math.pi), math.cbrt(6 / math.pi)]
        np.testing.assert_allclose(spheres, [[2.25, 2, 1, diameters[0]], [4, 0, 0, diameters[1]]])
        np.testing.assert_allclose(mean, [2 / 3, 0.75])
        np.testing.assert_allclose(greatest, [1, 0.75])


def test_sphere_is_measured():
    place = np.indices((24, 24, 24)) - np.array([10.3, 12, 11.6]).reshape(3, 1, 1, 1)
    labels = ((place**2).sum(0) <= 7**2).astype(np.int32)
    (sphere,), _, _ = component_spheres(labels, 1, in_rows(np.ones(labels.shape, np.float32), 16))
    np.testing.assert_allclose(sphere, [10.3, 12, 11.6, 14], atol=0.1)


def test_no_component():
    labels = np.zeros((3, 3, 3), np.int32)
    spheres, mean, greatest = component_spheres(labels, 0, in_rows(np.zeros(labels.shape, np.float32), 2))
    assert spheres.shape == (0, 4)
    assert mean.shape == greatest.shape == (0,)
