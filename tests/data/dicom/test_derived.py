# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.dicom.derived import read_sources, redact, repeatable_uid, without_patient
from tomobundles.utils import InputError

from .ct_sources import SERIES, STUDY, UIDS, write_ct


def test_headers_by_uid_in_the_order_given(tmp_path):
    sources = read_sources(write_ct(tmp_path)[::-1])
    assert list(sources) == UIDS[::-1]
    assert "PixelData" not in sources[UIDS[0]]


def test_a_header_without_the_patient_has_uids_alone(tmp_path):
    bare = without_patient(read_sources(write_ct(tmp_path))[UIDS[3]])
    assert {element.keyword: element.value for element in bare if element.value} == {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "SOPInstanceUID": UIDS[3],
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
    }


def test_uids_repeat_and_differ():
    assert repeatable_uid("a", 1) == repeatable_uid("a", 1)
    assert len({repeatable_uid("a", 1), repeatable_uid("a", "1"), repeatable_uid("a1")}) == 3
    assert len(repeatable_uid("a")) <= 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gantry tilt 18.5 deg; kernel soft/sharp unknown", None),
        (f"slice {UIDS[2]} comes twice", None),
        ("secret3.dcm and secret4 left out", "[removed] and [removed] left out"),
        ("read below/secret5.dcm", "read [removed]"),
        ("read x/below/other.dcm again", "read [removed] again"),
        ("skipped /elsewhere/a.dcm", "skipped [removed]"),
        (r"skipped C:\scans\a.dcm", "skipped [removed]"),
        ("of JANE, HOSP-4711, 19610203", "of [removed], [removed], [removed]"),
        ("read at Saint Elsewhere by Who", "read at [removed] by [removed]"),
        ("Janet is another word", None),
    ],
)
def test_free_text_loses_paths_and_identifiers(tmp_path, text, expected):
    files = write_ct(tmp_path / "below")
    sources = read_sources(files)
    assert redact(text, files=files, sources=sources) == (expected or text)
    assert redact(f"see {files[0]}", files=files, sources=sources) == "see [removed]"


def test_a_file_named_by_its_uid_leaves_the_uid_in_texts(tmp_path):
    file = write_ct(tmp_path)[0].rename(tmp_path / f"{UIDS[0]}.dcm")
    text = f"slice {UIDS[0]} comes twice"
    assert redact(text, files=[file], sources=read_sources([file])) == text


def test_a_patient_without_a_name_hides_nothing(tmp_path):
    files = write_ct(tmp_path, PatientName=None, PatientID="")
    assert redact("a b", files=files, sources=read_sources(files)) == "a b"


def test_no_files_are_refused():
    with pytest.raises(InputError, match="no DICOM source files"):
        read_sources([])


def test_what_is_not_dicom_is_refused(tmp_path):
    (tmp_path / "a.dcm").write_text("text")
    with pytest.raises(InputError, match="not a readable DICOM file"):
        read_sources([tmp_path / "a.dcm"])


def test_a_file_without_its_uid_is_refused(tmp_path):
    with pytest.raises(InputError, match="no SeriesInstanceUID"):
        read_sources(write_ct(tmp_path, SeriesInstanceUID=None))


def test_a_uid_twice_is_refused(tmp_path):
    files = write_ct(tmp_path)
    with pytest.raises(InputError, match=rf"{UIDS[0]} comes twice"):
        read_sources([files[0], *files])


def test_two_studies_are_refused(tmp_path):
    one, other = write_ct(tmp_path / "a"), write_ct(tmp_path / "b", StudyInstanceUID="1.2.9")
    with pytest.raises(InputError, match="several studies"):
        read_sources([one[0], other[1]])
