# SPDX-License-Identifier: Apache-2.0
"""Where slices lie: order, spacing, tilt and affine from positions and orientation, never from numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .findings import Finding, count

PLANES = ("sagittal", "coronal", "axial")  # by the patient axis (x, y, z) that the normal is nearest to
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_SAME_MM = 0.01  # positions nearer than this are one position
_EVEN = 0.05  # relative deviation of a step that still counts as even ...
_EVEN_MM = 0.105  # ... or absolute, for positions written with one decimal, each off by up to 0.05,
_EVEN_MOST = 0.2  # but not beyond this, relative
_WHOLE = 0.1  # how near to a whole multiple of the spacing a gap of missing slices lies
_TILT_DEG = 0.5


@dataclass(frozen=True)
class Geometry:
    """Geometry of sorted slices.

    Args:
        order: indices that sort the slices along the normal.
        positions_mm: (D,) sorted distances along the normal.
        spacing_mm: median step along the normal; None for one slice.
        tilt_deg: signed angle between the normal and the way from slice to slice, see :func:`tilt`.
        affine: (4, 4) of (row, column, slice) in RAS mm, with the true shear of a tilted series.
        findings: what is irregular.
    """

    order: tuple[int, ...]
    positions_mm: np.ndarray
    spacing_mm: float | None
    tilt_deg: float
    affine: np.ndarray
    findings: tuple[Finding, ...]


def unit_axes(orientation: Sequence[float]) -> np.ndarray | None:
    """Return (3, 3) unit vectors in LPS: along a row, along a column, and their cross product, the normal.

    None if the two directions of ImageOrientationPatient are not perpendicular unit vectors.
    """
    row, column = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.99 or max(lengths) > 1.01 or abs(row @ column) > 0.01:
        return None
    row, column = row / lengths[0], column / lengths[1]
    normal = np.cross(row, column)
    return np.stack([row, column, normal / np.linalg.norm(normal)])


def plane_of(orientation: Sequence[float] | None) -> str:
    """Name the plane nearest to an orientation: "axial", "coronal", "sagittal", or "unknown"."""
    axes = None if orientation is None else unit_axes(orientation)
    return "unknown" if axes is None else PLANES[int(np.argmax(np.abs(axes[2])))]


def tilt(step: np.ndarray, axes: np.ndarray) -> float:
    """Measure the angle between the way from slice to slice and the slices' normal, in degrees.

    The sign is that of the shift against the columns' direction, which for a patient on the back is the sign
    that scanners write as GantryDetectorTilt (checked on a GE scan: +18.5).
    """
    along, across = step @ axes[2], np.hypot(step @ axes[0], step @ axes[1])
    return float(np.degrees(np.arctan2(across, along)) * (-1.0 if step @ axes[1] > 0 else 1.0))


def measure(
    *, positions: np.ndarray, axes: np.ndarray, pixel_spacing: Sequence[float], thickness: float | None
) -> Geometry:
    """Sort slices along their normal and judge their spacing.

    Args:
        positions: (D, 3) ImagePositionPatient in LPS mm, in any order.
        axes: (3, 3) from :func:`unit_axes`.
        pixel_spacing: distance between rows, between columns in mm.
        thickness: SliceThickness in mm; the slice axis of a lone slice, and compared with the spacing.
    """
    distances = positions @ axes[2]
    order = np.argsort(distances, kind="stable")
    places, distances = positions[order], distances[order]
    steps = np.diff(distances)
    distinct = steps[steps > _SAME_MM]
    spacing = float(np.median(distinct)) if distinct.size else None
    step = axes[2] * (thickness or 1.0)
    if spacing is not None:
        step = (places[-1] - places[0]) / (len(places) - 1)
    findings = []
    if spacing is not None:
        findings += _spacing_findings(distances, steps, spacing, thickness)
        findings += _shift_findings(places, distances, min(pixel_spacing))
    affine = np.eye(4)
    affine[:3, 0] = axes[1] * pixel_spacing[0] * _LPS_TO_RAS  # one row further is down the column
    affine[:3, 1] = axes[0] * pixel_spacing[1] * _LPS_TO_RAS
    affine[:3, 2] = step * _LPS_TO_RAS
    affine[:3, 3] = places[0] * _LPS_TO_RAS
    angle = tilt(step, axes) if spacing is not None else 0.0
    if abs(angle) > _TILT_DEG:
        findings.append(Finding("gantry_tilt", f"gantry tilt of {angle:+.1f} degrees, kept in the affine"))
    return Geometry(tuple(order.tolist()), distances, spacing, angle, affine, tuple(findings))


def same_positions(positions_mm: np.ndarray) -> list[tuple[int, int]]:
    """List pairs of neighbours in the order along the normal that lie at one position."""
    return [(int(i), int(i) + 1) for i in np.flatnonzero(np.diff(positions_mm) <= _SAME_MM)]


def _spacing_findings(
    distances: np.ndarray, steps: np.ndarray, spacing: float, thickness: float | None
) -> list[Finding]:
    findings = []
    distinct = steps[steps > _SAME_MM]
    ratios = distinct / spacing
    rounding = min(_EVEN_MM, _EVEN_MOST * spacing)
    even = np.abs(distinct - spacing) <= max(_EVEN * spacing, rounding)
    gaps = ratios > 1.5
    whole = np.abs(ratios - np.round(ratios)) <= max(_WHOLE, rounding / spacing)
    if gaps.any() and (even | (gaps & whole)).all():
        findings.append(_missing(distances, steps, spacing))
    elif not even.all() or _drifts(distances, steps, spacing):
        message = f"spacing varies from {distinct.min():.2f} to {distinct.max():.2f} mm"
        findings.append(Finding("uneven_spacing", message, fatal=True))
    if thickness and abs(spacing - thickness) > 0.1 * thickness:
        message = f"slices are {spacing:.2f} mm apart and {thickness:.2f} mm thick"
        findings.append(Finding("spacing_unlike_thickness", message))
    return findings


def _missing(distances: np.ndarray, steps: np.ndarray, spacing: float) -> Finding:
    gaps = np.flatnonzero(steps > 1.5 * spacing)
    number = int(sum(round(steps[gap] / spacing) - 1 for gap in gaps))
    first = gaps[0]
    places = f"between {distances[first]:.1f} and {distances[first + 1]:.1f} mm"
    more = f" and {count(len(gaps) - 1, 'more place')}" if len(gaps) > 1 else ""
    return Finding("missing_slice", f"{count(number)} missing {places}{more}", fatal=True)


def _drifts(distances: np.ndarray, steps: np.ndarray, spacing: float) -> bool:
    """Say whether small deviations add up to half a slice from where the affine puts a slice."""
    if (steps <= _SAME_MM).any():  # duplicates have their own finding
        return False
    even = np.linspace(distances[0], distances[-1], len(distances))
    return bool(np.abs(distances - even).max() > 0.5 * spacing)


def _shift_findings(places: np.ndarray, distances: np.ndarray, pixel_mm: float) -> list[Finding]:
    """Check that the slices' corners lie on one line."""
    share = (distances - distances[0]) / (distances[-1] - distances[0])
    line = places[0] + share[:, None] * (places[-1] - places[0])
    shift = float(np.linalg.norm(places - line, axis=1).max())
    if shift <= max(pixel_mm, _EVEN_MM):
        return []
    return [Finding("inplane_shift", f"slices are shifted in their plane by up to {shift:.1f} mm", True)]
