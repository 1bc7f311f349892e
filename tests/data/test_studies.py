# SPDX-License-Identifier: Apache-2.0
"""Which studies are found, under which names, and which are refused."""

import json
import logging

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose
from pydicom.uid import BasicTextSRStorage

from tests.handlers.ranks import Ranks
from tomobundles.data import LoadVolumed
from tomobundles.data import studies as module
from tomobundles.data.dicom import SeriesPreference
from tomobundles.data.ich_layouts import HaemorrhageLayout
from tomobundles.data.sample import SAMPLES
from tomobundles.data.studies import Studies, find_studies
from tomobundles.transforms import CheckVolumed
from tomobundles.utils import InputError

from .conftest import write_slices
from .dicom.builder import DEPTH, SERIES, STUDY, ct_slices, save
from .nodules.disk import write_mhd

VOLUME = np.random.default_rng(0).integers(0, 200, (3, 8, 6), dtype=np.uint8)
LOAD = Compose([LoadVolumed("image"), CheckVolumed(constant_slices=False)])
PATIENT = "DOE_JANE"


def names(studies):
    return [item["name"] for item in studies.items]


def refused(studies):
    return {one.name: one.reason for one in studies.refused}


def nifti(path):
    nib.save(nib.Nifti1Image(VOLUME.transpose(2, 1, 0), np.diag([0.5, 0.5, 5.0, 1.0])), path)
    return path


def mixed(root):
    """A NIfTI, an .npy, a folder of JPGs, two DICOM studies at two depths, and what belongs to none."""
    root.mkdir()
    nifti(root / "b.nii.gz")
    np.save(root / "a.npy", VOLUME)
    write_slices(root / "c_jpg", VOLUME, suffix=".jpg")
    save(root / PATIENT / "20240506" / "S2", ct_slices(), name="IM{:d}".format)
    save(root / "other", ct_slices(study="1.2.9", series="1.2.9.1"))
    (root / "readme.txt").write_text("exported by a PACS")
    (root / ".hidden.nii").write_text("x")
    (root / "empty").mkdir()
    (root / "empty" / "DICOMDIR").write_bytes(b"x")
    return root


def test_every_form_in_one_folder(tmp_path):
    studies = find_studies(dataset_dir=mixed(tmp_path / "in"), check=LOAD)
    assert names(studies) == ["a", "b", "c_jpg", STUDY, "1.2.9"]
    assert [item["patient"] for item in studies.items] == names(studies)
    assert [LOAD(item)["image"].shape[-1] for item in studies.items] == [3, 3, 3, DEPTH, DEPTH]
    assert studies.refused == []


def test_metaimages_are_studies_and_their_data_are_not(tmp_path):
    write_mhd(tmp_path / "1.2.3.mhd")
    write_mhd(tmp_path / "b.mhd", packed=True)
    assert names(find_studies(dataset_dir=tmp_path, check=LoadVolumed("image"))) == ["1.2.3", "b"]
    assert names(find_studies(dataset_dir=tmp_path / "1.2.3.mhd")) == ["1.2.3"]


def test_one_study_of_each_form(tmp_path, caplog):
    caplog.set_level("INFO", "tomobundles")
    mixed(tmp_path / "in")
    places = ("a.npy", "b.nii.gz", "c_jpg", PATIENT, "other", "c_jpg/1.jpg", "other/000.dcm")
    found = [find_studies(dataset_dir=tmp_path / "in" / place, check=LOAD) for place in places]
    assert [names(one) for one in found] == [["a"], ["b"], ["c_jpg"], [STUDY], ["1.2.9"], ["1"], ["1.2.9"]]
    # one file of a series is that slice, not the series that lies around it
    assert [LOAD(one.items[0])["image"].shape[-1] for one in found] == [3, 3, 3, DEPTH, DEPTH, 1, 1]
    assert caplog.text.count("1 of 1 studies can be used") == len(places)


def hospital(root):
    """Two studies as an archive stores them, the first with a bone kernel series and a scout beside it."""
    study = root / PATIENT / "CT_HEAD"
    save(study / "bone", ct_slices(series="1.2.3.5", kernel="H60s"))
    save(study / "soft", ct_slices())
    save(study / "scout", ct_slices(1, series="1.2.3.6", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    save(root / "SECOND" / "CT_HEAD" / "soft", ct_slices(study="1.2.9", series="1.2.9.1"))
    return root


def test_a_tree_of_studies_from_every_height(tmp_path):
    root = hospital(tmp_path / "in")
    assert names(find_studies(dataset_dir=root)) == [STUDY, "1.2.9"]
    for place in (PATIENT, f"{PATIENT}/CT_HEAD", f"{PATIENT}/CT_HEAD/soft"):
        studies = find_studies(dataset_dir=root / place, check=LOAD)
        [item] = studies.items
        assert item["series_uid"] == SERIES
        assert item["patient"] == item["name"] == STUDY
        assert item["image"] == str(root / PATIENT / "CT_HEAD" / "soft")
        assert item["files"] == [f"{item['image']}/{k:03d}.dcm" for k in range(DEPTH)]
        assert "axial CT, 8 slices of 5 mm, soft kernel (H31s)" in item["series_reason"]
    assert item["series_reason"].startswith("the only sound candidate of 1 series")
    assert LOAD(item)["image"].meta["series_uid"] == SERIES


def test_the_working_directory(tmp_path, monkeypatch):
    save(tmp_path, ct_slices())
    monkeypatch.chdir(tmp_path)
    [item] = find_studies(dataset_dir=".", check=LOAD).items
    assert item["name"] == STUDY
    assert item["files"][0] == "000.dcm"


def test_files_of_one_series_in_many_folders(tmp_path):
    datasets = ct_slices()
    save(tmp_path / "DISK1", datasets[:4])
    save(tmp_path / "DISK2", datasets[4:])
    [item] = find_studies(dataset_dir=tmp_path, check=LOAD).items
    assert item["image"] == str(tmp_path)
    assert [LOAD(item)["image"].shape[-1], len(item["files"])] == [DEPTH, DEPTH]


def test_preference_and_accepted_faults(tmp_path):
    root = hospital(tmp_path / "in") / PATIENT
    [item] = find_studies(dataset_dir=root, preference=SeriesPreference(kernel="sharp")).items
    assert item["series_uid"] == "1.2.3.5"
    gap = save(tmp_path / "gap", [one for k, one in enumerate(ct_slices()) if k != 3])
    with pytest.raises(InputError, match=r"none of 1 studies can be used: .*missing"):
        find_studies(dataset_dir=gap)
    assert names(find_studies(dataset_dir=gap, accept=["missing_slice"])) == [STUDY]
    np.save(gap / "a.npy", VOLUME)
    with pytest.raises(InputError, match="'typo' cannot be accepted"):
        find_studies(dataset_dir=gap, accept=["typo"])


def test_a_broken_study_is_refused_and_the_others_stay(tmp_path, caplog):
    root = mixed(tmp_path / "in")
    nan = VOLUME.astype(np.float32)
    nan[1, 2, 3] = np.nan
    np.save(root / "nan.npy", nan)
    (root / "broken.nii.gz").write_bytes(b"no scan")
    save(root / "gap", [one for k, one in enumerate(ct_slices(study="1.5", series="1.5.1")) if k != 3])
    constant = ct_slices(study="1.6", series="1.6.1")
    constant[2].PixelData = b"\0" * len(constant[2].PixelData)
    save(root / "constant", constant)
    mr = save(root / "mr", ct_slices(study="1.7", series="1.7.1", Modality="MR"))
    studies = find_studies(dataset_dir=root, check=LOAD)
    assert names(studies) == ["a", "b", "c_jpg", STUDY, "1.2.9"]
    found = refused(studies)
    assert set(found) == {"nan", "broken", "1.5", "1.6", "1.7"}
    assert "NaN" in found["nan"]
    assert "cannot be read as NIfTI" in found["broken"]
    assert "missing" in found["1.5"]
    assert "modality MR where CT is expected" in found["1.7"]
    assert {one.patient for one in studies.refused} == set(found)
    uids = {one.name: (one.study_uid, one.series_uid) for one in studies.refused}
    assert uids["1.5"] == ("1.5", None)
    assert uids["1.6"] == ("1.6", "1.6.1")  # only loading shows it, when the series is chosen
    assert uids["nan"] == (None, None)
    assert f"study 1.7 is refused: {mr.parent}" in caplog.text  # the path is for the log alone
    assert not [reason for reason in found.values() if str(tmp_path) in reason]


@pytest.mark.parametrize("size", [2, 7])
def test_each_rank_tries_its_share_and_all_know_the_result(tmp_path, monkeypatch, size):
    root = mixed(tmp_path / "in")
    np.save(root / "z.npy", np.full(VOLUME.shape, np.nan, np.float32))
    (root / "damaged").mkdir()
    (root / "damaged" / "1.dcm").write_bytes(b"x")
    alone = find_studies(dataset_dir=root, check=LOAD)
    assert list(refused(alone)) == ["unreadable_1", "z"]
    ranks, tried = Ranks(monkeypatch, size, [module]), []

    def check(item):
        tried.append(item["name"])
        return LOAD(item)

    assert ranks.run(lambda _rank: find_studies(dataset_dir=root, check=check)) == [alone] * size
    assert sorted(tried) == sorted([*names(alone), "z"])  # each once


def test_without_a_check_nothing_is_loaded(tmp_path):
    (tmp_path / "broken.npy").write_bytes(b"no scan")
    assert names(find_studies(dataset_dir=tmp_path)) == ["broken"]


def test_an_error_that_is_not_the_users_is_raised(tmp_path):
    np.save(tmp_path / "a.npy", VOLUME)

    def check(_item):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        find_studies(dataset_dir=tmp_path, check=check)


def test_none_can_be_used(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"x")
    (tmp_path / "b.nii").write_bytes(b"x")
    with pytest.raises(InputError, match=r"(?s)none of 2 studies can be used: .*\.npy.*; .*NIfTI.*mend"):
        find_studies(dataset_dir=tmp_path, check=LOAD)


@pytest.mark.parametrize("content", [b"Salted__" + b"\7" * 500, b"\0" * 128 + b"DICM" + b"\xff" * 9])
def test_folders_of_unreadable_dicom_files_are_refused_not_passed_over(tmp_path, content):
    good, bad = save(tmp_path / "in" / "good", ct_slices()), tmp_path / "in" / PATIENT
    bad.mkdir()
    for k in range(2):
        (bad / f"{k}.dcm").write_bytes(content)
    (bad / "note.txt").write_text("x")
    studies = find_studies(dataset_dir=good.parent)
    assert names(studies) == [STUDY]
    [(name, reason)] = refused(studies).items()
    assert name == "unreadable_1"  # the folder may be called after the patient
    assert "encrypted" in reason or "cannot be read as DICOM" in reason
    for place in (bad, bad / "0.dcm"):
        with pytest.raises(InputError, match=r"encrypted|damaged"):
            find_studies(dataset_dir=place)
    np.save(bad / "a.npy", VOLUME)
    assert names(found := find_studies(dataset_dir=bad)) == ["a"]
    assert list(refused(found)) == ["unreadable_1"]


def test_a_report_beside_other_studies_is_no_study(tmp_path):
    datasets = ct_slices(1, study="1.8", Modality="SR", SOPClassUID=BasicTextSRStorage)
    del datasets[0].Rows, datasets[0].Columns
    save(tmp_path, datasets)
    with pytest.raises(InputError, match="no DICOM image here"):
        find_studies(dataset_dir=tmp_path)
    np.save(tmp_path / "a.npy", VOLUME)
    studies = find_studies(dataset_dir=tmp_path)
    assert names(studies) == ["a"]
    assert studies.refused == []


def test_a_study_without_uid(tmp_path):
    datasets = ct_slices()
    for one in datasets:
        del one.StudyInstanceUID
    save(tmp_path / PATIENT, datasets)
    np.save(tmp_path / "a.npy", VOLUME)
    studies = find_studies(dataset_dir=tmp_path)
    assert list(refused(studies)) == ["without_StudyInstanceUID"]
    assert studies.refused[0].study_uid is None


def test_loose_images_are_not_taken_for_the_study(tmp_path, caplog):
    """As on a disk whose viewer has an icon."""
    save(tmp_path / "IMAGES" / "S1", ct_slices())
    write_slices(tmp_path, VOLUME[:1])
    nifti(tmp_path / "a.nii.gz")
    assert names(find_studies(dataset_dir=tmp_path, check=LOAD)) == ["a", STUDY]
    assert "images beside the DICOM studies are left out" in caplog.text


def test_volumes_beside_slices(tmp_path):
    folder = write_slices(tmp_path / "scan", VOLUME)
    nifti(folder / "a.nii.gz")
    assert names(find_studies(dataset_dir=folder)) == ["scan", "a"]


def test_images_beside_the_files_of_a_series(tmp_path):
    """A study's own files are read, whatever else lies in their common folder."""
    datasets = ct_slices()
    save(tmp_path / "apart" / "1", datasets[:4])
    save(tmp_path / "apart" / "2", datasets[4:])
    write_slices(tmp_path / "apart", VOLUME)
    studies = find_studies(dataset_dir=tmp_path, check=LOAD)
    assert names(studies) == ["apart", STUDY]  # the images are a study of their own
    assert [LOAD(item)["image"].shape[-1] for item in studies.items] == [3, DEPTH]
    together = write_slices(save(tmp_path / "x" / "together", ct_slices(study="1.6", series="1.6.1")), VOLUME)
    studies = find_studies(dataset_dir=together, check=LOAD)
    assert names(studies) == ["1.6"]
    assert LOAD(studies.items[0])["image"].meta["form"] == "dicom"
    studies = find_studies(dataset_dir=tmp_path / "x", check=LOAD)
    assert names(studies) == ["1.6"]
    assert "slice images and DICOM files in one folder" in refused(studies)["together"]


def test_layout_section(heads_dir):
    studies = find_studies(dataset_dir=heads_dir, layout=HaemorrhageLayout())
    assert names(studies) == ["ID_test00", "ID_test01"]
    assert all(set(item) == {"image", "patient", "name"} for item in studies.items)  # no labels
    training = find_studies(dataset_dir=heads_dir, layout=HaemorrhageLayout(), section="training")
    assert len(training.items) == 6
    # what does not match the layout is searched
    assert names(find_studies(dataset_dir=heads_dir / "test", layout=HaemorrhageLayout())) == names(studies)


def datalist(folder, items):
    path = folder / "datalist.json"
    path.write_text(json.dumps({"test": items}))
    return path


def test_datalist_with_names_that_repeat(tmp_path):
    items = []
    for place in (
        "p1/left/scan.npy",
        "p2/left/scan.npy",
        "p1/right/scan.npy",
        "p1/right/scan.nii.gz",
        "b.npy",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        nifti(tmp_path / place) if place.endswith("gz") else np.save(tmp_path / place, VOLUME)
        label = {"study": {"IPH": 1}}
        items.append({"image": place, "patient": place[:2], "label": label})
    studies = find_studies(dataset_dir=tmp_path, datalist=datalist(tmp_path, items), check=LOAD)
    found = names(studies)
    assert len(set(found)) == 5
    assert found[-1] == "b"
    assert found[0].endswith("p1_left_scan")
    assert found[1].endswith("p2_left_scan")
    assert [item["patient"] for item in studies.items] == ["p1", "p2", "p1", "p1", "b."]
    assert not [item for item in studies.items if "label" in item]


def test_dicom_in_a_datalist_goes_by_its_uid(tmp_path):
    """A study with the series to take, and faulty ones, which are named by UID or by their place."""
    hospital(tmp_path)
    save(tmp_path / "gap", [one for k, one in enumerate(ct_slices(study="1.5", series="1.5.1")) if k != 3])
    encrypted = tmp_path / PATIENT / "x.dcm"
    encrypted.write_bytes(b"Salted__" + b"\7" * 500)
    both = write_slices(save(tmp_path / "both", ct_slices(study="1.6", series="1.6.1")), VOLUME)
    np.save(tmp_path / "c.npy", VOLUME)
    items = [
        {"image": f"{PATIENT}/CT_HEAD", "patient": "P1", "series_uid": "1.2.3.5"},
        {"image": "SECOND", "patient": "P2"},
        {"image": "gap", "patient": "P3"},
        {"image": f"{PATIENT}/x.dcm", "patient": "P4"},
        {"image": str(both), "patient": "P5"},
        {"image": "c.npy", "patient": "P6"},
        {"image": ".", "patient": "P7"},
    ]
    studies = find_studies(dataset_dir=tmp_path, datalist=datalist(tmp_path, items), check=LOAD)
    assert [(item["name"], item.get("series_uid")) for item in studies.items] == [
        (STUDY, "1.2.3.5"),
        ("1.2.9", "1.2.9.1"),
        ("c", None),
    ]
    assert studies.items[0]["series_reason"].startswith("named by the user")
    assert len(studies.items[0]["files"]) == DEPTH
    found = refused(studies)
    assert "missing" in found["1.5"]
    assert "encrypted" in found["test_4"]
    assert "slice images and DICOM files in one folder" in found["1.6"]
    assert "test_7" in found  # several studies in one folder
    assert PATIENT not in str(studies.refused)


def test_a_listed_folder_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / PATIENT).mkdir()
    np.save(tmp_path / "c.npy", VOLUME)
    items = [{"image": place, "patient": "P"} for place in ("c.npy", PATIENT)]

    def refuse(path, onerror):
        onerror(PermissionError(13, "Permission denied", str(path)))
        return iter(())

    monkeypatch.setattr("os.walk", refuse)
    studies = find_studies(dataset_dir=tmp_path, datalist=datalist(tmp_path, items))
    assert names(studies) == ["c"]
    assert refused(studies) == {"test_2": "cannot list this folder: Permission denied"}


@pytest.mark.parametrize("junk", [[], ["notes.txt", ".hidden.npy", "table.csv"]])
def test_nothing_there(tmp_path, junk):
    for name in junk:
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=r"(?s)no study found here.*give DICOM series, slices or volumes"):
        find_studies(dataset_dir=tmp_path)


def test_missing_path_and_a_file_that_is_no_study(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        find_studies(dataset_dir=tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no study found here"):
        find_studies(dataset_dir=tmp_path / "notes.txt")


def test_the_sample_is_made_on_demand(tmp_path, monkeypatch, heads_dir):
    made = []

    def write(folder):
        made.append(folder)
        write_slices(folder / "head", VOLUME)

    monkeypatch.setitem(SAMPLES, "ich", write)
    sample = tmp_path / "sample"
    options = {"sample": "ich", "sample_dir": str(sample), "layout": HaemorrhageLayout()}
    assert names(find_studies(dataset_dir=str(sample), **options)) == ["head"]
    assert names(find_studies(dataset_dir=sample, **options)) == ["head"]
    find_studies(dataset_dir=heads_dir, **options)  # the user's folder is never written to
    assert made == [sample]
    with pytest.raises(InputError, match="no such file or folder"):
        find_studies(dataset_dir=tmp_path / "absent")


def test_the_number_of_studies_is_said(tmp_path, caplog):
    caplog.set_level(logging.INFO, "tomobundles")
    np.save(tmp_path / "a.npy", VOLUME)
    (tmp_path / "b.npy").write_bytes(b"x")
    find_studies(dataset_dir=tmp_path, check=LOAD)
    assert "1 of 2 studies can be used" in caplog.text
    assert Studies() == Studies([], [])
