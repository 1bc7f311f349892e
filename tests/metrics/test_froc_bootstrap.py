# SPDX-License-Identifier: Apache-2.0
"""Curves of scans drawn again."""

import math

import numpy as np
import pytest

from tests.metrics.nodules import random_scans, scan
from tomobundles.metrics import FROC_RATES, bootstrap_froc, cpm, froc_curve, match_scan, sensitivity_at
from tomobundles.metrics.froc import Marks
from tomobundles.utils import InputError


@pytest.fixture(scope="module")
def matches():
    return [match_scan(**one) for one in random_scans(1, count=20)]


def test_the_band(matches):
    band = bootstrap_froc(matches, samples=200, points=500)
    assert band.fps_per_scan[[0, -1]].tolist() == [0.125, 8]
    assert len(band.fps_per_scan) == len(band.mean) == 500
    assert (band.low <= band.high).all()
    assert band.low[-1] < band.mean[-1] < band.high[-1]
    assert (np.diff(band.mean) >= 0).all()
    curve = froc_curve(matches)
    assert band.cpm.value == cpm(curve)
    assert band.cpm.low < band.cpm.value < band.cpm.high
    assert list(band.sensitivity) == list(FROC_RATES)
    assert [one.value for one in band.sensitivity.values()] == sensitivity_at(curve).tolist()
    assert band.sensitivity[8].high == pytest.approx(band.high[-1], rel=1e-6)
    assert band.sensitivity[0.125].low == pytest.approx(band.low[0], rel=1e-6)


def test_ten_thousand_points_by_default(matches):
    assert len(bootstrap_froc(matches, samples=2).fps_per_scan) == 10_000


def test_the_seed_draws_the_scans(matches):
    one, same, other = (bootstrap_froc(matches, samples=50, seed=seed, points=9) for seed in (0, 0, 1))
    assert one.mean.tolist() == same.mean.tolist()
    assert one.mean.tolist() != other.mean.tolist()


def test_weights_are_repeats_of_scans(matches):
    """A scan drawn twice is two scans; one not drawn is none."""
    weights = np.random.default_rng(0).multinomial(len(matches), [1 / len(matches)] * len(matches))
    fps, sensitivity = Marks.of(matches).curve(weights)
    again = froc_curve([match for match, count in zip(matches, weights, strict=True) for _ in range(count)])
    for rate in (0.1, 0.5, 1.3, 7):
        value = np.interp(rate, fps, sensitivity)
        assert value == pytest.approx(float(sensitivity_at(again, rate)))


def test_bounds_are_the_values_at_floor_p_times_samples():
    """A nodule found in one of two scans: samples give 0, 1/2 or 1, and 1/4 of each outer one.

    So 2.5 and 97.5 % are 0 and 1; of the middle 20 % both bounds are 1/2.
    """
    pair = [scan([0.5]), scan(misses=1)]
    band = bootstrap_froc(pair, samples=400, points=3)
    assert (band.low.tolist(), band.high.tolist()) == ([0] * 3, [1] * 3)
    assert band.cpm == (0.5, 0, 1)
    middle = bootstrap_froc(pair, samples=400, points=3, level=0.2)
    assert middle.cpm == (0.5, 0.5, 0.5)
    assert middle.mean.tolist() == pytest.approx([0.5] * 3, abs=0.06)


def test_samples_without_a_nodule_are_left_out():
    """The one scan with a nodule, found, is drawn or not: where it is, the sensitivity is 1."""
    band = bootstrap_froc([scan([0.5]), scan(), scan()], samples=300, points=3)
    assert 0 < band.samples < 300
    assert band.samples / 300 == pytest.approx(1 - (2 / 3) ** 3, abs=0.1)
    assert (band.mean.tolist(), band.cpm) == ([1] * 3, (1, 1, 1))


@pytest.mark.parametrize("matches", [[scan([0.5])], [scan(false=[0.4]), scan()]])
def test_one_scan_or_no_nodule_have_no_bounds(matches):
    band = bootstrap_froc(matches, samples=10, points=4)
    assert band.samples == 0
    assert np.isnan([*band.mean, *band.low, *band.high, band.cpm.low, band.cpm.high]).all()
    assert band.cpm.value == 1 or math.isnan(band.cpm.value)


@pytest.mark.parametrize("given", [{"samples": 0}, {"points": 1}, {"level": 1.0}, {"level": 0.0}])
def test_what_cannot_be_drawn(given):
    with pytest.raises(InputError, match="cannot draw"):
        bootstrap_froc([scan([0.5])], **given)
