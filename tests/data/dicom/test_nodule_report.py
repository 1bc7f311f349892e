# SPDX-License-Identifier: Apache-2.0
from datetime import datetime

import highdicom as hd
import numpy as np
import pytest
from highdicom.sr.utils import find_content_items
from pydicom import dcmread
from pydicom.sr.codedict import codes

from tomobundles.data.dicom.nodule_report import LIMITS, write_nodule_report
from tomobundles.utils import InputError

from .ct_sources import (
    OTHER,
    PATIENT,
    SECRETS,
    SERIES,
    STUDY,
    STUDY_IDENTITY,
    UIDS,
    all_text,
    missing_attributes,
    write_ct,
)

FRAME = "1.2.826.1.1.99"
# coordinates that float32 holds exactly
NODULES = np.array([[1.5, -2.25, -300.125, 7.5], [-64.0, 80.5, -250, 3.25], [10, 20, 30, 30]])


@pytest.fixture
def report(tmp_path):
    """Three candidates on 8 of 10 slices, which come in another order than the files."""
    return {
        "source_files": write_ct(tmp_path / "in", FrameOfReferenceUID=FRAME),
        "sop_instance_uids": UIDS[9:1:-1],
        "nodules": NODULES,
        "probability": np.float32([0.9, 0.5, 0.125]),
        "slices": np.array([3, 0, 7]),
        "algorithm_name": "lung_nodule",
        "algorithm_version": "0.1.0",
        "findings": ["slices of 5 mm (±0.1)"],
        "created": datetime(2026, 1, 2, 3, 4, 5),
    }


def content(path):
    return hd.sr.srread(path).content


def groups(path):
    return content(path).get_planar_roi_measurement_groups()


def texts(path):
    items = find_content_items(dcmread(path), name=codes.DCM.Comment, recursive=True)
    return [item.TextValue for item in items]


def test_it_is_a_report_of_template_1500_in_the_study(tmp_path, report):
    path = write_nodule_report(tmp_path / "sr.dcm", **report)
    dataset = dcmread(path)
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"  # Comprehensive 3D SR
    assert dataset.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert dataset.StudyInstanceUID == STUDY
    assert dataset.SeriesInstanceUID != SERIES
    assert (dataset.SeriesNumber, dataset.Modality) == (903, "SR")
    assert (dataset.PreliminaryFlag, dataset.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert (dataset.ContentDate, dataset.InstanceCreationDate) == ("20260102", "20260102")
    [procedure] = find_content_items(dataset, name=codes.DCM.ProcedureReported)
    code = procedure.ConceptCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("169069000", "SCT")
    assert isinstance(content(path), hd.sr.MeasurementReport)


def test_candidates_are_points_in_the_series_space(tmp_path, report):
    found = groups(write_nodule_report(tmp_path / "sr.dcm", **report))
    assert [group.tracking_identifier for group in found] == [f"Nodule candidate {n}" for n in (1, 2, 3)]
    for group, nodule in zip(found, NODULES, strict=True):
        assert group.roi.graphic_type == hd.sr.GraphicTypeValues3D.POINT
        assert group.roi.frame_of_reference_uid == FRAME
        assert group.roi.value.tolist() == [nodule[:3].tolist()]  # LPS mm, as in the contest's table


def test_codes_of_finding_site_and_measurements(tmp_path, report):
    found = groups(write_nodule_report(tmp_path / "sr.dcm", **report))
    for group, nodule, probability in zip(found, NODULES, (0.9, 0.5, 0.125), strict=True):
        assert (group.finding_type.value, group.finding_type.scheme_designator) == ("27925004", "SCT")
        [site] = group.finding_sites
        assert (site.value.value, site.value.scheme_designator) == ("39607008", "SCT")
        diameter, chance = group.get_measurements()
        assert (diameter.name.value, diameter.value, diameter.unit.value) == ("81827009", nodule[3], "mm")
        assert (chance.name, chance.value, chance.unit) == (
            codes.DCM.Probability,
            probability,
            codes.UCUM.NoUnits,
        )


def test_the_slice_nearest_to_a_candidate_is_named(tmp_path, report):
    found = groups(write_nodule_report(tmp_path / "sr.dcm", **report))
    named = [group.get_measurements()[0].referenced_images[0].referenced_sop_instance_uid for group in found]
    assert named == [UIDS[9 - place] for place in (3, 0, 7)]


def test_all_slices_read_are_evidence(tmp_path, report):
    dataset = dcmread(write_nodule_report(tmp_path / "sr.dcm", **report))
    listed = [
        item.ReferencedSOPInstanceUID
        for sequence in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in dataset.get(sequence, [])
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]
    assert set(listed) == set(UIDS[2:])


def test_the_algorithm_is_named(tmp_path, report):
    path = write_nodule_report(tmp_path / "sr.dcm", **report)
    [observer] = content(path).get_observer_contexts()
    assert observer.observer_type == codes.DCM.Device
    assert observer.observer_identifying_attributes.name == "lung_nodule 0.1.0"


def test_limits_and_findings_are_texts(tmp_path, report):
    assert texts(write_nodule_report(tmp_path / "sr.dcm", **report)) == [*LIMITS, "slices of 5 mm (±0.1)"]


def test_no_candidate_is_a_report_without_places(tmp_path, report):
    none = {"nodules": np.empty((0, 4)), "probability": np.empty(0), "slices": np.empty(0)}
    path = write_nodule_report(tmp_path / "sr.dcm", **report | none)
    assert groups(path) == []
    [group] = content(path).get_image_measurement_groups()
    assert group.finding_type == codes.SCT.Nodule
    [presence] = group.get_qualitative_evaluations(codes.DCM.PresenceOfProperty)
    assert presence.value == codes.cid240.Absent


def test_required_attributes_are_there(tmp_path, report):
    path = write_nodule_report(tmp_path / "sr.dcm", **report)
    # every row of the content's module depends on the kind of item, though its table does not say so
    assert missing_attributes(path, without=["sr-document-content"]) == []


def test_the_same_call_writes_the_same_bytes(tmp_path, report):
    first = write_nodule_report(tmp_path / "a.dcm", **report)
    assert first.read_bytes() == write_nodule_report(tmp_path / "b.dcm", **report).read_bytes()
    report["probability"] = report["probability"] * 0.5
    other = dcmread(write_nodule_report(tmp_path / "c.dcm", **report))
    assert other.SOPInstanceUID != dcmread(first).SOPInstanceUID
    assert other.SeriesInstanceUID == dcmread(first).SeriesInstanceUID


def test_the_date_is_the_present_by_default(tmp_path, report):
    before = f"{datetime.now():%Y%m%d}"
    dataset = dcmread(write_nodule_report(tmp_path / "sr.dcm", **report | {"created": None}))
    assert before <= dataset.ContentDate <= f"{datetime.now():%Y%m%d}"


def test_nothing_of_the_patient_is_written(tmp_path, report):
    report["findings"] = [f"{report['source_files'][0]} of Jane Doe, HOSP-4711, left out"]
    path = write_nodule_report(tmp_path / "sr.dcm", **report)
    text = all_text(path)
    assert [secret for secret in SECRETS if secret in text] == []
    assert texts(path)[-1] == "[removed] of [removed] [removed], [removed], left out"
    dataset = dcmread(path)
    for name in {**PATIENT, **STUDY_IDENTITY, "ReferringPhysicianName": ""}:  # type 2: there, and empty
        assert name in dataset
        assert not dataset[name].value


def test_identity_is_copied_where_asked_for(tmp_path, report):
    path = write_nodule_report(tmp_path / "sr.dcm", **report, identified=True)
    dataset = dcmread(path)
    for name, value in {**PATIENT, **STUDY_IDENTITY}.items():
        assert str(dataset[name].value) == value
    text = all_text(path)
    assert [secret for secret in (*OTHER.values(), "Doctor", "secret") if secret in text] == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"source_files": []}, "no DICOM source files"),
        ({"sop_instance_uids": [*UIDS[:7], "1.2.3"]}, "slice 1.2.3 is not among the 10 source files"),
        ({"series_number": 0}, "a series number is 1 to"),
        ({"nodules": NODULES[:, :3]}, r"nodules \(3, 3\), probability \(3,\) and slices \(3,\) do not fit"),
        ({"probability": np.zeros(2)}, r"probability \(2,\)"),
        ({"slices": np.zeros(2, int)}, r"slices \(2,\)"),
        ({"nodules": NODULES * np.nan}, "nodules hold NaN"),
        ({"nodules": NODULES * [1, 1, 1, -1]}, "a diameter that is not positive"),
        ({"probability": np.array([0.5, np.nan, 0.1])}, "probability must lie in 0-1"),
        ({"probability": np.array([1.5, 0.5, 0.1])}, "probability must lie in 0-1"),
        ({"slices": np.array([0, 1, 8])}, "indices of the 8 slices"),
        ({"slices": np.array([0, 1, 0.5])}, "indices of the 8 slices"),
    ],
)
def test_what_is_refused(tmp_path, report, changes, problem):
    with pytest.raises(InputError, match=problem):
        write_nodule_report(tmp_path / "sr.dcm", **report | changes)
    assert not (tmp_path / "sr.dcm").exists()


def test_a_series_without_a_frame_of_reference(tmp_path, report):
    report["source_files"] = write_ct(tmp_path / "none")
    with pytest.raises(InputError, match=r"(?s)secret9.dcm\nthe DICOM header has no FrameOfReferenceUID"):
        write_nodule_report(tmp_path / "sr.dcm", **report)
