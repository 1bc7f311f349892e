# SPDX-License-Identifier: Apache-2.0
"""Scores against the threshold of the probability, and the range of thresholds that do about equally well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..utils import InputError
from .surface_dice import SurfaceDice
from .vessel_counts import DiceCounts
from .vessel_masks import MaskVolume, ProbabilityVolume, ReadableVolume, walk_slabs

DEFAULT_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def threshold_sweep(
    probability: ReadableVolume,
    reference: ReadableVolume,
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
    *,
    slab: int = 16,
    region: ReadableVolume | None = None,
) -> list[dict[str, float]]:
    """Score a volume at many thresholds in one pass over it.

    Args:
        probability: float, 0-1.
        reference: a mask of the same shape (0 and 1, or 0 and 255).
        thresholds: least probabilities of a vessel, in (0, 1].
        slab: slices that are read at once.
        region: a mask of the same shape; what lies outside counts nowhere.

    Returns:
        Ascending, for each threshold ``threshold``, ``surface_dice``, ``dice``, ``precision``, ``recall``.

    Raises:
        InputError: no threshold, one outside (0, 1], shapes that differ, or values that are no
            probabilities or no mask.
    """
    levels = sorted({float(threshold) for threshold in thresholds})
    if not levels or not all(0 < level <= 1 for level in levels):
        raise InputError(f"thresholds {list(thresholds)}", remedy="give numbers above 0, up to 1")
    scores = [(SurfaceDice(), DiceCounts()) for _ in levels]
    volumes = [
        ProbabilityVolume(probability),
        MaskVolume(reference),
        None if region is None else MaskVolume(region),
    ]
    for part in walk_slabs(volumes, slab=slab):
        values, wanted, known = part.arrays
        for level, (surface, counts) in zip(levels, scores, strict=True):
            mask = values >= level
            surface.update(mask, wanted, region=known)
            counts.update(mask, wanted, region=known)
    return [
        {"threshold": level, "surface_dice": surface.compute(), **counts.compute()}
        for level, (surface, counts) in zip(levels, scores, strict=True)
    ]


def threshold_plateau(
    rows: Sequence[Mapping[str, float]], *, score: str = "surface_dice", within: float = 0.01
) -> dict[str, Any]:
    """The thresholds around the best one that lose little.

    Args:
        rows: from ``threshold_sweep``; several volumes' rows may be averaged before.
        score: the score that is to be high.
        within: what may be lost.

    Returns:
        ``score``, ``best_threshold`` (the middle one of those that are equally good), ``best``,
        ``plateau_from`` and ``plateau_to``: all swept thresholds from the one to the other, the best among
        them, score at least ``best - within``.

    Raises:
        InputError: no rows, or not one that has the score.
    """
    rows = sorted(rows, key=lambda row: row["threshold"])
    values = np.array([row.get(score, math.nan) for row in rows], dtype=np.float64)
    if not np.isfinite(values).any():
        raise InputError(f"no threshold has a {score}", remedy="sweep a volume that has a reference")
    best = np.nanmax(values)
    ties = np.flatnonzero(values == best)
    chosen = int(ties[(len(ties) - 1) // 2])
    good = values >= best - within
    low = high = chosen
    while low > 0 and good[low - 1]:
        low -= 1
    while high < len(rows) - 1 and good[high + 1]:
        high += 1
    return {
        "score": score,
        "best_threshold": rows[chosen]["threshold"],
        "best": float(best),
        "plateau_from": rows[low]["threshold"],
        "plateau_to": rows[high]["threshold"],
    }
