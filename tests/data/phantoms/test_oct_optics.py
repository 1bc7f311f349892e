# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.oct_fields import Grid
from tomobundles.data.phantoms.oct_optics import Scanner, draw_scanner, speckle

GRID = Grid((200, 100, 2))


def scanner(**changes) -> Scanner:
    settings = {
        "floor": 80.0,
        "grey_per_db": 3.0,
        "roll_off_db": 0.0,
        "illumination": np.zeros((2, 100), np.float32),
    }
    return Scanner(grid=GRID, **{**settings, **changes})


def flat(level: float, **changes) -> np.ndarray:
    return scanner(**changes).expose(np.full((200, 100), level, np.float32), 0, np.random.default_rng(0))


def test_noise_floor_by_hand():
    # two looks: E[10 log10 gamma(2)/2] = 4.343 (digamma(2) - ln 2) = 4.343 (0.4228 - 0.6931) = -1.174 dB,
    # sd 4.343 sqrt(trigamma(2)) = 4.343 sqrt(0.6449) = 3.488 dB; at 3 greys/dB: 80 - 3.5 and 10.5
    grey = flat(-100.0)
    assert grey.dtype == np.uint8
    assert grey.mean() == pytest.approx(76.5, abs=0.4)
    assert grey.std() == pytest.approx(10.5, abs=0.4)


def test_ten_db_more_signal_is_thirty_greys_more():
    assert flat(40.0).mean() - flat(30.0).mean() == pytest.approx(30, abs=0.2)


def test_equal_signal_and_noise_lie_three_db_above_either():
    # 0 dB signal + 0 dB noise = 3.01 dB = 9 greys, and less spread (4 independent looks: sd 2.31 dB)
    both = flat(0.0)
    assert both.mean() - flat(-100.0).mean() == pytest.approx(9 + 3 * (1.174 - 0.565), abs=0.6)
    assert both.std() < flat(-100.0).std()


def test_grey_is_clipped_not_wrapped():
    assert (flat(90.0) == 255).all()
    assert flat(-100.0, floor=-100.0).max() == 0


def test_roll_off_and_illumination_take_their_db():
    rolled = flat(40.0, roll_off_db=4.0).astype(float)  # 4 dB from top to bottom = 12 greys
    assert rolled[:20].mean() - rolled[-20:].mean() == pytest.approx(12 * 0.9, abs=1.0)
    shade = np.zeros((2, 100), np.float32)
    shade[0, :50] = -10
    shaded = flat(40.0, illumination=shade).astype(float)
    assert shaded[:, 50:].mean() - shaded[:, :50].mean() == pytest.approx(30, abs=0.6)


def test_speckle_is_gamma_with_two_looks():
    # mean 1 and contrast 1/sqrt(2)
    pattern = speckle(np.random.default_rng(1), (400, 400), (0.0, 0.0))
    assert pattern.mean() == pytest.approx(1, abs=1e-3)
    assert pattern.std() == pytest.approx(0.5**0.5, abs=0.02)
    assert pattern.min() > 0


def test_speckle_is_correlated_over_the_resolution_cell_only():
    # fields smoothed by s have correlation exp(-d^2 / 4 s^2), intensities its square: s = 2, d = 2: exp(-0.5)
    pattern = speckle(np.random.default_rng(2), (600, 600), (2.0, 0.0))

    def correlation(a, b):
        return np.corrcoef(a.ravel(), b.ravel())[0, 1]

    assert correlation(pattern[:-2], pattern[2:]) == pytest.approx(np.exp(-0.5), abs=0.05)
    assert correlation(pattern[:-12], pattern[12:]) == pytest.approx(0, abs=0.03)
    assert correlation(pattern[:, :-3], pattern[:, 3:]) == pytest.approx(0, abs=0.03)


def test_scanner_settings_differ_between_seeds_and_repeat():
    one, again, other = (draw_scanner(GRID, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.floor == again.floor != other.floor
    np.testing.assert_array_equal(one.illumination, again.illumination)
    assert one.illumination.shape == (2, 100)
