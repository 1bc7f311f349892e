# SPDX-License-Identifier: Apache-2.0
"""How often nodules of a size are drawn: a table of bins of diameters and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..utils import InputError

SizeBins = Sequence[Sequence[float]]  # rows of (least diameter in mm, weight of a nodule), ascending from 0


def check_bins(bins: SizeBins) -> np.ndarray:
    """Check a table of bins.

    Args:
        bins: rows [least diameter in mm, weight of one nodule]; a bin ends where the next begins. The
            winners of DSB2017 drew nodules over 30 and 40 mm more often, those of a Tianchi team the small
            ones: [[0, 3], [10, 2], [30, 1]].

    Returns:
        (N, 2) float64.

    Raises:
        InputError: no rows, a first diameter that is not 0, diameters that do not ascend, or weights that are
            negative or all 0.
    """
    remedy = "give rows [least diameter in mm, weight] that ascend from 0, e.g. [[0, 2], [10, 1]]"
    try:
        table = np.asarray(bins, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"size_bins {bins}", remedy=remedy) from error
    paired = table.ndim == 2 and table.shape[1] == 2 and len(table) > 0 and bool(np.isfinite(table).all())
    ascends = paired and table[0, 0] == 0 and bool((np.diff(table[:, 0]) > 0).all())
    if not ascends or table[:, 1].min() < 0 or table[:, 1].max() == 0:
        raise InputError(f"size_bins {table.tolist()}", remedy=remedy)
    return table


def nodule_weights(diameters: Sequence[float], bins: SizeBins) -> np.ndarray:
    """The weight of each nodule, from its diameter in mm.

    Returns:
        (N,) float64.
    """
    table = check_bins(bins)
    sizes = np.asarray(diameters, np.float64).reshape(-1)
    return table[np.searchsorted(table[:, 0], sizes, side="right").clip(min=1) - 1, 1]


def scan_weights(
    items: Sequence[Mapping[str, Any]], bins: SizeBins, *, no_nodule: float = 0.0
) -> list[float]:
    """How often to draw each scan so that over many epochs nodules are drawn by their weights.

    Weights within one scan cannot balance a data set in which most scans have one nodule; these, given to
    ``torch.utils.data.WeightedRandomSampler``, do: a scan has the sum of its nodules' weights.

    Args:
        items: of a datalist, with {"label": {"nodules": [[x, y, z, diameter_mm], ...]}}.
        bins: see ``check_bins``.
        no_nodule: weight of a scan without nodules.

    Raises:
        InputError: from ``check_bins``, or if no scan has a weight.
    """
    found = []
    for item in items:
        rows = np.asarray((item.get("label") or {}).get("nodules", ()), np.float64).reshape(-1, 4)
        found.append(float(nodule_weights(rows[:, 3], bins).sum()) if len(rows) else float(no_nodule))
    if not sum(found) > 0:
        raise InputError(
            f"no nodule in {len(found)} scans that could be drawn", remedy="give no_nodule a weight above 0"
        )
    return found
