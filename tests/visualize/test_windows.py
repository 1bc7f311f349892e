# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.visualize.windows import robust_window, to_gray


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, ">u2"])
def test_window_ignores_outliers(dtype):
    # 1000 values: 1 ... 998 spread over 10..109, one 0 and one 200. Outliers are 0.1 % each, below 0.5 %.
    values = np.concatenate([[0], 10 + np.arange(998) % 100, [200]]).astype(dtype)
    low, high = robust_window(values.reshape(10, 10, 10), percentiles=(0.5, 99.5))
    assert (low, high) == (10, 109)


def test_window_of_all_values():
    assert robust_window(np.array([[[3.0, -5.0, 7.0]]]), percentiles=(0, 100)) == (-5, 7)


def test_window_of_a_nearly_empty_volume_takes_the_extremes():
    volume = np.zeros((20, 20, 20), np.uint8)
    volume[0, 0, 0] = 90
    assert robust_window(volume) == (0, 90)


def test_window_ignores_nan_and_infinity():
    assert robust_window(np.array([[np.nan, 1.0, 2.0, np.inf]]), percentiles=(0, 100)) == (1, 2)
    assert robust_window(np.full((2, 2, 2), np.nan)) == (0, 0)


def test_window_of_a_large_float_volume_is_sampled():
    volume = np.broadcast_to(np.linspace(0, 1, 2000, dtype=np.float32)[:, None, None], (2000, 2000, 2))
    low, high = robust_window(volume, percentiles=(1, 99))  # 8 million values, 2 million looked at
    assert (low, high) == pytest.approx((0.01, 0.99), abs=0.002)


def test_gray_values():
    # (x - 10) * 255 / 20: 10 -> 0, 20 -> 127.5 (rounds to the even 128), 30 -> 255; outside is clipped.
    pixels = np.array([[-1000, 10, 20], [30, 31, 9]], np.int16)
    gray = to_gray(pixels, (10, 30))
    assert gray.dtype == np.uint8
    assert gray.tolist() == [[0, 0, 128], [255, 255, 0]]


def test_gray_of_odd_values():
    assert to_gray(np.array([np.nan, np.inf, -np.inf, 1.0]), (0, 1)).tolist() == [0, 255, 0, 255]
    assert to_gray(np.full((2, 2), 7), (7, 7)).tolist() == [[0, 0], [0, 0]]
