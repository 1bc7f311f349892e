# SPDX-License-Identifier: Apache-2.0
"""Key slices: which slices of a study a reader should see first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

MAX_KEY_SLICES = 8


def choose_key_slices(
    probability: np.ndarray,
    called: np.ndarray,
    *,
    shown: np.ndarray,
    flagged: np.ndarray | None = None,
    max_slices: int = MAX_KEY_SLICES,
) -> list[int]:
    """Choose the slices that a reader should see first.

    The highest slice of each subtype that is shown; then the highest flagged slice of each class; then
    further called slices of the last row, from the highest down and spread over the depth. A study with
    nothing to show gives its highest slice of the last row.

    Args:
        probability: (K + 1, D) of the subtypes and, last, of their union.
        called: (K + 1, D) bool, at the threshold.
        shown: (K + 1,) bool, classes called in the study.
        flagged: (K + 1, D) scores of slices to look at for another reason, 0 elsewhere; None flags none.
        max_slices: how many slices at most; the first kinds come first.

    Returns:
        ascending 0-based slices, at least one.
    """
    order = [int(probability[k].argmax()) for k in np.flatnonzero(shown[:-1])]
    if flagged is not None:
        order += [int(scores.argmax()) for scores in flagged if scores.any()]
    chosen = list(dict.fromkeys(order))[:max_slices] or [int(probability[-1].argmax())]
    _fill(chosen, np.where(called[-1], probability[-1], 0), max_slices)
    return sorted(chosen)


def _fill(chosen: list[int], scores: np.ndarray, max_slices: int) -> None:
    """Add slices with a score, high ones first, those near a chosen one later: neighbours show the same."""
    apart = max(1.0, np.count_nonzero(scores) / max_slices)  # slices between even choices
    while len(chosen) < max_slices:
        distance = np.abs(np.arange(scores.size)[:, None] - np.array(chosen)).min(axis=1)
        gain = scores * np.minimum(distance / apart, 1)
        if not gain.any():
            return
        chosen.append(int(gain.argmax()))


@dataclass(frozen=True)
class KeySlice:
    """One slice of a sheet.

    Args:
        index: 0-based slice.
        title: first line below it.
        lines: further lines below it: class (from 0) whose colour stands before the line, or None; the text.
        heats: class (from 0) -> (h, w) heat 0-1 on any grid over the slice, from :func:`scale_heat`.
    """

    index: int
    title: str
    lines: Sequence[tuple[int | None, str]] = ()
    heats: Mapping[int, np.ndarray] = field(default_factory=dict)
