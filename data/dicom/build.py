# SPDX-License-Identifier: Apache-2.0
"""A group of headers becomes a series: sorted, measured and checked against what lies beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .checks import header_findings, kind_codes
from .duplicates import duplicate_findings
from .findings import Finding, count
from .geometry import Geometry, measure, plane_of, unit_axes
from .headers import SliceHeader
from .kernels import kernel_class
from .series import Series

_TILT_DEG = 1.0  # difference from the scanner's nominal value that is worth a note


def build_series(
    group: Sequence[SliceHeader],
    *,
    siblings: Sequence[Sequence[SliceHeader]],
    shared_uids: set[str],
    unreadable: Sequence[Finding],
) -> Series:
    """Sort and check the slices of one group.

    Args:
        group: headers of one series, orientation and matrix.
        siblings: other groups with the same SeriesInstanceUID.
        shared_uids: SOPInstanceUIDs that occur in other groups too.
        unreadable: findings about files that could not be read, with their paths.
    """
    findings = header_findings(group)
    geometry = _measured(group, findings)
    slices = tuple(group) if geometry is None else tuple(group[index] for index in geometry.order)
    positions = np.empty(0) if geometry is None else geometry.positions_mm
    if geometry is not None:
        findings += geometry.findings
        findings += _tilt_notes(slices[0], geometry)
    findings += duplicate_findings(slices, positions_mm=positions, shared_uids=shared_uids)
    findings += _sibling_findings(slices, siblings)
    findings += _lost_files(slices, unreadable)
    findings += _notes(slices)
    first = slices[0]
    return Series(
        slices=slices,
        study_uid=first.study_uid,
        series_uid=first.series_uid,
        modality=first.modality,
        plane=plane_of(first.orientation),
        kernel=first.kernel,
        kernel_class=kernel_class(first.kernel),
        thickness_mm=first.thickness,
        spacing_mm=None if geometry is None else geometry.spacing_mm,
        tilt_deg=0.0 if geometry is None else geometry.tilt_deg,
        positions_mm=positions,
        affine=None if geometry is None else geometry.affine,
        findings=tuple(findings),
    )


def _measured(group: Sequence[SliceHeader], findings: list[Finding]) -> Geometry | None:
    """Measure the geometry if it is all there; unusable directions or spacings are added to ``findings``."""
    if any(h.position is None or h.orientation is None or h.pixel_spacing is None for h in group):
        return None
    first = group[0]
    axes = unit_axes(first.orientation)
    if axes is None:
        message = "ImageOrientationPatient is not two perpendicular unit vectors"
        findings.append(Finding("bad_orientation", message, True, first.path))
        return None
    if min(first.pixel_spacing) <= 0:
        findings.append(Finding("missing_pixel_spacing", "PixelSpacing is not positive", True, first.path))
        return None
    return measure(
        positions=np.array([header.position for header in group]),
        axes=axes,
        pixel_spacing=first.pixel_spacing,
        thickness=first.thickness,
    )


def _tilt_notes(first: SliceHeader, geometry: Geometry) -> Iterator[Finding]:
    if first.tilt is None or geometry.spacing_mm is None:
        return
    if abs(abs(first.tilt) - abs(geometry.tilt_deg)) > _TILT_DEG:
        message = f"scanner says tilt {first.tilt:+.1f}, positions say {geometry.tilt_deg:+.1f} degrees"
        yield Finding("tilt_unconfirmed", message)


def _sibling_findings(
    group: Sequence[SliceHeader], siblings: Sequence[Sequence[SliceHeader]]
) -> Iterator[Finding]:
    """Find other images in the same series that should be part of this stack and do not fit into it."""
    first = group[0]
    excluded = kind_codes(group) - {"derived"}
    for sibling in () if excluded else siblings:
        other = sibling[0]
        same_kind = kind_codes(sibling) == kind_codes(group)
        planes = plane_of(first.orientation), plane_of(other.orientation)
        if kind_codes(sibling) - {"derived"} or (planes[0] != planes[1] and "unknown" not in planes):
            continue
        if not same_kind and "unknown" in planes:
            continue  # a screenshot beside the scan
        code, what = _difference(first, other, same_kind=same_kind)
        message = f"{count(len(sibling))} of the same SeriesInstanceUID with another {what}"
        yield Finding(code, message, True, other.path)


def _difference(first: SliceHeader, other: SliceHeader, *, same_kind: bool) -> tuple[str, str]:
    if not same_kind:
        return "other_image_type", "ImageType"
    if (first.rows, first.columns) != (other.rows, other.columns):
        return "other_size", f"matrix ({other.rows} x {other.columns}, not {first.rows} x {first.columns})"
    spacings = first.pixel_spacing, other.pixel_spacing
    if None in spacings or not np.allclose(*spacings, rtol=0, atol=1e-3):
        return "other_pixel_spacing", "PixelSpacing"
    return "other_orientation", "ImageOrientationPatient"


def _lost_files(slices: Sequence[SliceHeader], unreadable: Sequence[Finding]) -> Iterator[Finding]:
    """Report files that could not be read from the folders of this series: they may be its slices."""
    folders = {Path(header.path).parent for header in slices}
    for code in ("unreadable_file", "encrypted_file"):
        lost = [f for f in unreadable if f.code == code and Path(f.path).parent in folders]
        if lost:
            what = "cannot be read" if code == "unreadable_file" else "encrypted"
            message = f"{count(len(lost), 'file')} beside its slices {what}: {lost[0].message}"
            yield Finding(code, message, True, lost[0].path)


def _notes(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    first = slices[0]
    if len(slices) == 1:
        yield Finding("one_slice", "one slice only")
    if first.modality == "CT" and kernel_class(first.kernel) == "unknown":
        yield Finding("kernel_unknown", f"kernel {first.kernel or '(not given)'} is neither soft nor sharp")
