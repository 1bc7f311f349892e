# SPDX-License-Identifier: Apache-2.0
"""Findings of a study as a DICOM Structured Report (TID 1500)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path

import numpy as np
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom import Dataset
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

SCHEME = "99TOMOBUNDLES"
# SNOMED CT only where the code could be confirmed; 99... is DICOM's form of a private scheme (PS3.16 sec. 8)
CLASS_CODES = {
    "IPH": Code("274100004", "SCT", "Cerebral hemorrhage"),
    "IVH": Code("IVH", SCHEME, "Intraventricular hemorrhage"),
    "SAH": Code("21454007", "SCT", "Subarachnoid hemorrhage"),
    "SDH": Code("SDH", SCHEME, "Subdural hemorrhage"),
    "EDH": Code("EDH", SCHEME, "Epidural hemorrhage"),
    "any": Code("1386000", "SCT", "Intracranial hemorrhage"),
}
QUALITATIVE = Code("C0034375", "UMLS", "Qualitative Evaluations")
LIMITS = (
    "Made by software for research; not reviewed by a person. Not for diagnosis.",
    "Probability without an image: of the study, calibrated. Maximum: of the slice it refers to.",
    "Present: the study's decision by the threshold given. Undetermined: not decided as present, but a "
    "slice reaches the threshold. Absent: neither; this does not rule bleeding out.",
)
KEY_IMAGES = 3


@dataclass(frozen=True)
class _Scores:
    """Checked numbers of a study: ``slices`` (K, D), the others (K,)."""

    slices: np.ndarray
    patient: np.ndarray
    decisions: np.ndarray
    thresholds: np.ndarray

    def presence(self, k: int) -> Code:
        """Presence of class ``k`` in the terms of CID 240."""
        if self.decisions[k]:
            return codes.cid240.Present
        possible = self.slices[k].max() >= self.thresholds[k]
        return codes.cid240.Undetermined if possible else codes.cid240.Absent

    def key_slices(self, k: int) -> list[int]:
        """The highest slice of class ``k``, and after it up to two more that reach the threshold."""
        order = np.argsort(-self.slices[k], kind="stable")[:KEY_IMAGES]
        return [int(d) for n, d in enumerate(order) if n == 0 or self.slices[k, d] >= self.thresholds[k]]


def write_structured_report(
    path: str | PathLike,
    *,
    source_files: Sequence[str | PathLike],
    sop_instance_uids: Sequence[str],
    probabilities: np.ndarray,
    patient: np.ndarray,
    decisions: np.ndarray,
    class_names: Sequence[str],
    thresholds: np.ndarray,
    algorithm_name: str,
    algorithm_version: str,
    findings: Sequence[str] = (),
    series_number: int = 901,
    created: datetime | None = None,
    identified: bool = False,
) -> Path:
    """Write a measurement report: per class its probability, whether it is present, and its key images.

    A Comprehensive SR of template TID 1500 with one group (TID 1501) a class and the algorithm (TID 4019) as
    device observer; preliminary and unverified. Slices are referred to by SOPInstanceUID. UIDs follow from
    the content: the same call writes the same object.

    Args:
        path: DICOM file to write.
        source_files: the DICOM files of the series; only headers are read, file names are not written.
        sop_instance_uids: SOPInstanceUID of each of the D slices, as the columns of ``probabilities``.
        probabilities: (K, D) calibrated probabilities of the slices, 0-1.
        patient: (K,) calibrated probabilities of the study, 0-1.
        decisions: (K,) the study's decisions, 0 or 1.
        class_names: names of the K rows; unknown names get a private code.
        thresholds: (K,) thresholds behind the decisions, 0-1.
        algorithm_name: name of the algorithm.
        algorithm_version: its version.
        findings: remarks on the series; paths, file names and identifiers in them are replaced.
        series_number: number of the new series, 1 or more.
        created: date and time of the content, the present by default.
        identified: copy the patient's and the study's identity for the archive (PACS); empty by default.

    Returns:
        ``path``.

    Raises:
        InputError: no or unreadable source files, a slice that is not among them, numbers of the wrong
            count or range, or a bad series number.
    """
    check_series_number(series_number)
    scores = _check(probabilities, patient, decisions, thresholds, len(class_names), len(sop_instance_uids))
    sources = read_sources(source_files)
    absent = [uid for uid in sop_instance_uids if uid not in sources]
    if absent:
        raise InputError(f"slice {absent[0]} is not among the {len(sources)} source files")
    evidence = [without_patient(sources[uid]) for uid in sop_instance_uids]
    series = (evidence[0].StudyInstanceUID, evidence[0].SeriesInstanceUID, algorithm_name, algorithm_version)
    remarks = [redact(text, files=source_files, sources=sources) for text in findings]
    numbers = [array.tolist() for array in vars(scores).values()]
    uid = repeatable_uid("report", *series, *sop_instance_uids, *class_names, numbers, remarks, identified)
    groups = [
        _group(k, name, scores, evidence, uid=uid, algorithm=(algorithm_name, algorithm_version))
        for k, name in enumerate(class_names)
    ]
    report = sr.ComprehensiveSR(
        evidence=evidence,
        content=report_content(
            groups,
            [*LIMITS, *remarks],
            algorithm=(algorithm_name, algorithm_version),
            procedure=codes.SCT.ComputedTomographyOfHead,
        )[0],
        series_instance_uid=repeatable_uid("report series", *series, series_number),
        series_number=series_number,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=algorithm_name[:64],
        software_versions=algorithm_version[:64],
        series_description="Software findings, not verified",
        is_complete=True,
        specific_character_set="ISO_IR 192",
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="tomobundles")],
    )
    created = created or datetime.now().replace(microsecond=0)
    source = sources[sop_instance_uids[0]]
    return finish(path, report, source=source, created=created, identified=identified)


def _group(
    k: int, name: str, scores: _Scores, evidence: Sequence[Dataset], *, uid: str, algorithm: tuple[str, str]
) -> sr.MeasurementsAndQualitativeEvaluations:
    keys = [evidence[d] for d in scores.key_slices(k)]
    key = sr.SourceImageForMeasurement(keys[0].SOPClassUID, keys[0].SOPInstanceUID)
    highest = _probability(scores.slices[k].max(), derivation=codes.SCT.Maximum, referenced_images=[key])
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=repeatable_uid(uid, name), identifier=name),
        finding_type=CLASS_CODES.get(name, Code(name, SCHEME, name[:64])),
        algorithm_id=sr.AlgorithmIdentification(
            *algorithm, parameters=[f"threshold {scores.thresholds[k]:.6g}"]
        ),
        measurements=[_probability(scores.patient[k]), highest],
        qualitative_evaluations=[sr.QualitativeEvaluation(codes.DCM.PresenceOfProperty, scores.presence(k))],
        source_images=[
            sr.SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID) for image in keys
        ],
    )


def _probability(value: float, **about: object) -> sr.Measurement:
    return sr.Measurement(codes.DCM.Probability, round(float(value), 6), codes.UCUM.NoUnits, **about)


def report_content(
    groups: Sequence[sr.MeasurementsAndQualitativeEvaluations],
    texts: Sequence[str],
    *,
    algorithm: tuple[str, str],
    procedure: Code,
) -> sr.MeasurementReport:
    """The tree of a TID 1500 report: who observed, which procedure, measurements, remarks.

    Args:
        groups: one for each finding.
        texts: remarks outside the groups.
        algorithm: name and version.
        procedure: code of the examination.
    """
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=repeatable_uid("device", *algorithm), name=" ".join(algorithm), manufacturer_name=MANUFACTURER
    )
    observer = sr.ObserverContext(codes.DCM.Device, device)
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=procedure,
        imaging_measurements=groups,
    )
    # TID 1500 has a container for evaluations and texts outside the groups; highdicom has no argument for it
    remarks = sr.ContainerContentItem(QUALITATIVE, relationship_type=sr.RelationshipTypeValues.CONTAINS)
    remarks.ContentSequence = sr.ContentSequence(
        [sr.TextContentItem(codes.DCM.Comment, text, sr.RelationshipTypeValues.CONTAINS) for text in texts]
    )
    report[0].ContentSequence.append(remarks)
    return report


def _check(
    probabilities: np.ndarray,
    patient: np.ndarray,
    decisions: np.ndarray,
    thresholds: np.ndarray,
    classes: int,
    depth: int,
) -> _Scores:
    arrays = {
        "probabilities": np.asarray(probabilities, np.float64),
        "patient": np.asarray(patient, np.float64),
        "decisions": np.asarray(decisions, np.float64),
        "thresholds": np.asarray(thresholds, np.float64),
    }
    for name, array in arrays.items():
        shape = (classes, depth) if name == "probabilities" else (classes,)
        if array.shape != shape or not array.size:
            raise InputError(f"{name} must have the shape {shape} (classes, slices), not {array.shape}")
        if not ((array >= 0) & (array <= 1)).all():  # a NaN is in no range
            raise InputError(f"{name} must lie in 0-1")
    if not np.isin(arrays["decisions"], (0, 1)).all():
        raise InputError("decisions must be 0 or 1")
    return _Scores(*arrays.values())
