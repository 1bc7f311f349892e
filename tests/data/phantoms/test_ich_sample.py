# SPDX-License-Identifier: Apache-2.0
import csv
import hashlib
import re
from collections import Counter

import numpy as np
import pydicom
import pytest
from PIL import Image

from tomobundles.data.phantoms import ich_sample
from tomobundles.data.phantoms.head_bleeds import CLASSES
from tomobundles.data.phantoms.ich_sample import make_patient, plan, write_ich_sample
from tomobundles.data.sample import SAMPLES
from tomobundles.utils import InputError

SMALL = {"size": 64, "patients": (3, 1), "slices": (12, 14)}


def table(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    root = tmp_path_factory.mktemp("ich") / "sample"
    write_ich_sample(root, **SMALL)
    return root


def test_folders_and_files_are_the_contest_s(sample):
    assert sorted(p.name for p in sample.iterdir()) == ["dicom", "test", "test.csv", "train", "train.csv"]
    for name, count in (("train", 3), ("test", 1)):
        folders = sorted((sample / name).iterdir())
        assert len(folders) == count
        for folder in folders:
            assert re.fullmatch(r"ID_[0-9a-f]{8}", folder.name)
            files = {p.name for p in folder.iterdir()}
            assert files == {f"{folder.name[3:]}_{n}.jpg" for n in range(len(files))}
            assert 12 <= len(files) <= 14


def test_tables_have_the_contest_s_header_and_a_row_for_every_file(sample):
    for name in ("train", "test"):
        rows = table(sample / f"{name}.csv")
        assert rows[0] == ["dirname", "ID", "ich", "ivh", "sah", "sdh", "edh"]
        listed = [(row[0], row[1]) for row in rows[1:]]
        assert len(set(listed)) == len(listed)
        assert set(listed) == {(p.parent.name, p.name) for p in (sample / name).glob("*/*.jpg")}
        assert {value for row in rows[1:] for value in row[2:]} <= {"0", "1"}


def test_images_are_8_bit_grays_in_the_brain_window(sample):
    # HU 0 -> 0, 80 -> 255, 40 -> 127.5, rounded to even
    np.testing.assert_array_equal(ich_sample._grey(np.array([-900, 0, 40, 80, 900])), [0, 0, 128, 255, 255])
    patient = plan(0, (3, 1, 2), (12, 14))[0][0]
    scan = make_patient(patient, size=64)
    for k in (0, 6, patient.slices - 1):
        with Image.open(sample / "train" / f"ID_{patient.name}" / f"{patient.name}_{k}.jpg") as image:
            assert (image.mode, image.size) == ("L", (64, 64))
            grey = np.asarray(image, float)
        window = np.clip(scan.hu[..., k] / 80 * 255.0, 0, 255)
        assert np.abs(grey - window).mean() < 3  # JPEG


def test_labels_are_the_phantom_s(sample):
    patient = next(p for p in plan(0, (3, 1, 2), (12, 14))[0] if p.bleeds)
    rows = [row for row in table(sample / "train.csv") if row[0] == f"ID_{patient.name}"]
    expected = make_patient(patient, size=64).presence[:5].T
    np.testing.assert_array_equal(np.array([row[2:] for row in rows], int), expected)
    assert [row[1] for row in rows] == [f"{patient.name}_{n}.jpg" for n in range(patient.slices)]


def test_dicom_studies_are_further_patients_with_labels(sample):
    studies = sorted(p.name for p in (sample / "dicom").iterdir() if p.is_dir())
    assert studies == ["study_1", "study_2"]
    tilts, signed = [], []
    for study in studies:
        files = [pydicom.dcmread(p) for p in sorted((sample / "dicom" / study).iterdir())]
        assert len({d.SeriesInstanceUID for d in files}) == 1
        rows = {row[0]: row[1:] for row in table(sample / "dicom" / f"{study}.csv")}
        assert rows.pop("slice") == list(CLASSES)
        assert {d.SOPInstanceUID for d in files} == set(rows)
        tilts.append(float(files[0].GantryDetectorTilt))
        signed.append(files[0].PixelRepresentation)
        assert not (sample / "train" / f"ID_{files[0].PatientID}").exists()
    assert (tilts, signed) == ([0.0, 15.0], [0, 1])


def test_same_seed_same_files_and_another_seed_other_ones(sample, tmp_path):
    write_ich_sample(tmp_path / "0", **SMALL)
    write_ich_sample(tmp_path / "1", seed=1, **{**SMALL, "patients": (1, 1)}, dicom_studies=0)

    def files(root):
        return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    assert files(tmp_path / "0") == files(sample)
    assert not (tmp_path / "1" / "dicom").exists()
    assert not {p.name for p in tmp_path.glob("1/*/*")} & {p.name for p in sample.glob("*/*")}


def test_bleeds_are_handed_out_by_the_contest_s_shares():
    # of 90: 30 normal; of the 60 others round(60 * share) = 32, 20, 22, 24, 8
    (patients,) = plan(0, (90,), (22, 40))
    counts = Counter(kind for p in patients for kind in p.bleeds)
    assert sum(not p.bleeds for p in patients) == 30
    assert [counts[c] for c in CLASSES] == [32, 20, 22, 24, 8]
    assert max(len(p.bleeds) for p in patients) > 2
    assert {p.slices for p in patients} <= set(range(22, 41))
    assert all(118 <= p.slices * p.slice_mm <= 155 for p in patients)
    assert all(3.5 <= p.slice_mm <= 6 for p in patients)


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_small_sets_have_every_class_and_nobody_is_sick_without_one(count):
    for seed in range(5):
        (patients,) = plan(seed, (count,), (22, 40))
        assert len(patients) == count
        assert sum(not p.bleeds for p in patients) == round(count / 3)
        assert {kind for p in patients for kind in p.bleeds} == set(CLASSES)


def test_no_patient_is_in_two_sets():
    patients = [p for members in plan(4, (36, 12, 2), (22, 40)) for p in members]
    assert len({p.name for p in patients}) == len({p.seed for p in patients}) == 50


def test_the_default_sample_stays_what_it_is():
    # benchmarks and documents cite figures on it; the text of the plan does not depend on the machine
    digest = hashlib.sha256(repr(plan(0, (36, 12, 2), (22, 40))).encode()).hexdigest()
    assert digest[:16] == "6418892a816ee681"


def test_the_sample_is_registered():
    assert SAMPLES["ich"] is write_ich_sample


def test_an_empty_root_is_filled(tmp_path):
    root = tmp_path / "deep" / "sample"
    root.mkdir(parents=True)
    write_ich_sample(root, size=64, patients=(1, 1), slices=(1, 1), dicom_studies=0)
    assert sorted(p.name for p in root.iterdir()) == ["test", "test.csv", "train", "train.csv"]
    assert [p.name for p in root.parent.iterdir()] == ["sample"]


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(ich_sample, "_write_studies", stop)
    with pytest.raises(KeyboardInterrupt):
        write_ich_sample(tmp_path / "sample", size=64, patients=(1, 1), slices=(1, 1))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    root = tmp_path / "sample"

    def another_process(*args, **kwargs):
        root.mkdir(exist_ok=True)
        (root / "mine.txt").write_text("mine")

    monkeypatch.setattr(ich_sample, "_write_set", another_process)
    with pytest.raises(InputError, match="not empty"):
        write_ich_sample(root, size=64, patients=(1, 1), dicom_studies=0)
    assert [p.name for p in tmp_path.rglob("*")] == ["sample", "mine.txt"]


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "scan.jpg").touch()
    with pytest.raises(InputError, match="exists already and is not empty"):
        write_ich_sample(tmp_path)
    with pytest.raises(InputError, match="exists already"):
        write_ich_sample(tmp_path / "scan.jpg")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"seed": -3}, "seed -3"),
        ({"patients": (0, 1)}, r"patients=\(0, 1\)"),
        ({"patients": (1,)}, "patients="),
        ({"slices": (30, 22)}, r"slices=\(30, 22\)"),
        ({"slices": (0, 22)}, "slices="),
        ({"dicom_studies": -1}, "dicom_studies=-1"),
    ],
)
def test_numbers_that_make_no_sample_are_refused(tmp_path, changes, match):
    with pytest.raises(InputError, match=match):
        write_ich_sample(tmp_path / "sample", **changes)
    assert not list(tmp_path.iterdir())
