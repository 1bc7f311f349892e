# SPDX-License-Identifier: Apache-2.0
"""Nodule candidates of a chest CT as a DICOM Structured Report (TID 1500): points in the patient's space."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from os import PathLike

import numpy as np
from highdicom import sr
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ...utils import InputError
from .derived import (
    MANUFACTURER,
    check_series_number,
    finish,
    read_sources,
    redact,
    repeatable_uid,
    without_patient,
)
from .structured_report import report_content

CHEST_CT = Code("169069000", "SCT", "Computed tomography of chest")
LIMITS = (
    "Made by software for research; not reviewed by a person. Not for diagnosis.",
    "Candidates in descending order of probability, each a point with a diameter. The probability is the "
    "network's score, not the chance of cancer.",
    "Absent: no candidate reached the probability from which they are listed; it does not rule nodules out.",
)
Group = sr.PlanarROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations


def write_nodule_report(
    path: str | PathLike,
    *,
    source_files: Sequence[str | PathLike],
    sop_instance_uids: Sequence[str],
    nodules: np.ndarray,
    probability: np.ndarray,
    slices: np.ndarray,
    algorithm_name: str,
    algorithm_version: str,
    findings: Sequence[str] = (),
    series_number: int = 903,
    created: datetime | None = None,
    identified: bool = False,
) -> str | PathLike:
    """Write a measurement report: per candidate its centre, diameter, probability and nearest slice.

    A Comprehensive 3D SR of template TID 1500 with one planar ROI (TID 1410) a candidate: a point in the
    series' frame of reference (LPS mm, float32 as the standard has it), finding Nodule, site Lung; the
    algorithm (TID 4019) is device observer; preliminary and unverified. UIDs follow from the content: the
    same call writes the same object.

    Args:
        path: DICOM file to write.
        source_files: the DICOM files of the series; only headers are read, file names are not written.
        sop_instance_uids: SOPInstanceUID of each of the D slices.
        nodules: (N, 4) x, y, z (LPS mm) and diameter (mm, above 0), most probable first; N may be 0.
        probability: (N,) 0-1.
        slices: (N,) index in ``sop_instance_uids`` of the slice nearest to each centre.
        algorithm_name: name of the algorithm.
        algorithm_version: its version.
        findings: remarks on the series; paths, file names and identifiers in them are replaced.
        series_number: number of the new series, 1 or more.
        created: date and time of the content, the present by default.
        identified: copy the patient's and the study's identity for the archive (PACS); empty by default.

    Returns:
        ``path``.

    Raises:
        InputError: no or unreadable source files, a slice that is not among them, no frame of reference,
            numbers of the wrong shape or range, or a bad series number.
    """
    check_series_number(series_number)
    numbers = _check(nodules, probability, slices, len(sop_instance_uids))
    sources = read_sources(source_files)
    absent = [uid for uid in sop_instance_uids if uid not in sources]
    if absent:
        raise InputError(f"slice {absent[0]} is not among the {len(sources)} source files")
    frame = _frame_of_reference(source_files[list(sources).index(sop_instance_uids[0])])
    evidence = [without_patient(sources[uid]) for uid in sop_instance_uids]
    algorithm = (algorithm_name, algorithm_version)
    series = (evidence[0].StudyInstanceUID, evidence[0].SeriesInstanceUID, *algorithm)
    remarks = [redact(text, files=source_files, sources=sources) for text in findings]
    key = [array.tolist() for array in numbers]
    uid = repeatable_uid("nodule report", *series, *sop_instance_uids, key, remarks, identified)
    groups = [
        _group(rank, nodule, value, evidence[place], frame=frame, uid=uid, algorithm=algorithm)
        for rank, (nodule, value, place) in enumerate(zip(*numbers, strict=True), start=1)
    ]
    groups = groups or [_none(uid, algorithm)]  # the template asks for at least one
    report = sr.Comprehensive3DSR(
        evidence=evidence,
        content=report_content(groups, [*LIMITS, *remarks], algorithm=algorithm, procedure=CHEST_CT)[0],
        series_instance_uid=repeatable_uid("nodule report series", *series, series_number),
        series_number=series_number,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=algorithm_name[:64],
        software_versions=algorithm_version[:64],
        series_description="Software findings, not verified",
        is_complete=True,
        specific_character_set="ISO_IR 192",
    )
    created = created or datetime.now().replace(microsecond=0)
    source = sources[sop_instance_uids[0]]
    return finish(path, report, source=source, created=created, identified=identified)


def _frame_of_reference(file: str | PathLike) -> str:
    found = dcmread(file, stop_before_pixels=True, specific_tags=["FrameOfReferenceUID"])
    if not found.get("FrameOfReferenceUID"):
        raise InputError(
            "the DICOM header has no FrameOfReferenceUID, so points cannot be referred to it",
            path=file,
            remedy="leave structured_report out of the outputs, or export the series again",
        )
    return str(found.FrameOfReferenceUID)


def _group(
    rank: int,
    nodule: np.ndarray,
    probability: float,
    image: Dataset,
    *,
    frame: str,
    uid: str,
    algorithm: tuple[str, str],
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    name = f"Nodule candidate {rank}"
    slices = [sr.SourceImageForMeasurement(image.SOPClassUID, image.SOPInstanceUID)]
    diameter = sr.Measurement(
        codes.SCT.Diameter, round(float(nodule[3]), 4), codes.UCUM.Millimeter, referenced_images=slices
    )
    chance = sr.Measurement(codes.DCM.Probability, round(float(probability), 6), codes.UCUM.NoUnits)
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=repeatable_uid(uid, rank), identifier=name),
        referenced_region=sr.ImageRegion3D(sr.GraphicTypeValues3D.POINT, nodule[None, :3], frame),
        finding_type=codes.SCT.Nodule,
        finding_sites=[sr.FindingSite(codes.SCT.Lung)],
        algorithm_id=sr.AlgorithmIdentification(*algorithm),
        geometric_purpose=codes.DCM.Center,
        measurements=[diameter, chance],
    )


def _none(uid: str, algorithm: tuple[str, str]) -> sr.MeasurementsAndQualitativeEvaluations:
    """A group without a place: no nodule was found."""
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=repeatable_uid(uid, 0), identifier="Nodule candidates"),
        finding_type=codes.SCT.Nodule,
        finding_sites=[sr.FindingSite(codes.SCT.Lung)],
        algorithm_id=sr.AlgorithmIdentification(*algorithm),
        qualitative_evaluations=[sr.QualitativeEvaluation(codes.DCM.PresenceOfProperty, codes.cid240.Absent)],
    )


def _check(
    nodules: np.ndarray, probability: np.ndarray, slices: np.ndarray, depth: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    nodules, probability = np.asarray(nodules, np.float64), np.asarray(probability, np.float64)
    slices = np.asarray(slices)
    count = len(nodules)
    if nodules.shape != (count, 4) or probability.shape != (count,) or slices.shape != (count,):
        raise InputError(
            f"nodules {nodules.shape}, probability {probability.shape} and slices {slices.shape} do not fit",
            remedy="give (N, 4), (N,) and (N,)",
        )
    if not np.isfinite(nodules).all() or not (nodules[:, 3] > 0).all():
        raise InputError("nodules hold NaN or a diameter that is not positive")
    if not ((probability >= 0) & (probability <= 1)).all():  # a NaN is in no range
        raise InputError("probability must lie in 0-1")
    if not np.isin(slices, np.arange(depth)).all():
        raise InputError(f"slices must be indices of the {depth} slices, from 0")
    return nodules, probability, slices.astype(int)
