# SPDX-License-Identifier: Apache-2.0
from datetime import datetime

import numpy as np
import pytest
from pydicom import dcmread

from tomobundles.data.dicom.secondary_capture import write_secondary_capture
from tomobundles.utils import InputError

from .ct_sources import (
    OTHER,
    PATIENT,
    SECRETS,
    SERIES,
    STUDY,
    STUDY_IDENTITY,
    all_text,
    missing_attributes,
    write_ct,
)

CREATED = datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture
def capture(tmp_path):
    """The arguments of a sheet of 5 x 7 pixels: an odd number of bytes, which DICOM pads."""
    pixels = np.arange(35, dtype=np.uint8).reshape(5, 7)
    return {
        "pixels": pixels,
        "source_file": write_ct(tmp_path / "in")[4],
        "series_number": 902,
        "description": "Key slices",
        "created": CREATED,
    }


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_come_back(tmp_path, capture, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    capture["pixels"] = pixels[..., 0] if channels == 1 else pixels
    image = dcmread(write_secondary_capture(tmp_path / "sc.dcm", **capture))
    np.testing.assert_array_equal(image.pixel_array, capture["pixels"])
    assert image.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert image.PhotometricInterpretation == ("MONOCHROME2" if channels == 1 else "RGB")


def test_pixels_in_another_memory_order_come_back(tmp_path, capture):
    capture["pixels"] = capture["pixels"].T[::-1]
    image = dcmread(write_secondary_capture(tmp_path / "sc.dcm", **capture))
    np.testing.assert_array_equal(image.pixel_array, capture["pixels"])


def test_it_is_of_the_study_in_a_series_of_its_own(tmp_path, capture):
    image = dcmread(write_secondary_capture(tmp_path / "sc.dcm", **capture))
    assert image.StudyInstanceUID == STUDY
    assert image.SeriesInstanceUID != SERIES
    assert (image.SeriesNumber, image.SeriesDescription, image.Modality) == (902, "Key slices", "OT")
    assert (image.ConversionType, image.BurnedInAnnotation) == ("WSD", "NO")
    assert "PatientOrientation" in image
    assert not image.PatientOrientation
    assert (image.ContentDate, image.DateOfSecondaryCapture) == ("20260102", "20260102")
    assert image.InstanceCreationTime == image.TimeOfSecondaryCapture == image.ContentTime


def test_required_attributes_are_there(tmp_path, capture):
    assert missing_attributes(write_secondary_capture(tmp_path / "sc.dcm", **capture)) == []


def test_the_same_call_writes_the_same_bytes(tmp_path, capture):
    first = write_secondary_capture(tmp_path / "a.dcm", **capture)
    second = write_secondary_capture(tmp_path / "b.dcm", **capture)
    assert first.read_bytes() == second.read_bytes()
    capture["pixels"] = capture["pixels"] + 1
    other = dcmread(write_secondary_capture(tmp_path / "c.dcm", **capture))
    assert other.SOPInstanceUID != dcmread(first).SOPInstanceUID
    assert other.SeriesInstanceUID == dcmread(first).SeriesInstanceUID


def test_the_date_is_the_present_by_default(tmp_path, capture):
    before = f"{datetime.now():%Y%m%d}"
    image = dcmread(write_secondary_capture(tmp_path / "sc.dcm", **capture | {"created": None}))
    assert before <= image.ContentDate <= f"{datetime.now():%Y%m%d}"


def test_nothing_of_the_patient_is_written(tmp_path, capture):
    path = write_secondary_capture(tmp_path / "sc.dcm", **capture)
    text = all_text(path)
    assert [secret for secret in SECRETS if secret in text] == []
    image = dcmread(path)
    for name in {**PATIENT, **STUDY_IDENTITY, "ReferringPhysicianName": ""}:  # type 2: there, and empty
        assert name in image
        assert not image[name].value


def test_identity_is_copied_where_asked_for(tmp_path, capture):
    path = write_secondary_capture(tmp_path / "sc.dcm", **capture, identified=True)
    image = dcmread(path)
    for name, value in {**PATIENT, **STUDY_IDENTITY}.items():
        assert str(image[name].value) == value
    text = all_text(path)
    assert [secret for secret in (*OTHER.values(), "Doctor", "secret") if secret in text] == []
    plain = dcmread(write_secondary_capture(tmp_path / "plain.dcm", **capture))
    assert plain.SOPInstanceUID != image.SOPInstanceUID


def test_a_name_in_another_character_set_is_kept(tmp_path, capture):
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    changes = {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": name}
    capture["source_file"] = write_ct(tmp_path / "japan", **changes)[0]
    image = dcmread(write_secondary_capture(tmp_path / "sc.dcm", **capture, identified=True))
    assert image.SpecificCharacterSet == "ISO_IR 192"
    assert str(image.PatientName) == name


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((5, 7)),
        np.zeros((5, 7, 4), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((0, 7), np.uint8),
        np.broadcast_to(np.uint8(0), (1, 65536)),
    ],
)
def test_other_pixels_are_refused(tmp_path, capture, pixels):
    capture["pixels"] = pixels
    with pytest.raises(InputError, match="a Secondary Capture needs"):
        write_secondary_capture(tmp_path / "sc.dcm", **capture)
    assert not (tmp_path / "sc.dcm").exists()


def test_a_bad_series_number_is_refused(tmp_path, capture):
    with pytest.raises(InputError, match="a series number is 1 to 2147483647, not 0"):
        write_secondary_capture(tmp_path / "sc.dcm", **capture | {"series_number": 0})


@pytest.mark.parametrize("description", ["", "x" * 65])
def test_a_bad_description_is_refused(tmp_path, capture, description):
    with pytest.raises(InputError, match=rf"1-64 characters, not {len(description)}"):
        write_secondary_capture(tmp_path / "sc.dcm", **capture | {"description": description})


def test_a_source_that_is_not_dicom_is_refused(tmp_path, capture):
    with pytest.raises(InputError, match="not a readable DICOM file"):
        write_secondary_capture(tmp_path / "sc.dcm", **capture | {"source_file": tmp_path / "none.dcm"})
