# SPDX-License-Identifier: Apache-2.0
"""Slices that are there twice: the same object, a copy under another UID, or two scans at one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ...utils import InputError
from .findings import Finding, count
from .geometry import same_positions
from .headers import SliceHeader
from .pixels import read_stored

_PAIRS_TO_COMPARE = 4  # pixels are read for these only; one pair that differs settles it


def duplicate_findings(
    slices: Sequence[SliceHeader], *, positions_mm: np.ndarray, shared_uids: set[str]
) -> Iterator[Finding]:
    """Find duplicates in sorted slices.

    Args:
        slices: sorted headers.
        positions_mm: (D,) their places along the normal, or empty where these are unknown.
        shared_uids: SOPInstanceUIDs that occur in other groups too.
    """
    uids = Counter(header.sop_uid for header in slices if header.sop_uid)
    twice = [h for h in slices if uids[h.sop_uid] > 1 or h.sop_uid in shared_uids]
    if twice:
        message = f"{count(len(twice), 'file')} share a SOPInstanceUID with another file"
        yield Finding("duplicate_sop", message, True, twice[-1].path)
    pairs = [(slices[a], slices[b]) for a, b in same_positions(positions_mm)]
    pairs = [(a, b) for a, b in pairs if a.sop_uid != b.sop_uid]
    if pairs:
        same = all(_same_pixels(a, b) for a, b in pairs[:_PAIRS_TO_COMPARE])
        code = "duplicate_slice" if same else "duplicate_position"
        what = "identical" if same else "different"
        message = f"{count(len(pairs), 'position')} with two slices of {what} pixels"
        yield Finding(code, message, True, pairs[0][1].path)


def _same_pixels(one: SliceHeader, other: SliceHeader) -> bool:
    try:
        return np.array_equal(read_stored(one), read_stored(other))
    except InputError:  # a damaged file is no proof of a copy
        return False
