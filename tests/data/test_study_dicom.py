# SPDX-License-Identifier: Apache-2.0
"""DICOM objects of a study's results, read back."""

import numpy as np
import pytest
from pydicom import dcmread

from tomobundles import __version__
from tomobundles.data.study_dicom import ALGORITHM, DICOM_FORMS, source_files, write_dicom_results
from tomobundles.utils import InputError

from .dicom.builder import ct_slices, save
from .dicom.ct_sources import SECRETS, SERIES, STUDY, UIDS, all_text, write_ct
from .study_results import make_study

ALL = ["structured_report", "secondary_capture"]


def study(uids=tuple(UIDS[:4]), **changes):
    """The common study of four slices, as if read from DICOM."""
    content = {"name": STUDY, "patient": STUDY, "study_uid": STUDY, "series_uid": SERIES, "slice_files": ()}
    return make_study(slice_names=list(uids), **(content | changes))


@pytest.fixture
def files(tmp_path):
    return [str(file) for file in write_ct(tmp_path / "Doe_Jane")[:4]]


def texts(item):
    """Code meanings, texts and numbers of a report's tree."""
    for part in item.get("ContentSequence", ()):
        if "ConceptCodeSequence" in part:
            yield part.ConceptCodeSequence[0].CodeMeaning
        if "MeasuredValueSequence" in part:
            yield float(part.MeasuredValueSequence[0].NumericValue)
        if "TextValue" in part:
            yield part.TextValue
        yield from texts(part)


def test_report_and_capture(tmp_path, files):
    folder = tmp_path / "out"
    outputs = ["csv", *ALL]
    written = write_dicom_results(study(), folder, files=files, outputs=outputs)
    assert [path.name for path in written] == [f"{STUDY}_report.dcm", f"{STUDY}_key_slices.dcm"]
    assert sorted(written) == sorted(folder.iterdir())
    report, capture = map(dcmread, written)
    assert (report.Modality, report.StudyInstanceUID) == ("SR", STUDY)
    found = list(texts(report))
    assert {ALGORITHM, __version__} <= set(found)
    # the patient's probabilities, and of SDH the highest slice too
    assert {0.1, 0.8, 0.9, 0.75} <= {round(one, 4) for one in found if isinstance(one, float)}
    # called in the patient: SDH and any; at the threshold nowhere: the other four
    assert [found.count(word) for word in ("Present", "Absent")] == [2, 4]
    assert capture.StudyInstanceUID == STUDY
    assert capture.SeriesInstanceUID not in (SERIES, report.SeriesInstanceUID)
    assert capture.pixel_array.shape[-1] == 3
    assert capture.pixel_array.std() > 10


def test_the_patients_own_thresholds_are_reported(tmp_path, files):
    cuts = [0.05, 0.95, 0.95, 0.95, 0.95, 0.95]
    [path] = write_dicom_results(
        study(patient_thresholds=cuts), tmp_path / "out", files=files, outputs=ALL[:1]
    )
    found = list(texts(dcmread(path)))
    assert found.count("Present") == 1  # IPH alone reaches its cut
    assert [found.count(f"threshold {cut}") for cut in (0.05, 0.95)] == [1, 5]


@pytest.mark.parametrize("output", ALL)
def test_one_output(tmp_path, files, output):
    assert list(DICOM_FORMS) == ALL
    assert len(write_dicom_results(study(), tmp_path / "out", files=files, outputs=[output])) == 1
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_no_output_asked_for(tmp_path, files):
    assert write_dicom_results(study(), tmp_path / "out", files=files, outputs=["csv"]) == []
    assert not (tmp_path / "out").exists()


def test_only_uids_leave_the_study_unless_asked_for(tmp_path, files):
    findings = [f"seen in {files[0]}", "tilt of 20 degrees"]
    hidden = write_dicom_results(study(findings=findings), tmp_path / "a", files=files, outputs=ALL)
    for path in hidden:
        text = all_text(path)
        assert not [secret for secret in SECRETS if secret in text]
        assert dcmread(path).PatientID == ""
    assert "tilt of 20 degrees" in all_text(hidden[0])
    known = write_dicom_results(study(), tmp_path / "b", files=files, outputs=ALL, identified=True)
    for path in known:
        header = dcmread(path)
        assert (str(header.PatientName), header.PatientID) == ("Doe^Jane", "HOSP-4711")
        assert header.AccessionNumber == "ACC0815"


def test_a_slice_without_its_file(tmp_path, files):
    with pytest.raises(InputError, match=rf"slice {UIDS[3]} is not among the 3 source files"):
        write_dicom_results(study(), tmp_path / "out", files=files[:3], outputs=ALL)


def test_source_files_in_the_order_of_the_slices(tmp_path):
    names = "9613"  # files do not sort as slices do
    save(tmp_path / "S1", ct_slices(4), name=lambda index: f"{names[index]}.dcm")
    save(tmp_path / "S2", ct_slices(4, series="1.2.3.5"))
    result = study(uids=[f"1.2.3.4.{k}" for k in (1, 2, 3, 4)], series_uid="1.2.3.4", study_uid="1.2.3")
    assert source_files(tmp_path, result) == [str(tmp_path / "S1" / f"{name}.dcm") for name in names]
    (tmp_path / "S1" / "6.dcm").unlink()
    with pytest.raises(InputError, match=r"slice 1\.2\.3\.4\.2 is not there any more"):
        source_files(tmp_path, result)


def test_every_image_of_a_long_study_is_referred_to(tmp_path):
    depth = 10
    files = write_ct(tmp_path / "in")
    values = {key: np.full((6, depth), 0.25, np.float32) for key in ("raw", "context", "calibrated")}
    values["patient"] = np.full(6, 0.25, np.float32)
    result = study(
        uids=UIDS,
        probabilities=values,
        image=np.random.default_rng(0).normal(35, 10, (12, 10, depth)).astype(np.float32),
        positions_mm=None,
        cam=None,
    )
    [path] = write_dicom_results(result, tmp_path / "out", files=files, outputs=ALL[:1])
    evidence = dcmread(path).CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert [one.ReferencedSOPInstanceUID for one in evidence.ReferencedSOPSequence] == UIDS
