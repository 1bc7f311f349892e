# SPDX-License-Identifier: Apache-2.0
"""FROC and CPM by hand, and against a slow count of everything."""

from dataclasses import replace

import numpy as np
import pytest

from tests.metrics.nodules import random_scans, scan, slow_points, slow_sensitivity
from tomobundles.metrics import FROC_RATES, cpm, froc_curve, match_scan, sensitivity_at
from tomobundles.utils import InputError


def test_a_curve_by_hand():
    """Two scans, three nodules: hits at 0.9 and 0.5, one missed; false positives at 0.8, 0.5 and 0.3.

    Down the thresholds 0.9, 0.8, 0.5, 0.3: hits 1 1 2 2 of 3, false positives 0 1 2 3 in 2 scans.
    """
    curve = froc_curve([scan([0.9], misses=1, false=[0.8, 0.3]), scan([0.5], false=[0.5])])
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.8, 0.5, 0.3]
    assert curve.fps_per_scan.tolist() == [0, 0, 0.5, 1, 1.5]
    assert curve.sensitivity.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert (curve.nodules, curve.scans) == (3, 2)
    # 1/8, 1/4 and 1/2 lie on the level part, 1 at the point, the rest beyond the end
    assert sensitivity_at(curve).tolist() == pytest.approx([1 / 3] * 3 + [2 / 3] * 4)
    assert cpm(curve) == pytest.approx((3 / 3 + 4 * 2 / 3) / 7)


def test_between_points_it_is_linear():
    """A hit tied with a false positive in one scan: from (0, 0) straight to (1, 1)."""
    curve = froc_curve([scan([0.5], false=[0.5])])
    assert curve.fps_per_scan.tolist() == [0, 1]
    assert sensitivity_at(curve).tolist() == [0.125, 0.25, 0.5, 1, 1, 1, 1]
    assert cpm(curve) == pytest.approx(4.875 / 7)


def test_where_it_rises_straight_up_the_top_counts():
    """Eight scans: one false positive above the hit makes 1/8, where the curve rises from 0 to 1."""
    curve = froc_curve([scan([0.5], false=[0.9]), *[scan()] * 7])
    assert curve.fps_per_scan.tolist() == [0, 0.125, 0.125]
    assert cpm(curve) == 1


def test_scans_without_nodules_count_among_the_scans():
    one = [scan([0.5], false=[0.9])]
    assert sensitivity_at(froc_curve(one)).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert sensitivity_at(froc_curve([*one, scan()])).tolist() == [0, 0, 1, 1, 1, 1, 1]
    # and their false positives among the false positives
    more = froc_curve([*one, scan(false=[0.9])])
    assert sensitivity_at(more).tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_a_missed_nodule_counts_among_the_nodules_alone():
    curve = froc_curve([scan([0.5], misses=3)])
    assert sensitivity_at(curve).tolist() == [0.25] * 7
    assert len(curve.thresholds) == 2


def test_no_false_positive_no_hit_no_mark():
    assert cpm(froc_curve([scan([0.5, 0.2])])) == 1
    assert cpm(froc_curve([scan(misses=2, false=[0.9])])) == 0
    nothing = froc_curve([scan(misses=1), scan()])
    assert (nothing.fps_per_scan.tolist(), nothing.sensitivity.tolist()) == ([0], [0])
    assert cpm(nothing) == 0


def test_no_nodule_at_all_is_nan():
    curve = froc_curve([scan(false=[0.9, 0.1]), scan()])
    assert curve.fps_per_scan.tolist() == [0, 0.5, 1]
    assert np.isnan(curve.sensitivity).all()
    assert np.isnan(sensitivity_at(curve)).all()
    assert np.isnan(cpm(curve))


def test_a_shared_candidate_is_two_hits_of_its_probability():
    both = match_scan(
        points=[[3, 0, 0]], probability=[0.7], nodules=[[0, 0, 0, 10], [6, 0, 0, 10], [60, 0, 0, 10]]
    )
    assert froc_curve([both]).sensitivity.tolist() == pytest.approx([0, 2 / 3])


def test_no_scan():
    with pytest.raises(InputError, match="no scan to score"):
        froc_curve([])


def _matches(scans, **others):
    return [match_scan(**one, **others) for one in scans]


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_as_counted_slowly(seed, ties):
    scans = random_scans(seed, ties=ties)
    for marks in (100, 10):
        points = slow_points(scans, max_marks=marks)
        curve = froc_curve(_matches(scans, max_marks=marks))
        expected = [slow_sensitivity(points, rate) for rate in FROC_RATES]
        assert sensitivity_at(curve).tolist() == pytest.approx(expected)
        assert cpm(curve) == pytest.approx(np.mean(expected))
        for rate in (0.3, 1.7, 5.1, 30):
            assert sensitivity_at(curve, rate) == pytest.approx(slow_sensitivity(points, rate))


@pytest.mark.parametrize("seed", range(3))
def test_only_the_order_of_probabilities_counts(seed):
    scans = random_scans(seed)
    value = cpm(froc_curve(_matches(scans)))
    for change in (np.exp, lambda p: p**3 - 7, lambda p: 1e-9 * p):
        changed = [one | {"probability": change(one["probability"])} for one in scans]
        assert cpm(froc_curve(_matches(changed))) == pytest.approx(value)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_scans_candidates_and_nodules_does_not_count(seed):
    scans, rng = random_scans(seed), np.random.default_rng(seed)
    mixed = []
    for index in rng.permutation(len(scans)):
        one = scans[index]
        order, nodules = rng.permutation(len(one["points"])), rng.permutation(len(one["nodules"]))
        changed = {"points": one["points"][order], "probability": one["probability"][order]}
        mixed.append(one | changed | {"nodules": one["nodules"][nodules]})
    one, other = froc_curve(_matches(scans)), froc_curve(_matches(mixed))
    for name in ("fps_per_scan", "sensitivity", "thresholds"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name))


def test_a_false_positive_more_never_helps():
    matches = _matches(random_scans(0))
    worse = replace(
        matches[0],
        false_positives=np.append(matches[0].false_positives, 99),
        false_positive_probability=np.append(matches[0].false_positive_probability, 0.95),
    )
    assert cpm(froc_curve([worse, *matches[1:]])) < cpm(froc_curve(matches))
