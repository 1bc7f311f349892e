# SPDX-License-Identifier: Apache-2.0
"""Estimates of the time that is left."""

from __future__ import annotations

import math

import pytest

from tomobundles.handlers.time_left import TimeLeft, clock


def test_training_alone():
    # 20 of 100 iterations in 10 s: 80 more take 40 s
    assert TimeLeft(iterations=100).seconds(20, elapsed=10) == 40


def test_validations_are_kept_apart():
    # 26 s for 20 iterations and validations of 10 and 6 s: 10 s of training, 0.5 s each; 80 * 0.5 + 3 * 8
    time_left = TimeLeft(iterations=100)
    time_left.add_validation(10)
    time_left.add_validation(6)
    assert time_left.seconds(20, elapsed=26, validations_left=3) == 64


def test_untimed_validations_are_not_guessed():
    assert TimeLeft(iterations=100).seconds(20, elapsed=10, validations_left=5) == 40


def test_a_resumed_run_counts_from_its_start():
    # 10 iterations in this run took 20 s; 40 are left
    assert TimeLeft(iterations=100, done=50).seconds(60, elapsed=20) == 80


def test_unknown():
    assert math.isnan(TimeLeft(iterations=100, done=50).seconds(50, elapsed=1))
    assert math.isnan(TimeLeft(iterations=0).seconds(50, elapsed=1))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00:00"),
        (59.4, "0:00:59"),
        (59.6, "0:01:00"),
        (3725, "1:02:05"),
        (360000, "100:00:00"),
        (math.nan, "?"),
    ],
)
def test_clock(seconds, text):
    assert clock(seconds) == text
