# SPDX-License-Identifier: Apache-2.0
"""A DICOM series as other code sees it: sorted slices, geometry, and what was found out about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .findings import Finding, count
from .headers import SliceHeader, patient_key


@dataclass(frozen=True, eq=False)
class Series:
    """Slices of one SeriesInstanceUID with one orientation and matrix, sorted along their normal.

    ``positions_mm`` (D,), ``spacing_mm``, ``tilt_deg`` and ``affine`` (4, 4; RAS, of row, column, slice) come
    from positions; they are empty, None, 0 and None where the geometry is faulty. ``plane`` is "axial",
    "coronal", "sagittal" or "unknown", ``kernel_class`` "soft", "sharp" or "unknown". ``reason`` and
    ``dropped`` are filled in by :func:`resolve_series`: why this series, and why none of the others.
    """

    slices: tuple[SliceHeader, ...]
    study_uid: str
    series_uid: str
    modality: str
    plane: str
    kernel: str
    kernel_class: str
    thickness_mm: float | None
    spacing_mm: float | None
    tilt_deg: float
    positions_mm: np.ndarray
    affine: np.ndarray | None
    findings: tuple[Finding, ...]
    reason: str = ""
    dropped: tuple[str, ...] = ()

    @property
    def patient(self) -> str:
        """The key of the patient, see :func:`patient_key`; without a PatientID, each study is a patient."""
        known = [header.patient for header in self.slices if header.patient]
        return known[0] if known else patient_key(self.study_uid)

    @property
    def body_part(self) -> str:
        """BodyPartExamined, or ""."""
        return self.slices[0].body_part

    @property
    def contrast(self) -> bool:
        """Whether a contrast agent is noted."""
        return any(header.contrast for header in self.slices)

    @property
    def extent_mm(self) -> float:
        """How much of the body the slices cover along their normal."""
        if self.spacing_mm is None:
            return self.thickness_mm or 1.0
        return float(self.positions_mm[-1] - self.positions_mm[0]) + self.spacing_mm

    @property
    def codes(self) -> frozenset[str]:
        """Codes of all findings."""
        return frozenset(finding.code for finding in self.findings)

    @property
    def fatal(self) -> tuple[Finding, ...]:
        """Findings for which the series must not be used."""
        return tuple(finding for finding in self.findings if finding.fatal)

    @property
    def short_uid(self) -> str:
        """The end of the SeriesInstanceUID, enough to tell series apart in a message."""
        return self.series_uid if len(self.series_uid) <= 12 else f"...{self.series_uid[-9:]}"

    @property
    def description(self) -> str:
        """One line of technical facts; nothing of the files' free text but the kernel's name."""
        thickness = self.thickness_mm or self.spacing_mm
        size = "unknown thickness" if thickness is None else f"{thickness:.4g} mm"
        kernel = f"{self.kernel_class} kernel ({self.kernel})" if self.kernel else "kernel not given"
        return f"{self.plane} {self.modality}, {count(len(self.slices))} of {size}, {kernel}"


@dataclass(frozen=True, eq=False)
class Scan:
    """What lies under a path: all groups of images, files that are no DICOM, files that cannot be read."""

    path: str
    series: tuple[Series, ...]
    num_ignored: int
    unreadable: tuple[Finding, ...]
