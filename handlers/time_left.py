# SPDX-License-Identifier: Apache-2.0
"""How long a training run still takes, validation included."""

from __future__ import annotations

import math


class TimeLeft:
    """Estimate from the mean duration of the iterations and of the validations so far.

    Args:
        iterations: iterations of the whole run; 0 when unknown.
        done: iterations that were done before this start, when a run is resumed.
    """

    def __init__(self, *, iterations: int, done: int = 0) -> None:
        self.iterations = iterations
        self._first = done
        self._validation_seconds = 0.0
        self._validations = 0

    def add_validation(self, seconds: float) -> None:
        """Take in the duration of one validation, in seconds."""
        self._validation_seconds += seconds
        self._validations += 1

    def seconds(self, iteration: int, *, elapsed: float, validations_left: int = 0) -> float:
        """Seconds that remain; NaN before the first iteration, or when the length is unknown.

        Until one validation was timed, the estimate is for training alone.

        Args:
            iteration: iterations done so far, of the whole run.
            elapsed: seconds since this start, validations included.
            validations_left: validations still to come.
        """
        done = iteration - self._first
        if done <= 0 or not self.iterations:
            return math.nan
        per_iteration = (elapsed - self._validation_seconds) / done
        per_validation = self._validation_seconds / self._validations if self._validations else 0.0
        return (self.iterations - iteration) * per_iteration + validations_left * per_validation


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, or ``?`` for NaN.

    Args:
        seconds: a duration, not negative.
    """
    if math.isnan(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
