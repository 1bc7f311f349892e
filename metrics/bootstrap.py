# SPDX-License-Identifier: Apache-2.0
"""How sure is a number from few patients: intervals by drawing patients again, with all that is theirs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_BLOCK = 2_000_000  # weights held at once, 16 MB


class Interval(NamedTuple):
    """A value and the bounds of its interval; NaN where undefined."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    patients: Sequence[str],
    statistic: Callable[[NDArray[np.int64]], float],
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of any statistic, over samples of patients drawn with replacement.

    Slices of a patient are alike, so patients are drawn, not slices (Efron and Tibshirani, An Introduction to
    the Bootstrap, 1993, chapters 8 and 13). A patient drawn twice counts twice with all records.

    Args:
        patients: the patient of each of N records (slices or studies).
        statistic: indices of records ``(n,)``, with repeats -> number; NaN where it is undefined.
        samples: how many times patients are drawn.
        seed: of the draws; the same seed draws the same patients for every statistic.
        level: share of the samples within the interval.

    Returns:
        The statistic of all records as they are, and the interval of the samples in which it is defined: NaN
        if these are less than half of them, or if there is one patient only.

    Raises:
        ValueError: no record, no sample, or a level outside (0, 1).
    """
    group, counts = _draw(patients, samples=samples, seed=seed, level=level)
    records = np.arange(len(group))
    values = np.array([statistic(np.repeat(records, row[group])) for row in counts], dtype=float)
    return _interval(float(statistic(records)), values, patients=counts.shape[1], level=level)


def bootstrap_auc(
    patients: Sequence[str],
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """``bootstrap_interval`` of the area under the ROC curve, all samples at once.

    Args:
        patients: the patient of each of N records.
        scores: ``(N,)``, equal scores count one half.
        targets: ``(N,)``, 1 present, 0 absent, NaN left out.
        samples: how many times patients are drawn.
        seed: of the draws.
        level: share of the samples within the interval.

    Returns:
        The AUC and its interval; NaN where one is undefined.

    Raises:
        ValueError: as ``bootstrap_interval``, or if sizes differ.
    """
    score, target = (np.asarray(values, dtype=float) for values in (scores, targets))
    if not len(patients) == len(score) == len(target):
        raise ValueError(f"{len(patients)} patients, {len(score)} scores and {len(target)} targets")
    known = ~np.isnan(target)
    kept = [patient for patient, used in zip(patients, known, strict=True) if used]
    if not kept or np.isnan(score[known]).any():
        return Interval(math.nan, math.nan, math.nan)
    order = np.argsort(score[known], kind="stable")
    group, counts = _draw(kept, samples=samples, seed=seed, level=level)
    ranked, truth, group = score[known][order], target[known][order], group[order]
    value = float(_weighted_auc(ranked, truth, np.ones((1, len(ranked))))[0])
    step = max(1, _BLOCK // len(ranked))
    blocks = [counts[start : start + step, group] for start in range(0, len(counts), step)]
    values = np.concatenate([_weighted_auc(ranked, truth, block.astype(float)) for block in blocks])
    return _interval(value, values, patients=counts.shape[1], level=level)


def bootstrap_f_beta(
    patients: Sequence[str],
    predicted: ArrayLike,
    targets: ArrayLike,
    *,
    beta: float = 2.0,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """``bootstrap_interval`` of F-beta, all samples at once; micro average if there are several classes.

    Args:
        patients: the patient of each of N records.
        predicted: ``(N,)`` or ``(K, N)``, 0 or 1; a NaN that counts makes all NaN.
        targets: the same shape, 1 present, 0 absent, NaN left out.
        beta: how many times as much recall counts as precision.
        samples: how many times patients are drawn.
        seed: of the draws.
        level: share of the samples within the interval.

    Returns:
        F-beta and its interval; NaN where nothing is present and nothing predicted.

    Raises:
        ValueError: as ``bootstrap_interval``, or if sizes differ.
    """
    decision, target = (np.atleast_2d(np.asarray(values, dtype=float)) for values in (predicted, targets))
    if decision.shape != target.shape or len(patients) != decision.shape[1]:
        raise ValueError(f"{len(patients)} patients, predicted {decision.shape} and targets {target.shape}")
    group, counts = _draw(patients, samples=samples, seed=seed, level=level)
    known = ~np.isnan(target)
    truth, positive = np.where(known, target, 0.0), np.where(known, decision, 0.0)
    by_record = np.stack([(truth * positive).sum(0), positive.sum(0), truth.sum(0)], axis=1)
    by_patient = np.zeros((counts.shape[1], 3))
    np.add.at(by_patient, group, by_record)

    def score(totals: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            return (1 + beta**2) * totals[:, 0] / (totals[:, 1] + beta**2 * totals[:, 2])

    value = float(score(by_patient.sum(axis=0, keepdims=True))[0])
    return _interval(value, score(counts @ by_patient), patients=counts.shape[1], level=level)


def _draw(
    patients: Sequence[str], *, samples: int, seed: int, level: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each record's patient as a number ``(N,)``, and how often each patient is drawn, ``(samples, P)``."""
    if not len(patients) or samples < 1 or not 0 < level < 1:
        raise ValueError(f"cannot draw {samples} samples of {len(patients)} records for level {level}")
    names, group = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    count = len(names)
    counts = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=samples)
    return group, counts


def _weighted_auc(scores: Floats, targets: Floats, weights: Floats) -> Floats:
    """AUC for each row of weights ``(S, N)`` of records in order of their scores."""
    starts = np.flatnonzero(np.append(True, np.diff(scores) != 0))
    positive = np.add.reduceat(weights * targets, starts, axis=1)
    negative = np.add.reduceat(weights * (1 - targets), starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2  # ties count one half
    with np.errstate(invalid="ignore"):
        return (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))


def _interval(value: float, values: Floats, *, patients: int, level: float) -> Interval:
    defined = values[~np.isnan(values)]
    if patients < 2 or 2 * len(defined) < len(values):
        return Interval(value, math.nan, math.nan)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))
