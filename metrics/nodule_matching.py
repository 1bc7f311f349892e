# SPDX-License-Identifier: Apache-2.0
"""Candidates of a scan against its nodules, by the rules of the LUNA16 and Tianchi contests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..utils import InputError

MAX_MARKS = 100  # candidates of a scan that count
UNKNOWN_DIAMETER = 10.0  # mm, taken for findings whose diameter is negative

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanMatch:
    """Which candidates of a scan hit a nodule, and which are false positives.

    Args:
        diameters: (M,) of the nodules, mm; an unknown one is 10.
        hit_probability: (M,) of the most probable candidate in each nodule; NaN where there is none.
        hit_index: (M,) that candidate's number from 0; -1 where there is none.
        hit_rank: (M,) that candidate's rank in its scan, 1 the most probable; 0 where there is none.
        false_positives: numbers of the candidates in no nodule and no excluded finding.
        false_positive_probability: their probabilities.
        marks: candidates that count; the others were beyond the limit a scan.
        candidates: candidates in all.
        excluded: numbers of the candidates left out because they lie in an excluded finding.
        doubles: hits left out because a more probable candidate hits the same nodule.
        shared: candidates that hit more than one nodule; each counts as the hit of all of them.
    """

    diameters: Floats
    hit_probability: Floats
    hit_index: Indices
    hit_rank: Indices
    false_positives: Indices
    false_positive_probability: Floats
    marks: int
    candidates: int
    excluded: Indices
    doubles: int
    shared: int

    @property
    def found(self) -> NDArray[np.bool_]:
        """(M,) whether each nodule is hit by a candidate of any probability."""
        return self.hit_index >= 0


def match_scan(
    *,
    points: ArrayLike,
    probability: ArrayLike,
    nodules: ArrayLike,
    excluded: ArrayLike = (),
    max_marks: int = MAX_MARKS,
) -> ScanMatch:
    """Match the candidates of one scan with its nodules, as LUNA16's ``noduleCADEvaluationLUNA16.py`` does.

    - Of more than ``max_marks`` candidates only those count that are more probable than the one after them
      (the 101st): of candidates as probable as it none is left.
    - A candidate hits a nodule if its centre is nearer than the radius to the nodule's centre (not as near).
    - Of several hits the most probable counts, the others are neither hits nor false positives.
    - A candidate in two nodules is a hit of both.
    - A candidate that hits none, but lies within an excluded finding in the same sense, is left out.
    - A negative diameter counts as 10 mm.

    Source: Setio et al. 2017, Medical Image Analysis 42:1-13, and luna16.grand-challenge.org/Evaluation.

    Args:
        points: (N, 3 or 4) centres of the candidates, x, y, z in mm; a diameter is not looked at.
        probability: (N,) finite; any scale that ranks.
        nodules: (M, 4) x, y, z, diameter in mm.
        excluded: (E, 4) findings that count neither way.
        max_marks: candidates that count at most; 0 for all.

    Returns:
        the match; its numbers of candidates refer to the order given.

    Raises:
        InputError: shapes that do not fit, NaN or infinity.
    """
    centres = _table(points, "candidates", (3, 4))[:, :3]
    scores = _scores(probability, len(centres))
    truth, ignored = _findings(nodules, "nodules"), _findings(excluded, "excluded findings")
    marks = _most_probable(scores, max_marks)
    inside = within(centres[marks], truth)
    hits = inside.sum(axis=1)
    best, best_score = _best_hits(inside, scores[marks])
    in_excluded = (hits == 0) & within(centres[marks], ignored).any(axis=1)
    false = marks[(hits == 0) & ~in_excluded]
    return ScanMatch(
        diameters=truth[:, 3],
        hit_probability=best_score,
        hit_index=np.append(marks, -1)[best],
        hit_rank=np.where(best >= 0, 1 + (scores[:, None] > best_score).sum(axis=0), 0),
        false_positives=false,
        false_positive_probability=scores[false],
        marks=len(marks),
        candidates=len(scores),
        excluded=marks[in_excluded],
        doubles=int(inside.sum() - (best >= 0).sum()),
        shared=int((hits > 1).sum()),
    )


def within(points: ArrayLike, findings: ArrayLike, *, factor: float = 1.0) -> NDArray[np.bool_]:
    """Tell which points lie within which findings: nearer to the centre than the radius.

    Args:
        points: (N, 3 or more) x, y, z in mm.
        findings: (M, 4) x, y, z, diameter in mm; a negative diameter counts as 10 mm.
        factor: the radius is multiplied by it.

    Returns:
        (N, M) bool.
    """
    points, findings = np.asarray(points, np.float64), np.asarray(findings, np.float64).reshape(-1, 4)
    distance = ((points[:, None, :3] - findings[None, :, :3]) ** 2).sum(axis=2)
    return distance < (factor * _known(findings[:, 3]) / 2) ** 2


def _best_hits(inside: NDArray[np.bool_], scores: Floats) -> tuple[Indices, Floats]:
    """The most probable candidate in each finding and its probability; -1 and NaN where there is none."""
    if not len(scores):
        return np.full(inside.shape[1], -1), np.full(inside.shape[1], np.nan)
    best = np.where(inside, scores[:, None], -np.inf).argmax(axis=0)
    hit = inside.any(axis=0)
    return np.where(hit, best, -1), np.where(hit, scores[best], np.nan)


def _most_probable(scores: Floats, max_marks: int) -> Indices:
    if not 0 < max_marks < len(scores):
        return np.arange(len(scores))
    return np.flatnonzero(scores > np.sort(scores)[::-1][max_marks])


def _known(diameters: Floats) -> Floats:
    return np.where(diameters < 0, UNKNOWN_DIAMETER, diameters)


def _findings(values: ArrayLike, name: str) -> Floats:
    table = _table(values, name, (4,)).copy()
    table[:, 3] = _known(table[:, 3])
    return table


def _table(values: ArrayLike, name: str, columns: tuple[int, ...]) -> Floats:
    table = np.asarray(values, np.float64)
    if not table.size:
        return np.zeros((0, columns[-1]))
    if table.ndim != 2 or table.shape[1] not in columns:
        wanted = " or ".join(map(str, columns))
        raise InputError(f"{name} of the shape {table.shape}, not (count, {wanted})")
    if not np.isfinite(table).all():
        raise InputError(f"{name} hold NaN or infinity")
    return table


def _scores(probability: ArrayLike, count: int) -> Floats:
    scores = np.asarray(probability, np.float64)
    if scores.shape != (count,):
        raise InputError(f"probabilities of the shape {scores.shape} for {count} candidates")
    if not np.isfinite(scores).all():
        raise InputError("probabilities of candidates hold NaN or infinity")
    return scores
