# SPDX-License-Identifier: Apache-2.0
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1

from tomobundles.data.dicom import resolve_series
from tomobundles.data.dicom.checks import header_findings, kind_codes, missing_codec
from tomobundles.data.dicom.headers import read_header
from tomobundles.utils import InputError

from .builder import ct_slices, save


def headers(folder, **changes):
    save(folder, ct_slices(2, **changes))
    return [read_header(file) for file in sorted(folder.iterdir())]


def test_sound_headers(tmp_path):
    assert header_findings(headers(tmp_path)) == []


def test_kinds(tmp_path):
    assert kind_codes(headers(tmp_path / "a")) == set()
    assert kind_codes(headers(tmp_path / "b", ImageType=["DERIVED", "PRIMARY"], NumberOfFrames=2)) == {
        "derived",
        "multi_frame",
    }
    # a body part is a note, no reason to leave a series out
    assert kind_codes(headers(tmp_path / "c", BodyPartExamined="LUNG")) == set()


def test_brain_is_head(tmp_path):
    assert header_findings(headers(tmp_path, BodyPartExamined="BRAIN")) == []


def test_hounsfield_units_by_name(tmp_path):
    assert header_findings(headers(tmp_path, RescaleType="HU")) == []


def test_other_modalities_need_no_rescale(tmp_path):
    found = headers(tmp_path, Modality="MR", RescaleType="US")
    assert header_findings(found) == []


def test_codec_names():
    assert missing_codec(ExplicitVRLittleEndian) is None
    assert missing_codec("") == "transfer syntax not given"
    assert missing_codec("1.2.840.10008.1.2.4.100") == "MPEG2 Main Profile / Main Level"


def test_missing_decoder_is_named(tmp_path, monkeypatch):
    class Absent:
        is_available = False

    monkeypatch.setattr("tomobundles.data.dicom.checks.get_decoder", lambda uid: Absent)
    datasets = ct_slices()
    save(tmp_path, datasets)
    for file in tmp_path.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        dataset.PixelData = pydicom.encaps.encapsulate([b"not a picture"])
        dataset.save_as(file)
    with pytest.raises(InputError, match=r'JPEG Lossless(?s:.)*pip install "tomobundles\[dicom\]"'):
        resolve_series(tmp_path)


def test_unknown_transfer_syntax_is_named(tmp_path):
    save(tmp_path, ct_slices())
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"))
    with pytest.raises(
        InputError, match=r"no decoder is installed for transfer syntax 1\.2\.840\.10008\.1\.2\.9"
    ):
        resolve_series(tmp_path)
