# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms import annotation_weights


def test_by_hand():
    target = np.zeros((1, 1, 7), np.uint8)
    target[0, 0, 2] = 1
    weights = annotation_weights(target, annotated_fraction=0.65, margin=2, sparse_weight=0.1)
    assert weights.dtype == np.float32
    assert weights.ravel().tolist() == pytest.approx([1, 1, 1, 1, 1, 0.1, 0.1])


def test_distances_run_across_the_slices_too():
    target = np.zeros((3, 1, 4), np.uint8)
    target[0, 0, 0] = 1
    weights = annotation_weights(target, annotated_fraction=0.5, margin=2, sparse_weight=0)
    # slice 1: sqrt(1 + x^2) <= 2 up to x = 1; slice 2: sqrt(4 + x^2) at x = 0 only
    assert weights[:, 0].tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]


def test_a_dense_annotation_is_trusted_everywhere():
    weights = annotation_weights(np.zeros((3, 4, 5)), annotated_fraction=1.0)
    assert np.array_equal(weights, np.ones((3, 4, 5)))


def test_no_vessel_in_sight():
    weights = annotation_weights(np.zeros((3, 4, 5)), annotated_fraction=0.9, sparse_weight=0.25)
    assert (weights == 0.25).all()
