# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.projections import project

from .volumes import Boxes

SHAPE = (6, 5, 4)


@pytest.fixture
def volumes():
    rng = np.random.default_rng(0)
    return rng.integers(0, 60000, SHAPE, np.uint16), rng.random(SHAPE) < 0.1, rng.random(SHAPE) < 0.1


@pytest.mark.parametrize("slab_bytes", [1, 200, 1 << 20])
def test_equals_the_whole_volume(volumes, slab_bytes):
    image, mask, reference = volumes
    boxes = [Boxes(one) for one in volumes]
    views = project(*boxes[:2], reference=boxes[2], slab_bytes=slab_bytes)
    for axis, view in enumerate(views):
        np.testing.assert_array_equal(view.image, image.max(axis=axis))
        np.testing.assert_array_equal(view.mask, mask.any(axis=axis))
        np.testing.assert_array_equal(view.reference, reference.any(axis=axis))
        first = np.where(mask.any(axis=axis), mask.argmax(axis=axis), -1)
        np.testing.assert_array_equal(view.depth, first)
    if slab_bytes == 1:
        assert all(one.largest == 20 and one.reads == 6 for one in boxes)  # each slice once


def test_without_mask_and_reference():
    views = project(Boxes(np.full(SHAPE, -3.0)), Boxes(np.zeros(SHAPE)))
    assert all((view.image == -3).all() and (view.depth == -1).all() for view in views)
    assert all(view.reference is None and not view.mask.any() for view in views)


def test_wrong_shape():
    with pytest.raises(InputError, match="do not fit"):
        project(Boxes(np.zeros(SHAPE)), Boxes(np.zeros((6, 5, 5))))
