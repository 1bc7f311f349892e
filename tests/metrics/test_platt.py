# SPDX-License-Identifier: Apache-2.0
"""One class's calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from tomobundles.metrics import PlattCalibrator, brier_score, fit_platt, fit_temperature
from tomobundles.utils import InputError

NAN = math.nan
FITS = [fit_platt, fit_temperature]


def drawn(slope: float, intercept: float, n: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors, and labels that follow sigmoid(slope * logit + intercept)."""
    rng = np.random.default_rng(0)
    x = rng.normal(-1, 2, n)
    return expit(x), (rng.random(n) < expit(slope * x + intercept)).astype(float)


def test_apply_by_hand() -> None:
    # logit(.8) = ln 4: slope 2 gives ln 16 -> 16/17; with an intercept of -ln 16, 1/2
    q = torch.tensor([0.8])
    assert PlattCalibrator(slope=2, fitted=True).apply(q).item() == pytest.approx(16 / 17)
    shifted = PlattCalibrator(slope=2, intercept=-math.log(16), fitted=True)
    assert shifted.apply(q).item() == pytest.approx(0.5)


def test_what_is_not_fitted_changes_nothing() -> None:
    q = torch.tensor([0.0, 1e-7, 0.3, 1.0, NAN])
    assert PlattCalibrator().apply(q) is q


def test_apply_keeps_order_kind_and_nan() -> None:
    calibrator = PlattCalibrator(slope=0.7, intercept=-1, fitted=True)
    q = torch.linspace(0, 1, 500)
    result = calibrator.apply(q)
    assert result.dtype == torch.float32
    assert (result.diff() >= 0).all()
    assert (result[1:-1].diff() > 0).all()
    assert 0 < result.min() < result.max() < 1
    array = calibrator.apply(q.numpy())
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, result)
    assert calibrator.apply(torch.tensor([NAN])).isnan().all()


@pytest.mark.parametrize("parameters", [{"slope": 0}, {"slope": -1}, {"slope": NAN}, {"intercept": math.inf}])
def test_maps_that_do_not_grow_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(InputError, match="make no probability that grows\nFit the calibration again"):
        PlattCalibrator(**parameters)


def test_platt_finds_what_the_labels_were_drawn_with() -> None:
    found = fit_platt(*drawn(0.6, 0.8))
    assert (found.slope, found.intercept) == pytest.approx((0.6, 0.8), abs=0.04)
    assert found.fitted
    q, y = drawn(0.6, 0.8)
    after = brier_score(torch.as_tensor(found.apply(q)), torch.as_tensor(y))
    assert after < brier_score(torch.as_tensor(q), torch.as_tensor(y)) - 0.01


def test_temperature_finds_what_the_labels_were_drawn_with() -> None:
    found = fit_temperature(*drawn(0.5, 0.0))
    assert found.slope == pytest.approx(0.5, abs=0.02)
    assert found.intercept == 0
    assert found.fitted


def test_platts_targets_by_hand() -> None:
    # one value for both outcomes: only the height can be fitted. Three present ones have target 4/5, one
    # absent one 1/3; the mean is (3 * .8 + 1/3) / 4 = 41/60.
    found = fit_platt(np.full(4, 0.5), np.array([1.0, 1, 1, 0]))
    assert found.apply(np.array([0.5])).item() == pytest.approx(41 / 60, abs=1e-6)
    assert (found.n_pos, found.n_neg) == (3, 1)


def test_two_values_by_hand() -> None:
    # two parameters meet two means: at .2, nine absent (target 1/11) and one present (10/11 with nine
    # present in all ... n_pos = 9, n_neg = 10): (9/12 + 10/11)/10; at .7, eight present, one absent
    q = np.repeat([0.2, 0.7], [10, 9])
    y = np.array([0.0] * 9 + [1] + [1.0] * 8 + [0])
    found = fit_platt(q, y)
    low = (9 * 1 / 12 + 10 / 11) / 10
    high = (8 * 10 / 11 + 1 / 12) / 9
    np.testing.assert_allclose(found.apply(np.array([0.2, 0.7])), [low, high], atol=1e-6)
    slope = (logit(high) - logit(low)) / (logit(0.7) - logit(0.2))
    assert found.slope == pytest.approx(slope, abs=1e-5)


def test_weights_count_as_examples() -> None:
    q, y = (values[:200] for values in drawn(1.5, -1))
    weights = np.arange(200) % 3
    repeated = fit_platt(np.repeat(q, weights), np.repeat(y, weights))
    weighted = fit_platt(q, y, weights=weights)
    assert (weighted.slope, weighted.intercept) == pytest.approx(
        (repeated.slope, repeated.intercept), abs=1e-5
    )
    assert weighted.n_pos + weighted.n_neg == (weights > 0).sum()
    assert fit_temperature(q, y, weights=weights).slope == pytest.approx(
        fit_temperature(np.repeat(q, weights), np.repeat(y, weights)).slope, abs=1e-5
    )


@pytest.mark.parametrize("fit", FITS)
def test_perfect_separation_stays_finite(fit) -> None:
    found = fit(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0, 1, 1]))
    assert found.fitted
    assert 0 < found.slope < 30
    assert 0 < found.apply(np.array([0.01])).item() < 0.5 < found.apply(np.array([0.99])).item() < 1


@pytest.mark.parametrize("fit", FITS)
def test_scores_that_point_the_wrong_way_keep_a_positive_slope(fit) -> None:
    found = fit(np.array([0.1, 0.2, 0.8, 0.9]), np.array([1.0, 1, 0, 0]))
    assert 0 < found.slope <= 0.051


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("label", "counts"), [([0, 0, NAN], (0, 2)), ([1, NAN, 1], (2, 0)), ([NAN] * 3, (0, 0))]
)
def test_one_outcome_alone_is_not_fitted(fit, label: list[float], counts: tuple[int, int]) -> None:
    found = fit(torch.tensor([0.1, 0.5, 0.9]), torch.tensor(label))
    assert found == PlattCalibrator(n_pos=counts[0], n_neg=counts[1])
    assert not found.fitted


@pytest.mark.parametrize("fit", FITS)
def test_unknown_labels_are_left_out(fit) -> None:
    q, y = (values[:50] for values in drawn(1, 0))
    more = fit(np.append(q, [0.9, NAN]), np.append(y, [NAN, NAN]))
    assert more == fit(q, y)


@pytest.mark.parametrize("fit", FITS)
def test_refusals(fit) -> None:
    q, y = np.array([0.1, 0.9]), np.array([0.0, 1.0])
    for posterior, label, weights in [
        (np.array([0.1, NAN]), y, None),
        (np.array([-3.0, 2.0]), y, None),
        (q, np.array([0.0, 2.0]), None),
        (q, y, np.array([1.0, -1.0])),
        (q, y, np.array([1.0, np.inf])),
    ]:
        with pytest.raises(InputError, match=r"needs posteriors in \[0, 1\].*\nLook for NaN"):
            fit(posterior, label, weights=weights)
    for label, weights in [(y[:1], None), (y, np.ones(3)), (y[None], None)]:
        with pytest.raises(InputError, match="are not one list of examples\nGive one of each"):
            fit(q, label, weights=weights)
