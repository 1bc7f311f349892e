# SPDX-License-Identifier: Apache-2.0
"""Nodules by size."""

import math

import pytest

from tests.metrics.nodules import random_scans, scan
from tomobundles.metrics import cpm, froc_curve, match_scan, matches_of_size, sensitivity_at, size_bins
from tomobundles.utils import InputError


def test_names_and_edges():
    assert size_bins() == {"3_6": (3, 6), "6_10": (6, 10), "10_20": (10, 20), "20": (20, math.inf)}
    assert size_bins([0.5]) == {"0.5": (0.5, math.inf)}


@pytest.mark.parametrize("edges", [[], [3, 3], [6, 3], [3, math.nan]])
def test_edges_that_do_not_rise(edges):
    with pytest.raises(InputError, match="size bins"):
        size_bins(edges)


def test_false_positives_are_shared_and_other_hits_are_neither():
    """Sizes 5 (found), 6 (found), 12 (missed); one false positive before all hits, of one scan."""
    match = scan([0.6, 0.5], misses=1, false=[0.9], sizes=[5.0, 6.0, 12.0])
    small, middle, large, huge = (matches_of_size([match], *bounds) for bounds in size_bins().values())
    assert [len(one[0].diameters) for one in (small, middle, large, huge)] == [1, 1, 1, 0]
    assert middle[0].hit_probability.tolist() == [0.5]
    assert middle[0].hit_rank.tolist() == [3]
    for one in (small, middle):
        assert sensitivity_at(froc_curve(one)).tolist() == [0, 0, 0, 1, 1, 1, 1]
        assert froc_curve(one).fps_per_scan[-1] == 1
    assert cpm(froc_curve(large)) == 0
    assert math.isnan(cpm(froc_curve(huge)))


def test_bins_add_up_to_the_whole():
    """At any rate of false positives the sensitivity of all is the mean of the bins, by nodules."""
    matches = [match_scan(**one) for one in random_scans(4, ties=False)]
    whole = froc_curve(matches)
    curves = [froc_curve(matches_of_size(matches, *bounds)) for bounds in size_bins().values()]
    assert sum(curve.nodules for curve in curves) == whole.nodules
    ends = [curve.sensitivity[-1] * curve.nodules for curve in curves if curve.nodules]
    assert sum(ends) == pytest.approx(whole.sensitivity[-1] * whole.nodules)
    assert {curve.fps_per_scan[-1] for curve in curves} == {whole.fps_per_scan[-1]}
