# SPDX-License-Identifier: Apache-2.0
"""A chosen series to a volume in Hounsfield units."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ...utils import InputError
from .findings import Finding, count
from .pixels import read_stored, to_hounsfield
from .series import Series


def read_series(series: Series) -> tuple[np.ndarray, dict[str, Any]]:
    """Read the pixels of a series, one file at a time.

    Args:
        series: from :func:`resolve_series`.

    Returns:
        array: (H, W, D) int16, HU in [-1024, 3071] for CT; a view of (D, H, W), so that a slice is one piece
            of memory. Slices are in the order of their positions along the normal.
        meta: "affine" (4, 4) float64 of (H, W, D) in RAS mm, sheared where the gantry was tilted;
            "spacing_known", "form", "axes"; "slice_names" SOPInstanceUIDs; "instance_numbers", empty
            unless each slice has one of its own; "study_uid", "series_uid";
            "slice_positions_mm" (D,) float64 along the normal; "tilt_deg"; "kernel"; "body_part"; "reason";
            "findings" list of lines for humans. Nothing that names the patient.

    Raises:
        InputError: a fatal finding is left, a file cannot be decoded, or a slice holds one value only.
    """
    if series.fatal or series.affine is None:
        problem = series.fatal[0].message if series.fatal else "geometry is not known"
        raise InputError(
            f"series {series.short_uid}: {problem}",
            path=series.slices[0].path,
            remedy="take a series from resolve_series",
        )
    first = series.slices[0]
    volume = np.empty((len(series.slices), first.rows, first.columns), dtype=np.int16)
    notes: list[Finding] = []
    for index, header in enumerate(series.slices):
        volume[index], found = to_hounsfield(read_stored(header), header)
        notes += found
    meta = {
        "affine": series.affine,
        "spacing_known": True,
        "form": "dicom",
        "axes": "ZYX",
        "slice_names": [header.sop_uid for header in series.slices],
        "instance_numbers": _instance_numbers(series),
        "study_uid": series.study_uid,
        "series_uid": series.series_uid,
        "slice_positions_mm": series.positions_mm,
        "tilt_deg": series.tilt_deg,
        "kernel": series.kernel,
        "body_part": series.body_part,
        "reason": series.reason,
        "findings": [finding.message for finding in series.findings] + _summed(notes),
    }
    return np.moveaxis(volume, 0, -1), meta


def _instance_numbers(series: Series) -> list[int]:
    """InstanceNumber of each slice, by which viewers count; empty where they do not tell slices apart."""
    numbers = [header.instance_number for header in series.slices]
    return numbers if None not in numbers and len(set(numbers)) == len(numbers) else []


def _summed(notes: list[Finding]) -> list[str]:
    """Write each kind of note about slices once, with the number of slices."""
    numbers = Counter(note.message for note in notes)
    return [f"{message} ({count(number)})" for message, number in numbers.items()]
