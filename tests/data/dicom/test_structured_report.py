# SPDX-License-Identifier: Apache-2.0
from datetime import datetime

import highdicom as hd
import numpy as np
import pytest
from highdicom.sr.utils import find_content_items
from pydicom import dcmread
from pydicom.sr.codedict import codes

from tomobundles.data.dicom.structured_report import CLASS_CODES, LIMITS, SCHEME, write_structured_report
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

CLASSES = ["IPH", "IVH", "SAH", "SDH", "EDH", "any"]


@pytest.fixture
def report(tmp_path):
    """8 of 10 slices, in another order than the files.

    IPH is present, in slices 2 and 5; IVH is not decided as present but slice 7 reaches the threshold; SAH is
    just below it; SDH, EDH are zero; any is present in five slices.
    """
    probabilities = np.zeros((6, 8), np.float32)
    probabilities[0, [2, 5]] = 0.75, 0.875
    probabilities[1, 7] = 0.5
    probabilities[2, 1] = 0.25
    probabilities[5, :5] = 0.5, 0.625, 0.5, 0.875, 0.75
    return {
        "source_files": write_ct(tmp_path / "in"),
        "sop_instance_uids": UIDS[9:1:-1],
        "probabilities": probabilities,
        "patient": np.float32([0.9, 0.125, 0.1, 0, 0, 1]),
        "decisions": np.array([1, 0, 0, 0, 0, 1], bool),
        "class_names": CLASSES,
        "thresholds": np.float32([0.5, 0.5, 0.3, 0.5, 0.5, 0.5]),
        "algorithm_name": "ich",
        "algorithm_version": "0.1.0",
        "findings": ["gantry tilt 18.5° (±0.1)"],
        "created": datetime(2026, 1, 2, 3, 4, 5),
    }


def groups(path):
    """Class -> measurement group, as highdicom reads it."""
    content = hd.sr.srread(path).content
    return {group.tracking_identifier: group for group in content.get_image_measurement_groups()}


def texts(path):
    items = find_content_items(dcmread(path), name=codes.DCM.Comment, recursive=True)
    return [item.TextValue for item in items]


def presence(group):
    return group.get_qualitative_evaluations(codes.DCM.PresenceOfProperty)[0].value.meaning


def test_it_is_a_report_of_template_1500_in_the_study(tmp_path, report):
    path = write_structured_report(tmp_path / "sr.dcm", **report)
    dataset = dcmread(path)
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.33"
    assert dataset.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert dataset.StudyInstanceUID == STUDY
    assert dataset.SeriesInstanceUID != SERIES
    assert (dataset.SeriesNumber, dataset.Modality) == (901, "SR")
    assert (dataset.PreliminaryFlag, dataset.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert (dataset.ContentDate, dataset.InstanceCreationDate) == ("20260102", "20260102")
    assert isinstance(hd.sr.srread(path).content, hd.sr.MeasurementReport)


def test_every_class_has_its_code(tmp_path, report):
    found = groups(write_structured_report(tmp_path / "sr.dcm", **report))
    assert list(found) == CLASSES
    values = {
        name: (group.finding_type.value, group.finding_type.scheme_designator)
        for name, group in found.items()
    }
    assert values == {
        "IPH": ("274100004", "SCT"),
        "IVH": ("IVH", SCHEME),
        "SAH": ("21454007", "SCT"),
        "SDH": ("SDH", SCHEME),
        "EDH": ("EDH", SCHEME),
        "any": ("1386000", "SCT"),
    }
    assert CLASS_CODES["any"] == codes.SCT.IntracranialHemorrhage
    dataset = dcmread(tmp_path / "sr.dcm")
    assert dataset.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == SCHEME


def test_another_class_gets_a_private_code(tmp_path, report):
    report["class_names"] = [*CLASSES[:5], "a_name_longer_than_16_characters"]
    group = groups(write_structured_report(tmp_path / "sr.dcm", **report))[report["class_names"][5]]
    assert (group.finding_type.value, group.finding_type.scheme_designator) == (
        report["class_names"][5],
        SCHEME,
    )


def test_probabilities_of_the_study_and_of_the_highest_slice(tmp_path, report):
    found = groups(write_structured_report(tmp_path / "sr.dcm", **report))
    expected = {
        "IPH": (0.9, 0.875),
        "IVH": (0.125, 0.5),
        "SAH": (0.1, 0.25),
        "EDH": (0, 0),
        "any": (1, 0.875),
    }
    for name, values in expected.items():
        patient, highest = found[name].get_measurements(codes.DCM.Probability)
        assert (patient.value, highest.value) == values
        assert patient.unit == highest.unit == codes.UCUM.NoUnits
        assert patient.referenced_images == []
        assert (patient.derivation, highest.derivation) == (None, codes.SCT.Maximum)


def test_key_images_are_slices_by_their_uid(tmp_path, report):
    # Column d is UIDS[9 - d]. IPH: slices 5 (0.875), 2 (0.75). any: 3, 4, 1 of five: three at most. IVH: 7.
    # SAH: 1 is below the threshold but the highest. SDH: all are equal, so the first.
    found = groups(write_structured_report(tmp_path / "sr.dcm", **report))
    expected = {"IPH": [5, 2], "IVH": [7], "SAH": [1], "SDH": [0], "any": [3, 4, 1]}
    for name, columns in expected.items():
        images = [image.referenced_sop_instance_uid for image in found[name].source_images]
        assert images == [UIDS[9 - d] for d in columns]
        highest = found[name].get_measurements()[1]
        assert [image.referenced_sop_instance_uid for image in highest.referenced_images] == images[:1]


def test_only_the_slices_read_are_evidence(tmp_path, report):
    dataset = dcmread(write_structured_report(tmp_path / "sr.dcm", **report))
    [study] = dataset.CurrentRequestedProcedureEvidenceSequence
    [series] = study.ReferencedSeriesSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (STUDY, SERIES)
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence} == set(UIDS[2:])


def test_presence_by_decision_and_threshold(tmp_path, report):
    found = groups(write_structured_report(tmp_path / "sr.dcm", **report))
    assert {name: presence(group) for name, group in found.items()} == {
        "IPH": "Present",
        "IVH": "Undetermined",  # 0.5 in one slice reaches the threshold of 0.5
        "SAH": "Absent",  # 0.25 is below 0.3
        "SDH": "Absent",
        "EDH": "Absent",
        "any": "Present",
    }


def test_the_algorithm_and_its_thresholds_are_named(tmp_path, report):
    path = write_structured_report(tmp_path / "sr.dcm", **report)
    [observer] = hd.sr.srread(path).content.get_observer_contexts()
    assert observer.observer_type == codes.DCM.Device
    assert observer.observer_identifying_attributes.name == "ich 0.1.0"
    group = groups(path)["SAH"][0]
    algorithm = [
        find_content_items(group, name=name)[0].TextValue
        for name in (codes.DCM.AlgorithmName, codes.DCM.AlgorithmVersion, codes.DCM.AlgorithmParameters)
    ]
    assert algorithm == ["ich", "0.1.0", "threshold 0.3"]


def test_limits_and_findings_are_texts(tmp_path, report):
    path = write_structured_report(tmp_path / "sr.dcm", **report)
    assert texts(path) == [*LIMITS, "gantry tilt 18.5° (±0.1)"]


def test_required_attributes_are_there(tmp_path, report):
    path = write_structured_report(tmp_path / "sr.dcm", **report)
    # every row of the content's module depends on the kind of item, though its table does not say so
    assert missing_attributes(path, without=["sr-document-content"]) == []


def test_the_same_call_writes_the_same_bytes(tmp_path, report):
    first = write_structured_report(tmp_path / "a.dcm", **report)
    assert first.read_bytes() == write_structured_report(tmp_path / "b.dcm", **report).read_bytes()
    report["patient"] = report["patient"] * 0.5
    other = dcmread(write_structured_report(tmp_path / "c.dcm", **report))
    assert other.SOPInstanceUID != dcmread(first).SOPInstanceUID
    assert other.SeriesInstanceUID == dcmread(first).SeriesInstanceUID


def test_the_date_is_the_present_by_default(tmp_path, report):
    before = f"{datetime.now():%Y%m%d}"
    dataset = dcmread(write_structured_report(tmp_path / "sr.dcm", **report | {"created": None}))
    assert before <= dataset.ContentDate <= f"{datetime.now():%Y%m%d}"


def test_nothing_of_the_patient_is_written(tmp_path, report):
    report["findings"] = [f"{report['source_files'][0]} of Jane Doe, HOSP-4711, left out"]
    path = write_structured_report(tmp_path / "sr.dcm", **report)
    text = all_text(path)
    assert [secret for secret in SECRETS if secret in text] == []
    assert texts(path)[-1] == "[removed] of [removed] [removed], [removed], left out"
    dataset = dcmread(path)
    for name in {**PATIENT, **STUDY_IDENTITY, "ReferringPhysicianName": ""}:  # type 2: there, and empty
        assert name in dataset
        assert not dataset[name].value


def test_identity_is_copied_where_asked_for(tmp_path, report):
    path = write_structured_report(tmp_path / "sr.dcm", **report, identified=True)
    dataset = dcmread(path)
    for name, value in {**PATIENT, **STUDY_IDENTITY}.items():
        assert str(dataset[name].value) == value
    text = all_text(path)
    assert [secret for secret in (*OTHER.values(), "Doctor", "secret") if secret in text] == []


def test_one_slice_is_enough(tmp_path, report):
    report |= {"sop_instance_uids": UIDS[:1], "probabilities": report["probabilities"][:, 3:4]}
    found = groups(write_structured_report(tmp_path / "sr.dcm", **report))
    assert [image.referenced_sop_instance_uid for image in found["any"].source_images] == UIDS[:1]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"series_number": 2**31}, "a series number is 1 to 2147483647, not 2147483648"),
        ({"source_files": []}, "no DICOM source files"),
        ({"sop_instance_uids": ["9.9", *UIDS[:7]]}, r"slice 9\.9 is not among the 10 source files"),
        ({"sop_instance_uids": UIDS}, r"probabilities must have the shape \(6, 10\).*, not \(6, 8\)"),
        ({"class_names": CLASSES[:5]}, r"probabilities must have the shape \(5, 8\)"),
        ({"sop_instance_uids": [], "probabilities": np.zeros((6, 0))}, r"shape \(6, 0\)"),
        ({"patient": np.zeros(5)}, r"patient must have the shape \(6,\).*, not \(5,\)"),
        ({"decisions": np.zeros((6, 1))}, r"decisions must have the shape"),
        ({"thresholds": 0.5}, r"thresholds must have the shape"),
        ({"probabilities": np.full((6, 8), np.nan)}, "probabilities must lie in 0-1"),
        ({"patient": np.full(6, 1.5)}, "patient must lie in 0-1"),
        ({"thresholds": np.full(6, -0.1)}, "thresholds must lie in 0-1"),
        ({"decisions": np.full(6, 0.5)}, "decisions must be 0 or 1"),
    ],
)
def test_bad_input_is_refused(tmp_path, report, changes, problem):
    with pytest.raises(InputError, match=problem):
        write_structured_report(tmp_path / "sr.dcm", **report | changes)
    assert not (tmp_path / "sr.dcm").exists()
