# SPDX-License-Identifier: Apache-2.0
"""Links of a skeleton and their length."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tomobundles.metrics.skeleton import link_lengths, skeleton_links
from tomobundles.metrics.thinning import centre_lines

from .vessels import line, tube

SQRT2, SQRT3 = math.sqrt(2), math.sqrt(3)


def length(*voxels, spacing=(1, 1, 1)):
    skeleton = np.zeros((8, 8, 8), bool)
    for voxel in voxels:
        skeleton[voxel] = True
    return link_lengths(*skeleton_links(skeleton), spacing=spacing).sum()


def test_nothing_has_no_links():
    voxels, links = skeleton_links(np.zeros((2, 3, 4), bool))
    assert voxels.shape == (0, 3)
    assert links.shape == (0, 2)
    assert link_lengths(voxels, links, spacing=(1, 1, 1)).sum() == 0


def test_straight_lines_are_exact():
    along = [(1, index, 1) for index in range(8)]
    assert length(*along) == 7
    assert length(*[(index, index, 1) for index in range(8)]) == pytest.approx(7 * SQRT2)
    assert length(*[(index, 7 - index, index) for index in range(8)]) == pytest.approx(7 * SQRT3)
    assert length((3, 3, 3)) == 0
    assert length((3, 3, 3), (3, 3, 5)) == 0  # not neighbours


def test_spacing_counts_along_its_axis():
    assert length((0, 0, 0), (1, 0, 0), spacing=(5, 1, 2)) == 5
    assert length((0, 0, 0), (0, 0, 1), spacing=(5, 1, 2)) == 2
    assert length((0, 0, 0), (1, 1, 1), spacing=(5, 1, 2)) == pytest.approx(math.sqrt(25 + 1 + 4))


def test_short_cuts_do_not_count():
    # a right-angled corner: its two ends touch by an edge, but the way leads through the corner
    assert length((0, 0, 0), (0, 0, 1), (0, 1, 1)) == 2
    # a step and an edge link: their ends touch by a corner
    assert length((0, 0, 0), (0, 0, 1), (1, 1, 1)) == pytest.approx(1 + SQRT2)
    # a T-junction of five voxels: four links, not six
    assert length((2, 2, 1), (2, 2, 2), (2, 2, 3), (2, 3, 2), (2, 4, 2)) == 4


def test_each_link_once_and_the_lower_slice_first():
    rng = np.random.default_rng(0)
    voxels, links = skeleton_links(rng.random((6, 7, 8)) < 0.05)
    assert len(np.unique(np.sort(links, axis=1), axis=0)) == len(links)
    steps = voxels[links[:, 1]] - voxels[links[:, 0]]
    assert (np.abs(steps).max(axis=1) == 1).all()
    assert (steps[:, 0] >= 0).all()
    np.testing.assert_array_equal(skeleton_links(line((1, 2, 3), shape=(2, 3, 4)) > 0)[0], [[1, 2, 3]])


@pytest.mark.parametrize("radius", [1.2, 2.5, 4.0])
@pytest.mark.parametrize(
    ("direction", "stretch"),
    # direction cosines a >= b >= c make a chain longer by a + (sqrt 2 - 1) b + (sqrt 3 - sqrt 2) c
    [((1, 0, 0), 1), ((1, 1, 0), 1), ((1, 1, 1), 1), ((2, 1, 0), (2 + SQRT2 - 1) / math.sqrt(5))],
)
def test_length_of_tubes(radius, direction, stretch):
    mask = tube((40, 44, 44), radius=radius, direction=direction)
    voxels, links = skeleton_links(centre_lines(mask))
    low = voxels[links[:, 0], 0]
    inner = links[(low >= 10) & (low < 30)]  # 20 slices, away from the cut ends
    expected = 20 * np.linalg.norm(direction) / direction[0] * stretch
    measured = link_lengths(voxels, inner, spacing=(1, 1, 1)).sum()
    assert measured == pytest.approx(expected, rel=0.06)
