# SPDX-License-Identifier: Apache-2.0
"""Errors of places, sizes and outlines."""

import math

import numpy as np
import pytest
import torch

from tomobundles.metrics import mask_dice, mask_errors, sphere_errors
from tomobundles.utils import InputError


def boxes(*places, shape=(12, 14, 16)):
    mask = np.zeros(shape, np.uint8)
    for place in places:
        mask[tuple(slice(start, stop) for start, stop in place)] = 1
    return mask


def ball(centre, diameter, shape=(40, 40, 40)):
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return (((grid - centre) ** 2).sum(axis=-1) < (diameter / 2) ** 2).astype(np.uint8)


def test_errors_of_spheres():
    """The first nodule is hit by candidate 1, 3-4-0 away and 2 mm too small; the second is missed."""
    found = [[9, 9, 9, 9], [3, 4, 0, 8.0]]
    centre, size = sphere_errors(found, [[0, 0, 0, 10], [50, 0, 0, 5]], [1, -1])
    assert (centre[0], size[0]) == (5, -2)
    assert np.isnan([centre[1], size[1]]).all()


def test_an_unknown_diameter_has_no_error():
    centre, size = sphere_errors([[1, 0, 0, 8.0]], [[0, 0, 0, -1]], [0])
    assert centre.tolist() == [1]
    assert np.isnan(size).all()


def test_no_nodules_no_errors():
    assert [len(errors) for errors in sphere_errors([[0, 0, 0, 1]], [], [])] == [0, 0]
    assert np.isnan(sphere_errors([], [[0, 0, 0, 1]], [-1])).all()


def test_dice():
    """8 and 12 voxels share 4: 2 * 4 / 20."""
    one, other = boxes([(0, 2), (0, 2), (0, 2)]), boxes([(1, 2), (0, 2), (0, 6)])
    assert mask_dice(one, other) == pytest.approx(0.4)
    assert mask_dice(torch.from_numpy(3 * one)[None], torch.from_numpy(other)[None]) == pytest.approx(0.4)
    assert mask_dice(np.zeros_like(one), other) == 0
    assert math.isnan(mask_dice(one, np.zeros_like(one)))


def test_errors_of_masks():
    """A cube moved by one voxel of 2 mm and a plane longer: centre 1 voxel + 0.5, volume 4 to 6 planes."""
    truth = boxes([(2, 6), (3, 7), (4, 8)], [(9, 11), (10, 12), (12, 14)])
    found = boxes([(3, 9), (3, 7), (4, 8)])
    centre, size = mask_errors(found, truth, spacing=(2.0, 1.0, 0.5))
    assert centre[0] == pytest.approx(2 * 2)
    assert size[0] == pytest.approx(np.cbrt(6 * 96 / math.pi) - np.cbrt(6 * 64 / math.pi))
    assert np.isnan([centre[1], size[1]]).all()


def test_the_component_that_shares_most():
    truth = boxes([(0, 4), (0, 4), (0, 8)])
    found = boxes([(0, 4), (0, 4), (0, 2)], [(0, 4), (0, 4), (4, 8)], [(9, 12), (9, 12), (9, 12)])
    centre, _ = mask_errors(found, truth)
    assert centre.tolist() == [2]  # 5.5 - 3.5


def test_diameter_of_a_ball_is_its_own():
    """A digital ball's volume is within 1 % of the ball's, so its diameter is within 0.1 mm."""
    centre, size = mask_errors(ball((19, 20, 21), 16), ball((20, 20, 20), 20))
    assert centre[0] == pytest.approx(math.sqrt(2), abs=0.01)
    assert size[0] == pytest.approx(-4, abs=0.1)


def test_empty_masks():
    none = np.zeros((3, 3, 3), np.uint8)
    assert [len(errors) for errors in mask_errors(none, none)] == [0, 0]
    assert [len(errors) for errors in mask_errors(none + 1, none)] == [0, 0]
    assert np.isnan(mask_errors(none, none + 1)).all()


def test_masks_that_do_not_fit():
    with pytest.raises(InputError, match=r"shapes \(2, 2, 2\) and \(2, 2, 3\)"):
        mask_dice(np.ones((2, 2, 2)), np.ones((2, 2, 3)))
    with pytest.raises(InputError, match=r"shapes \(2, 2, 2\) and \(2, 2, 3\)"):
        mask_errors(np.ones((2, 2, 2)), np.ones((2, 2, 3)))
    with pytest.raises(InputError, match=r"not \(H, W, D\)"):
        mask_errors(np.ones((2, 2)), np.ones((2, 2)))
