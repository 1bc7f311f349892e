# SPDX-License-Identifier: Apache-2.0
"""All scores of detected nodules by name, for an evaluator and for a submission alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .froc import FROC_RATES, cpm, froc_curve, sensitivity_at
from .nodule_bins import EDGES, matches_of_size, size_bins
from .nodule_matching import ScanMatch

RANKS = (1, 5, 10)


def nodule_scores(
    matches: Sequence[ScanMatch], *, edges: Sequence[float] = EDGES, ranks: Sequence[int] = RANKS
) -> dict[str, float]:
    """Score all scans.

    Args:
        matches: one a scan.
        edges: see ``size_bins``.
        ranks: see ``recall_at_rank``.

    Returns:
        - cpm: the contests' score, see ``cpm``; the first entry
        - sensitivity_at_0.125 ... sensitivity_at_8: its parts
        - cpm_3_6, ..., cpm_20: the score of nodules of each size in mm
        - max_sensitivity, false_positives_per_scan: where the curve ends, at the least probability
        - recall_at_rank_1, ...: share of nodules found by the first so many candidates of their scan

        All but the false positives are NaN where there is no nodule (of the size).

    Raises:
        InputError: no scan, or edges that do not rise.
    """
    curve = froc_curve(matches)
    scores = {"cpm": cpm(curve)}
    parts = sensitivity_at(curve).tolist()
    scores |= {f"sensitivity_at_{rate:g}": value for rate, value in zip(FROC_RATES, parts, strict=True)}
    for name, bounds in size_bins(edges).items():
        scores[f"cpm_{name}"] = cpm(froc_curve(matches_of_size(matches, *bounds)))
    scores["max_sensitivity"] = float(curve.sensitivity[-1])
    scores["false_positives_per_scan"] = float(curve.fps_per_scan[-1])
    found = np.concatenate([match.hit_rank for match in matches])
    for rank in ranks:
        value = float(np.mean((found > 0) & (found <= rank))) if len(found) else math.nan
        scores[f"recall_at_rank_{rank}"] = value
    return scores
