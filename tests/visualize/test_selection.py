# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.selection import choose_slices, count_pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
def test_count_pixels(dtype):
    mask = np.zeros((2, 2, 3), dtype)
    mask[..., 1] = [[1, 1], [2, 0]]
    mask[..., 2] = 2
    assert count_pixels(mask, 3).tolist() == [[0, 2, 0], [0, 1, 4], [0, 0, 0]]


def test_ignored_pixels_belong_to_no_class():
    mask = np.array([[[255, 1]]], np.uint8)
    assert count_pixels(mask, 1, ignore_label=255).tolist() == [[0, 1]]
    with pytest.raises(InputError, match="class 255 in slice 1"):
        count_pixels(mask, 1)


@pytest.mark.parametrize(
    ("value", "message"), [(3, "class 3 in slice 2, but classes end at 2"), (-1, "class -1 in slice 2")]
)
def test_classes_without_a_name(value, message):
    mask = np.zeros((2, 2, 3), np.int16)
    mask[0, 0, 1] = value
    with pytest.raises(InputError, match=message):
        count_pixels(mask, 2)


def test_without_findings_the_choice_is_even():
    # Centres of four equal parts of 0..19: 2.5, 7.5, 12.5, 17.5.
    assert choose_slices(np.zeros((2, 20), int), 4) == [2, 7, 12, 17]


def test_each_class_is_shown_where_it_is_largest():
    counts = np.zeros((3, 100), int)
    counts[0, 10:90] = 50
    counts[0, 40] = 60
    counts[1, 70] = 9
    counts[2, 71] = 1
    assert set(choose_slices(counts, 5)) >= {40, 70, 71}


def test_rare_classes_come_first_when_there_are_few_places():
    counts = np.zeros((2, 10), int)
    counts[0] = 100
    counts[1, 3] = 1
    assert choose_slices(counts, 1) == [3]


def test_one_slice_may_show_two_classes():
    counts = np.zeros((2, 10), int)
    counts[:, 4] = 5
    assert 4 in choose_slices(counts, 2)
    assert len(choose_slices(counts, 2)) == 2


def test_the_choice_spreads():
    counts = np.full((1, 100), 10)
    chosen = choose_slices(counts, 5)
    assert np.diff(chosen).min() >= 15  # even spacing is 20


def test_shallow_volumes_show_all_once():
    counts = np.array([[0, 5, 0]])
    assert choose_slices(counts, 5) == [0, 1, 2]


def test_findings_come_before_empty_slices():
    counts = np.zeros((1, 50), int)
    counts[0, 20:30] = 10
    assert all(20 <= index < 30 for index in choose_slices(counts, 3))
