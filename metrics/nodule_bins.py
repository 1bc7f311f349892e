# SPDX-License-Identifier: Apache-2.0
"""Scores of nodules of each size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ..utils import InputError
from .nodule_matching import ScanMatch

EDGES = (3.0, 6.0, 10.0, 20.0)  # mm


def size_bins(edges: Sequence[float] = EDGES) -> dict[str, tuple[float, float]]:
    """Name the bins of diameter between edges, and the last one without an end.

    Args:
        edges: diameters in mm, rising; a nodule of an edge's own size belongs to the bin above it.

    Returns:
        name -> (from, to), e.g. "3_6" -> (3, 6) and "20" -> (20, infinity).

    Raises:
        InputError: no edge, or edges that do not rise.
    """
    if not edges or any(not low < high for low, high in pairwise([-math.inf, *edges, math.inf])):
        raise InputError(f"size bins with the edges {list(edges)}", remedy="give rising diameters in mm")
    return {
        f"{low:g}" + (f"_{high:g}" if math.isfinite(high) else ""): (float(low), float(high))
        for low, high in pairwise([*edges, math.inf])
    }


def matches_of_size(matches: Sequence[ScanMatch], low: float, high: float) -> list[ScanMatch]:
    """Keep the nodules of one size; the others are as if they were excluded findings.

    All false positives stay: what is no nodule has no size, and a threshold makes the same false positives
    for all sizes. So the curves of all bins have the same rates at the same threshold.

    Args:
        matches: one a scan.
        low: least diameter in mm.
        high: diameter in mm that is too large.
    """
    return [_of_size(match, low, high) for match in matches]


def _of_size(match: ScanMatch, low: float, high: float) -> ScanMatch:
    kept = (match.diameters >= low) & (match.diameters < high)
    return replace(
        match,
        diameters=match.diameters[kept],
        hit_probability=match.hit_probability[kept],
        hit_index=match.hit_index[kept],
        hit_rank=match.hit_rank[kept],
    )
