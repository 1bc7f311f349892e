# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.visualize.key_slices import choose_key_slices


def study(*rows):
    probability = np.array(rows, dtype=float)
    called = probability >= 0.5
    return probability, called, called.any(axis=1)


def test_the_highest_slice_of_each_subtype_comes_first():
    probability, called, shown = study(
        [0.6, 0.9, 0.1, 0, 0, 0], [0, 0, 0, 0.5, 0.7, 0.1], [0.6, 0.9, 0.1, 0.5, 0.7, 0.1]
    )
    assert choose_key_slices(probability, called, shown=shown, max_slices=2) == [1, 4]
    assert choose_key_slices(probability, called, shown=shown, max_slices=3) == [0, 1, 4]
    assert choose_key_slices(probability, called, shown=shown) == [0, 1, 3, 4]  # no more are called


def test_flagged_slices_come_before_further_called_ones():
    probability, called, shown = study([0.9, 0.8, 0.7, 0, 0], [0, 0, 0, 0.2, 0.3], [0.9, 0.8, 0.7, 0.2, 0.3])
    flagged = np.zeros_like(probability)
    flagged[1, 3:] = [0.7, 0.6]
    chosen = choose_key_slices(probability, called, shown=shown, flagged=flagged, max_slices=2)
    assert chosen == [0, 3]


def test_further_slices_are_spread():
    any_row = [0.9, *[0.8] * 19]
    probability, called, shown = study([0.9, *[0] * 19], any_row)
    chosen = choose_key_slices(probability, called, shown=shown, max_slices=5)
    assert len(chosen) == 5
    assert np.diff(chosen).min() >= 4


def test_a_slice_may_serve_several_classes():
    probability, called, shown = study([0, 0.9, 0], [0, 0.8, 0], [0, 0.9, 0])
    assert choose_key_slices(probability, called, shown=shown) == [1]


def test_a_negative_study_shows_its_highest_slice():
    probability, called, shown = study([0.2, 0.1, 0.1], [0.2, 0.1, 0.3])
    assert choose_key_slices(probability, called, shown=shown) == [2]


@pytest.mark.parametrize("max_slices", [1, 2])
def test_never_too_many(max_slices):
    probability, called, shown = study([0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9], [0.9, 0.9, 0.9])
    chosen = choose_key_slices(probability, called, shown=shown, flagged=probability, max_slices=max_slices)
    assert len(chosen) == max_slices
