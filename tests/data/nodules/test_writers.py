# SPDX-License-Identifier: Apache-2.0
import json
import re

import numpy as np
import pytest
from pydicom import dcmread

from tests.data.dicom.ct_sources import SECRETS, SERIES, STUDY, UIDS, all_text, write_ct
from tomobundles.data.nodules.tables import nodule_rows
from tomobundles.data.nodules.writers import CASE_FORMS, CaseOptions, write_case
from tomobundles.utils import InputError

from .cases import GRID_SHAPE, VOXEL, make_case

FILES = {
    "ranked": ["scan1_nodules.txt", "scan1_nodules.json"],
    "boxes": ["scan1_boxes.json"],
    "mask": ["scan1_nodules.nii.gz"],
    "lungs": ["scan1_lungs.nii.gz"],
    "structured_report": [],
    "contact_sheet": ["scan1_nodules.png"],
    "html": ["scan1.html"],
    "lung_quality": ["scan1_lung_quality.json"],
}


def dicom_case(**changes):
    """The scan as a series of 10 slices."""
    names = {"study_uid": STUDY, "series_uid": SERIES, "seriesuid": SERIES, "name": STUDY, "patient": STUDY}
    voxel = VOXEL * [1, 1, 0.5]
    return make_case(**names, native_shape=(32, 44, 10), voxel=voxel, slice_names=UIDS, source="", **changes)


@pytest.mark.parametrize("form", CASE_FORMS)
def test_every_form_writes_what_it_says(tmp_path, form):
    written = write_case(make_case(), tmp_path, outputs=[form])
    assert [path.name for path in written] == FILES[form]
    assert {path.parent for path in written} <= {tmp_path / "scan1"}
    assert sorted(tmp_path.rglob("*.*")) == sorted(written)


def test_forms_named_twice_are_written_once(tmp_path):
    assert len(write_case(make_case(), tmp_path, outputs=["boxes", "lung_quality", "boxes"])) == 2
    assert set(FILES) == set(CASE_FORMS)


def test_the_default(tmp_path):
    names = [path.name for path in write_case(make_case(), tmp_path)]
    assert names == ["scan1_nodules.txt", "scan1_nodules.json", "scan1_nodules.png", "scan1.html"]


def test_what_is_not_reported_is_in_no_file(tmp_path):
    options = CaseOptions(report_probability=0.5, mask_probability=0.1)
    written = write_case(make_case(), tmp_path, outputs=["ranked", "boxes", "mask"], options=options)
    assert len(json.loads(written[1].read_text())["nodules"]) == 2
    assert len(json.loads(written[2].read_text())["validation"][0]["box"]) == 2


def test_no_lungs_are_no_error(tmp_path):
    assert write_case(make_case(lungs=None, lungs_affine=None), tmp_path, outputs=["lungs"]) == []


def test_a_series_gets_a_report(tmp_path):
    files = [str(file) for file in write_ct(tmp_path / "in", FrameOfReferenceUID="1.2.3.4")]
    options = CaseOptions(source_files=files)
    case = dicom_case(findings=[f"{files[0]} of Jane left out"])
    [path] = write_case(case, tmp_path / "out", outputs=["structured_report"], options=options)
    assert path == tmp_path / "out" / STUDY / f"{STUDY}_report.dcm"
    assert dcmread(path).StudyInstanceUID == STUDY
    assert [secret for secret in SECRETS if secret in all_text(path)] == []
    assert "the left lung is small" in all_text(path)


def test_identity_goes_into_the_report_where_asked_for(tmp_path):
    files = [str(file) for file in write_ct(tmp_path / "in", FrameOfReferenceUID="1.2.3.4")]
    options = CaseOptions(source_files=files, identified=True)
    [path] = write_case(dicom_case(), tmp_path / "out", outputs=["structured_report"], options=options)
    assert dcmread(path).PatientID == "HOSP-4711"


def test_an_unknown_form(tmp_path):
    with pytest.raises(InputError, match=r"(?s)unknown output 'pdf'.*known are ranked, boxes"):
        write_case(make_case(), tmp_path, outputs=["ranked", "pdf"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["mask_probability", "report_probability"])
def test_a_probability_out_of_range(name):
    with pytest.raises(InputError, match=f"{name} is 1.5"):
        CaseOptions(**{name: 1.5})
    with pytest.raises(InputError, match=name):
        CaseOptions(**{name: float("nan")})


def test_a_mask_from_segmentation(tmp_path):
    case = make_case(mask=np.zeros(GRID_SHAPE, np.uint8))
    assert [path.name for path in write_case(case, tmp_path, outputs=["mask"])] == FILES["mask"]


def test_candidates_that_the_second_stage_did_not_judge_have_no_score(tmp_path):
    """It looks at the best so many; the others are listed behind them, with a blank, a dash or null."""
    case = make_case(classifier=np.float32([0.75, np.nan, np.nan]))
    assert [row["classifier"] for row in nodule_rows(case)] == ["0.75", "", ""]
    _, path, page = write_case(case, tmp_path, outputs=["ranked", "html"])
    nodules = json.loads(path.read_text())["nodules"]
    assert [one["classifier"] for one in nodules] == [0.75, None, None]
    text = page.read_text()
    assert "0.7500" in text
    assert "classifier -)" in text
    assert "nan" not in re.sub(r'"data:[^"]*"', "", text)
