# SPDX-License-Identifier: Apache-2.0
"""How sure an FROC curve of few scans is: curves of scans drawn again, as LUNA16 does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..utils import InputError
from .bootstrap import Interval
from .froc import FROC_RATES, Marks, interpolate
from .nodule_matching import ScanMatch

POINTS = 10_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FrocBand:
    """Mean and bounds of the curves of samples.

    Args:
        fps_per_scan: (P,) rates, evenly spaced.
        mean: (P,) mean sensitivity of the samples.
        low: (P,) lower bound.
        high: (P,) upper bound.
        sensitivity: rate -> sensitivity of all scans and its interval.
        cpm: the CPM of all scans and its interval.
        samples: samples that had a nodule, and so a curve.
    """

    fps_per_scan: Floats
    mean: Floats
    low: Floats
    high: Floats
    sensitivity: dict[float, Interval]
    cpm: Interval
    samples: int


def bootstrap_froc(
    matches: Sequence[ScanMatch],
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    rates: Sequence[float] = FROC_RATES,
    points: int = POINTS,
) -> FrocBand:
    """Draw scans with replacement, as many as there are, and a curve of each sample.

    The bounds are those of LUNA16's script: of S sorted values the one at floor(p S), p = 2.5 and 97.5 %.
    There a sample without nodules breaks the mean; here it is left out.

    Args:
        matches: one a scan.
        samples: how many times scans are drawn.
        seed: of the draws; the same seed draws the same scans for any matches of as many scans.
        level: share of the samples within the bounds.
        rates: false positives per scan of ``sensitivity`` and ``cpm``.
        points: points of the curves, from the first rate to the last.

    Returns:
        the band. All bounds are NaN if no sample had a nodule, or if there is one scan alone.

    Raises:
        InputError: no scan, no sample, fewer than two points, or a level outside (0, 1).
    """
    if samples < 1 or points < 2 or not 0 < level < 1:
        raise InputError(f"cannot draw {samples} samples with {points} points for level {level}")
    marks = Marks.of(matches)
    weights = _draws(marks, samples, seed)
    grid = np.linspace(rates[0], rates[-1], points)
    curves = np.empty((len(weights), points), np.float32)  # 40 MB of 1000 samples
    at_rates = np.empty((len(weights), len(rates)))
    for row, drawn in enumerate(weights):
        curve = marks.curve(drawn)
        curves[row], at_rates[row] = interpolate(*curve, grid), interpolate(*curve, rates)
    mean, low, high = _summary(curves, level)
    parts = interpolate(*marks.curve(), rates)
    _, lows, highs = _summary(np.column_stack([at_rates, at_rates.mean(axis=1)]), level)
    columns = ([*parts.tolist(), float(parts.mean())], lows.tolist(), highs.tolist())
    *intervals, score = map(Interval, *columns)
    return FrocBand(
        fps_per_scan=grid,
        mean=mean,
        low=low,
        high=high,
        sensitivity=dict(zip(map(float, rates), intervals, strict=True)),
        cpm=score,
        samples=len(weights),
    )


def _draws(marks: Marks, samples: int, seed: int) -> NDArray[np.int64]:
    """How often each scan is drawn in each sample that has a nodule; none where there is one scan alone."""
    count = len(marks.nodules)
    if count < 2:
        return np.zeros((0, count), np.int64)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=samples)
    return drawn[drawn @ marks.nodules > 0]


def _summary(values: NDArray, level: float) -> tuple[Floats, Floats, Floats]:
    """Mean and bounds of each column; the values are sorted in place."""
    count, columns = values.shape
    if not count:
        return tuple(np.full((3, columns), np.nan))
    tail = (1 - level) / 2
    mean = values.mean(axis=0, dtype=np.float64)
    values.sort(axis=0)
    last = min(math.floor((1 - tail) * count), count - 1)
    return mean, values[math.floor(tail * count)].astype(float), values[last].astype(float)
