# SPDX-License-Identifier: Apache-2.0
"""Free-response ROC curve of detected nodules and the contests' score, the competition performance metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..utils import InputError
from .nodule_matching import ScanMatch

FROC_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # false positives per scan

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Froc:
    """Sensitivity against false positives per scan, a point for each threshold, from (0, 0) on.

    Args:
        fps_per_scan: (T,) rising, false positives per scan at or above the threshold.
        sensitivity: (T,) share of the nodules hit at or above it, 0-1; NaN where there is no nodule.
        thresholds: (T,) falling; the first is infinity, nothing is marked.
        nodules: number of nodules.
        scans: number of scans, those without a nodule included.
    """

    fps_per_scan: Floats
    sensitivity: Floats
    thresholds: Floats
    nodules: int
    scans: int


@dataclass(frozen=True, eq=False)
class Marks:
    """What counts on the curve, most probable first: hits and false positives of all scans.

    Args:
        probability: (K,) falling.
        is_hit: (K,) 1 for the best hit of a nodule, 0 for a false positive.
        scan: (K,) number of the scan.
        last: numbers of the last mark of each distinct probability.
        nodules: (scans,) nodules of each scan, found or missed.
    """

    probability: Floats
    is_hit: Floats
    scan: NDArray[np.int64]
    last: NDArray[np.int64]
    nodules: NDArray[np.int64]

    @classmethod
    def of(cls, matches: Sequence[ScanMatch]) -> Marks:
        """Collect the marks of all scans.

        Raises:
            InputError: no scan.
        """
        if not matches:
            raise InputError("no scan to score", remedy="give one match a scan, with or without nodules")
        hits = [match.hit_probability[match.found] for match in matches]
        false = [match.false_positive_probability for match in matches]
        counts = [len(found) for found in [*hits, *false]]
        probability = np.concatenate([*hits, *false])
        order = np.argsort(-probability, kind="stable")
        probability = probability[order]
        ends = np.append(np.diff(probability) != 0, True) if len(probability) else np.zeros(0, bool)
        return cls(
            probability=probability,
            is_hit=np.repeat([1.0, 0.0], [sum(counts[: len(hits)]), sum(counts[len(hits) :])])[order],
            scan=np.repeat(np.tile(np.arange(len(matches)), 2), counts)[order],
            last=np.flatnonzero(ends),
            nodules=np.array([len(match.diameters) for match in matches], np.int64),
        )

    def curve(self, weights: NDArray[np.int64] | None = None) -> tuple[Floats, Floats]:
        """False positives per scan and sensitivity at each threshold, from (0, 0) on.

        Args:
            weights: (scans,) how often each scan counts; None for once each.
        """
        weights = np.ones(len(self.nodules), np.int64) if weights is None else weights
        counted = weights[self.scan].astype(np.float64)
        hits = np.cumsum(counted * self.is_hit)[self.last]
        false = np.cumsum(counted * (1 - self.is_hit))[self.last]
        nodules = float(weights @ self.nodules)
        found = np.append(0.0, hits) / nodules if nodules else np.full(len(hits) + 1, np.nan)
        return np.append(0.0, false) / weights.sum(), found


def froc_curve(matches: Sequence[ScanMatch]) -> Froc:
    """Draw the curve over all scans.

    A missed nodule counts among the nodules alone, a scan without nodules among the scans. Candidates of
    equal probability are one point. Where LUNA16's script divides by zero the definition is kept: without
    any hit the sensitivity is 0 at all rates, without any false positive the curve stands upright at 0.

    Args:
        matches: one a scan, of scans without nodules or candidates too.

    Raises:
        InputError: no scan.
    """
    marks = Marks.of(matches)
    fps, sensitivity = marks.curve()
    return Froc(
        fps_per_scan=fps,
        sensitivity=sensitivity,
        thresholds=np.append(np.inf, marks.probability[marks.last]),
        nodules=int(marks.nodules.sum()),
        scans=len(matches),
    )


def sensitivity_at(curve: Froc, rates: ArrayLike = FROC_RATES) -> Floats:
    """Sensitivity at rates of false positives per scan, linearly interpolated.

    At a rate where the curve rises straight up the top counts; beyond its end the curve is level. Both are as
    in LUNA16's script.

    Args:
        curve: the curve.
        rates: (R,) false positives per scan.

    Returns:
        (R,) 0-1; NaN where there is no nodule.
    """
    return interpolate(curve.fps_per_scan, curve.sensitivity, rates)


def cpm(curve: Froc, rates: ArrayLike = FROC_RATES) -> float:
    """Mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per scan.

    The competition performance metric (Niemeijer et al. 2011, IEEE TMI 30(2):215-223), the score of ANODE09,
    LUNA16 and Tianchi. NaN where there is no nodule. It is coarse where scans are few: the lowest rate that
    differs from none is one false positive in all scans, and one nodule of M moves it by up to 1 / M.
    """
    return float(np.mean(sensitivity_at(curve, rates)))


def interpolate(fps: Floats, sensitivity: Floats, rates: ArrayLike) -> Floats:
    """Linear interpolation of a curve, see :func:`sensitivity_at`."""
    return np.interp(np.asarray(rates, np.float64), fps, sensitivity)
