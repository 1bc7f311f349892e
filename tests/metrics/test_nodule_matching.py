# SPDX-License-Identifier: Apache-2.0
"""The contest's rules for one scan, one by one."""

import numpy as np
import pytest

from tomobundles.metrics import match_scan
from tomobundles.metrics.nodule_matching import within
from tomobundles.utils import InputError

NODULE = [[0.0, 0.0, 0.0, 10.0]]


def match(points, probability=None, nodules=NODULE, **others):
    points = [[*point, 0, 0][:3] for point in points]
    probability = np.linspace(0.9, 0.1, len(points)) if probability is None else probability
    return match_scan(points=points, probability=probability, nodules=nodules, **others)


def test_nearer_than_the_radius_and_not_as_near():
    """d / 2 = 5: a candidate at 5 mm is outside, one just nearer is inside."""
    outside, inside = match([[5.0]]), match([[np.nextafter(5, 0)]])
    assert (outside.found.tolist(), outside.false_positives.tolist()) == ([False], [0])
    assert (inside.found.tolist(), inside.false_positives.tolist()) == ([True], [])


def test_distance_is_in_three_dimensions():
    """2, 3, 4 lies sqrt(29) = 5.39 mm away; 2, 3, 3 sqrt(22) = 4.69."""
    assert not match([[2, 3, 4]]).found[0]
    assert match([[2, 3, 3]]).found[0]


def test_a_negative_diameter_counts_as_10_mm():
    one = match([[4.9], [5.1]], nodules=[[0, 0, 0, -1.0]])
    assert (one.hit_index.tolist(), one.false_positives.tolist(), one.diameters.tolist()) == ([0], [1], [10])
    excluded = match([[4.9], [5.1]], nodules=[], excluded=[[0, 0, 0, -1.0]])
    assert (excluded.excluded.tolist(), excluded.false_positives.tolist()) == ([0], [1])


def test_of_several_hits_the_most_probable_counts():
    """Three hits, the second the most probable: the other two are dropped, neither hit nor false positive."""
    one = match([[1], [2], [3], [40]], [0.2, 0.8, 0.5, 0.6])
    assert one.hit_index.tolist() == [1]
    assert one.hit_probability.tolist() == [0.8]
    assert one.hit_rank.tolist() == [1]
    assert one.false_positives.tolist() == [3]
    assert one.false_positive_probability.tolist() == [0.6]
    assert (one.doubles, one.marks, one.candidates) == (2, 4, 4)


def test_rank_is_among_all_candidates_of_the_scan():
    one = match([[40], [1], [60], [2]], [0.9, 0.5, 0.7, 0.4])
    assert one.hit_rank.tolist() == [3]
    tied = match([[40], [1], [60]], [0.5, 0.5, 0.7])
    assert tied.hit_rank.tolist() == [2]  # of equal ones the better rank


def test_candidates_in_excluded_findings_are_left_out():
    """The first hits the nodule too and so stays a hit; the second is left out; the third is outside both."""
    one = match([[0], [8], [30]], excluded=[[4, 0, 0, 10.0]])
    assert one.hit_index.tolist() == [0]
    assert one.excluded.tolist() == [1]
    assert one.false_positives.tolist() == [2]


def test_a_double_hit_in_an_excluded_finding_is_a_hit_still():
    one = match([[0], [1]], [0.9, 0.3], excluded=[[0, 0, 0, 10.0]])
    assert (one.doubles, one.excluded.tolist(), one.false_positives.tolist()) == (1, [], [])


def test_a_candidate_in_two_nodules_serves_both():
    one = match([[3]], [0.7], nodules=[[0, 0, 0, 10.0], [6, 0, 0, 10.0], [50, 0, 0, 10.0]])
    assert one.hit_probability.tolist()[:2] == [0.7, 0.7]
    assert np.isnan(one.hit_probability[2])
    assert one.hit_index.tolist() == [0, 0, -1]
    assert one.hit_rank.tolist() == [1, 1, 0]
    assert (one.shared, one.doubles, len(one.false_positives)) == (1, 0, 0)


def test_a_hundred_marks_more_probable_than_the_next():
    """Of 102 the 101st has 0.5: the 100 above it stay. With three at 0.5 from the 99th on, 98 stay."""
    points = [[20.0 + index] for index in range(102)]
    falling = np.linspace(1, 0.6, 102)
    assert match(points, falling).marks == 100
    assert match(points, falling).false_positives.tolist() == list(range(100))
    tied = np.concatenate([np.linspace(1, 0.6, 98), [0.5, 0.5, 0.5, 0.1]])
    assert match(points, tied).marks == 98
    assert match(points, np.full(102, 0.5)).marks == 0
    assert match(points[:100], np.full(100, 0.5)).marks == 100
    assert match(points, falling, max_marks=0).marks == 102
    assert match(points, falling, max_marks=5).marks == 5
    assert match(points, falling).candidates == 102


def test_a_hit_beyond_the_limit_is_a_miss():
    points = [[20.0 + index] for index in range(101)] + [[0.0]]
    one = match(points, np.linspace(1, 0, 102))
    assert not one.found[0]
    # numbers refer to the order given, also where the weak ones come first
    assert match(points[::-1], np.linspace(0.1, 1, 102)[::-1], max_marks=3).hit_index.tolist() == [0]


def test_nothing_found_and_nothing_to_find():
    nothing = match([], nodules=[])
    assert (nothing.marks, len(nothing.found), len(nothing.false_positives)) == (0, 0, 0)
    missed = match([])
    assert missed.hit_index.tolist() == [-1]
    assert np.isnan(missed.hit_probability[0])
    no_nodule = match([[1], [2]], nodules=np.zeros((0, 4)), excluded=np.zeros((0, 4)))
    assert no_nodule.false_positives.tolist() == [0, 1]


def test_candidates_may_have_a_diameter():
    one = match_scan(points=[[0, 0, 0, 30.0], [9, 0, 0, 30.0]], probability=[0.1, 0.2], nodules=NODULE)
    assert (one.hit_index.tolist(), one.false_positives.tolist()) == ([0], [1])


def test_within_a_factor_of_the_radius():
    points = [[7.4, 0, 0], [7.6, 0, 0]]
    assert within(points, NODULE, factor=1.5).tolist() == [[True], [False]]
    assert within(points, []).shape == (2, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"points": [[0, 0]], "probability": [1]}, r"candidates of the shape \(1, 2\)"),
        ({"points": [[0, 0, np.nan]], "probability": [1]}, "candidates hold NaN"),
        ({"points": [[0, 0, 0]], "probability": [1, 1]}, r"shape \(2,\) for 1 candidates"),
        ({"points": [[0, 0, 0]], "probability": [np.nan]}, "probabilities of candidates hold NaN"),
        ({"nodules": [[0, 0, 0]]}, r"nodules of the shape \(1, 3\), not \(count, 4\)"),
        ({"nodules": [[0, 0, 0, np.inf]]}, "nodules hold NaN or infinity"),
        ({"excluded": [0, 0, 0, 1]}, r"excluded findings of the shape \(4,\)"),
    ],
)
def test_bad_numbers(given, said):
    with pytest.raises(InputError, match=said):
        match_scan(**{"points": [], "probability": [], "nodules": []} | given)
