# SPDX-License-Identifier: Apache-2.0
"""DICOM studies as items; how they are found and listed is tested with find_studies."""

import pytest

from tomobundles.data.study_items import found_studies, is_dicom, listed_study, refuse, unreadable_folders
from tomobundles.data.study_result import StudyRefusal
from tomobundles.utils import InputError

from .conftest import write_slices
from .dicom.builder import DEPTH, SERIES, STUDY, ct_slices, save
from .test_studies import VOLUME, nifti

SOFT = "axial CT, 8 slices of 5 mm, soft kernel (H31s)"
DEFAULTS = {"preference": None, "accept": ()}


def test_what_is_dicom(tmp_path):
    series = save(tmp_path / "series", ct_slices(2))
    assert is_dicom(series)
    assert is_dicom(series / "000.dcm")
    assert is_dicom(write_slices(save(tmp_path / "both", ct_slices(2)), VOLUME))
    assert not is_dicom(nifti(tmp_path / "a.nii.gz"))
    assert not is_dicom(write_slices(tmp_path / "slices", VOLUME))
    assert not is_dicom(tmp_path / "absent.nii")


def test_an_item(tmp_path):
    folder = save(tmp_path / "DOE_JANE", ct_slices())
    [found] = found_studies(tmp_path, alone=True, **DEFAULTS)
    assert found == {
        "image": str(folder),
        "patient": STUDY,
        "name": STUDY,
        "series_uid": SERIES,
        "series_reason": f"the only sound candidate of 1 series: {SOFT}",
        "files": [str(folder / f"{k:03d}.dcm") for k in range(DEPTH)],
    }
    listed = listed_study({"image": str(tmp_path), "patient": "P1", "age": 61}, place="test_1", **DEFAULTS)
    assert listed == found | {"age": 61}


def test_no_dicom_is_an_error_only_where_there_is_nothing_else(tmp_path):
    (tmp_path / "x.dcm").write_bytes(b"x")
    assert found_studies(tmp_path, alone=False, **DEFAULTS) == []
    with pytest.raises(InputError, match="no readable DICOM image"):
        found_studies(tmp_path, alone=True, **DEFAULTS)


def test_folders_that_are_told_of(tmp_path):
    """A damaged file beside slices is a fault of their series; only a folder of its own is refused here."""
    for name in ("beside", "readable", "alone"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.dcm").write_bytes(b"x")
    save(tmp_path / "readable", ct_slices(2, series="1.2.3.9"))
    refusal = StudyRefusal(name="1.9", reason="")
    found = [{"files": [str(tmp_path / "beside" / "1.dcm")]}, refusal]
    [one] = unreadable_folders(tmp_path, found)
    assert (one.name, one.patient) == ("unreadable_1", "unreadable_1")
    assert "not a DICOM file despite its name" in one.reason


def test_a_refusal_is_said_with_its_path(caplog):
    refusal = refuse("1.2", InputError("a gap", path="/scans/DOE_JANE"), study_uid="1.2")
    assert refusal == StudyRefusal(name="1.2", reason="a gap", patient="1.2", study_uid="1.2")
    assert "study 1.2 is refused: /scans/DOE_JANE" in caplog.text
