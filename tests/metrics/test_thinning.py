# SPDX-License-Identifier: Apache-2.0
"""Thinning keeps the topology and leaves lines."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from skimage.measure import euler_number, label
from skimage.morphology import skeletonize

from tomobundles.metrics.skeleton import link_lengths, skeleton_links
from tomobundles.metrics.thinning import centre_lines, is_simple

from .vessels import line, tangle, tube


def length(skeleton):
    return link_lengths(*skeleton_links(skeleton), spacing=(1, 1, 1)).sum()


def code(*voxels):
    """Bit code of the neighbours z, y, x in -1, 0, 1."""
    return sum(1 << (9 * (z + 1) + 3 * (y + 1) + x + 1) for z, y, x in voxels)


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ([], False),  # a lone voxel
        ([(0, 0, 1)], True),  # the end of a line
        ([(0, 0, 1), (0, 0, -1)], False),  # within a line
        ([(0, 0, 1), (0, 1, 0)], True),  # a corner whose ends touch
        ([(-1, -1, -1), (1, 1, 1)], False),
        ([step for step in product((-1, 0, 1), repeat=3) if any(step)], False),  # not at the border
        ([(0, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)], False),  # fills a hole
        ([(-1, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)], True),  # a bump on a plate
    ],
)
def test_simple_voxels_by_hand(around, expected):
    assert is_simple(np.array([code(*around)], np.int32)).tolist() == [expected]


def test_simple_is_what_keeps_the_topology():
    """Against counts of objects and the Euler number with and without the centre."""
    rng = np.random.default_rng(0)
    blocks = rng.random((200, 3, 3, 3)) < rng.uniform(0.1, 0.95, (200, 1, 1, 1))
    blocks[:, 1, 1, 1] = False
    codes = (blocks.reshape(200, 27) * (1 << np.arange(27))).sum(axis=1).astype(np.int32)
    for block, simple in zip(blocks, is_simple(codes), strict=True):
        counts = []
        for centre in (False, True):
            block[1, 1, 1] = centre
            padded = np.pad(block, 1)
            holes = label(~padded, connectivity=1).max()
            counts.append((label(padded, connectivity=3).max(), holes, euler_number(padded, connectivity=3)))
        if simple:
            assert counts[0] == counts[1]
        elif counts[0] == counts[1]:  # alike in number, as where one tunnel closes and another one opens
            assert block.sum() > 3


@pytest.mark.parametrize("seed", range(6))
def test_topology_is_kept(seed):
    mask = tangle((24, 30, 28), seed=seed)
    if seed > 2:  # specks, bridges, holes
        mask ^= np.random.default_rng(seed).random(mask.shape) < 0.15 * (seed - 2)
    lines = centre_lines(mask.astype(np.uint8))
    assert not (lines & ~mask).any()
    for connectivity, invert in ((3, False), (1, True)):
        pair = [np.pad(array, 1) ^ invert for array in (mask, lines)]
        assert (
            label(pair[0], connectivity=connectivity).max() == label(pair[1], connectivity=connectivity).max()
        )
    assert euler_number(np.pad(mask, 1), 3) == euler_number(np.pad(lines, 1), 3)
    np.testing.assert_array_equal(centre_lines(lines), lines)  # nothing is left to delete


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_even_widths_do_not_vanish(width, axis):
    mask = np.zeros((10, 10, 30), np.uint8)
    mask[2 : 2 + width, 2 : 2 + width, 3:27] = 1
    lines = centre_lines(np.moveaxis(mask, 2, axis))
    assert 23 - 1.5 * width <= length(lines) <= 23
    assert lines.sum() - 1 == length(lines)  # one straight line


def test_why_not_scikit_image():
    mask = np.zeros((10, 10, 30), bool)
    mask[2:4, 2:4, 3:27] = True
    assert not skeletonize(mask).any()  # if this fails, its bug is mended


def test_as_long_as_scikit_image_otherwise():
    masks = [tangle((24, 40, 40), seed=seed) for seed in range(4)]
    expected = sum(length(skeletonize(mask)) for mask in masks)
    assert sum(length(centre_lines(mask)) for mask in masks) == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("radius", [1.5, 3.3, 6.0])
def test_lines_run_along_the_axis(radius):
    direction = np.array([1.0, 0.4, 0.2])
    axis = direction / np.linalg.norm(direction)
    voxels = np.argwhere(centre_lines(tube((40, 40, 40), radius=radius, direction=direction))) - 19.5
    voxels = voxels[np.abs(voxels[:, 0]) < 12]
    across = voxels - (voxels @ axis)[:, None] * axis
    assert np.linalg.norm(across, axis=1).max() < 1.6
    assert len(voxels) == pytest.approx(24, abs=2)


def test_small_things():
    assert not centre_lines(np.zeros((2, 3, 4))).any()
    assert centre_lines(np.ones((5, 5, 5))).sum() <= 2
    dot = line((0, 0, 0), shape=(1, 1, 1))
    np.testing.assert_array_equal(centre_lines(dot), dot > 0)
    pair = line((1, 1, 1), (2, 2, 2), shape=(4, 4, 4))
    np.testing.assert_array_equal(centre_lines(pair), pair > 0)
    stub = np.zeros((5, 9, 9), np.uint8)
    stub[1:4, 1:8, 1:8] = 1
    without = centre_lines(stub)
    stub[0, 4, 4] = 1  # a single voxel on a plate is no branch
    assert centre_lines(stub).sum() == pytest.approx(without.sum(), abs=2)
