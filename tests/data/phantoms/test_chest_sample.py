# SPDX-License-Identifier: Apache-2.0
import csv
import re

import nibabel as nib
import numpy as np
import pydicom
import pytest

from tomobundles.data.phantoms import chest_sample
from tomobundles.data.phantoms.chest_sample import plan, write_lung_sample
from tomobundles.data.phantoms.metaimage import file_affine
from tomobundles.data.sample import SAMPLES
from tomobundles.data.volumes.mhd import open_mhd
from tomobundles.utils import InputError
from tomobundles.utils.world import voxel_to_world, world_to_voxel

SMALL = {"patients": (2, 1), "scale": 0.45, "spacing_mm": (2.0, 2.0, 2.0)}
TINY = {"patients": (1, 1), "scale": 0.3, "spacing_mm": (5.0, 5.0, 6.0), "nodules": 1}


def table(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def points(root, name):
    rows = [row for row in table(root / "annotations.csv")[1:] if row[0] == name]
    return np.array([row[1:] for row in rows], float).reshape(-1, 4)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    root = tmp_path_factory.mktemp("lung") / "sample"
    write_lung_sample(root, **SMALL)
    return root


def test_folders_and_files_are_the_contest_s(sample):
    names = sorted(
        str(p.relative_to(sample)) for p in sample.rglob("*") if p.is_file() and p.suffix != ".dcm"
    )
    assert names == [
        "annotations.csv",
        "annotations_excluded.csv",
        "dicom/case_1.csv",
        "masks/LKDS-00001.nii.gz",
        "masks/LKDS-00002.nii.gz",
        "test/LKDS-00801.mhd",
        "test/LKDS-00801.zraw",
        "train/LKDS-00001.mhd",
        "train/LKDS-00001.zraw",
        "train/LKDS-00002.mhd",
        "train/LKDS-00002.zraw",
    ]


def test_tables_have_luna_s_header_and_rows_of_known_scans(sample):
    known = {"LKDS-00001", "LKDS-00002", "LKDS-00801"}
    for name in ("annotations.csv", "annotations_excluded.csv"):
        rows = table(sample / name)
        assert rows[0] == ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]
        assert {row[0] for row in rows[1:]} <= known
    assert len(points(sample, "LKDS-00001")) == 4
    assert len(points(sample, "LKDS-00002")) == 0  # the last of two
    assert (points(sample, "LKDS-00001")[:, 3] >= 2.8).all()


def test_masks_lie_on_the_images_and_their_nodules_at_the_table_s_points(sample):
    mask = nib.load(sample / "masks/LKDS-00001.nii.gz")
    volume = open_mhd(sample / "train/LKDS-00001.mhd")
    assert mask.shape == volume.shape[::-1]
    assert mask.get_data_dtype() == np.uint8
    data = np.asarray(mask.dataobj)
    rows = points(sample, "LKDS-00001")
    assert set(np.unique(data)) == {0, 1, 2, 3, 4}
    for number, row in enumerate(rows, start=1):
        centre = np.argwhere(data == number).mean(0)
        expected = world_to_voxel(row[None, :3], mask.affine)[0]
        assert np.abs(centre - expected).max() < 0.5


def test_simpleitk_finds_the_table_s_points_in_the_images(sample):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.ReadImage(str(sample / "train/LKDS-00001.mhd"))
    mask = sitk.ReadImage(str(sample / "masks/LKDS-00001.nii.gz"))
    np.testing.assert_allclose(image.GetOrigin(), mask.GetOrigin(), atol=1e-3)  # NIfTI holds float32
    data = sitk.GetArrayFromImage(mask)
    for number, row in enumerate(points(sample, "LKDS-00001"), start=1):
        centre = np.argwhere(data == number).mean(0)[::-1]
        world = image.TransformContinuousIndexToPhysicalPoint(centre.tolist())
        assert (np.abs(np.array(world) - row[:3]) < 0.5 * np.array(image.GetSpacing())).all()


def test_the_dicom_series_lies_in_the_same_world_as_its_table(sample):
    files = [pydicom.dcmread(p) for p in (sample / "dicom/case_1").iterdir()]
    files.sort(key=lambda data: float(data.ImagePositionPatient[2]))
    rows = table(sample / "dicom/case_1.csv")
    assert {data.SeriesInstanceUID for data in files} == {row[0] for row in rows[1:]}
    steps = np.diff([float(data.ImagePositionPatient[2]) for data in files])
    np.testing.assert_allclose(steps, float(files[0].SliceThickness), atol=1e-3)
    assert files[0].BodyPartExamined == "CHEST"
    stack = np.stack([data.pixel_array.astype(float) - 1024 for data in files])
    patient = plan(0, (2, 1, 1))[2][0]
    scan = chest_sample.chest_phantom(
        patient.seed, spacing_mm=(2.0, 2.0, 2.8), scale=0.45, nodules=patient.nodules
    )
    np.testing.assert_array_equal(stack, np.moveaxis(scan.hu, -1, 0))
    first = voxel_to_world(np.zeros((1, 3)), scan.affine)[0]
    np.testing.assert_allclose([float(v) for v in files[0].ImagePositionPatient], first, atol=1e-3)
    np.testing.assert_allclose([[float(v) for v in row[1:]] for row in rows[1:]], scan.points)
    np.testing.assert_array_equal(file_affine(scan.affine)[:, 3], scan.affine[:, 3])


def test_same_seed_same_files(sample, tmp_path):
    write_lung_sample(tmp_path / "0", **TINY)
    write_lung_sample(tmp_path / "1", **TINY)
    write_lung_sample(tmp_path / "2", seed=1, **TINY, dicom_cases=0)

    def files(root):
        return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    assert files(tmp_path / "0") == files(tmp_path / "1")
    assert not (tmp_path / "2" / "dicom").exists()
    one, other = (table(tmp_path / n / "annotations.csv") for n in ("0", "2"))
    assert len(one) == len(other) == 3
    assert one != other


def test_the_plan_has_three_to_five_nodules_a_scan_and_empty_ones():
    train, test, dicom = plan(0, (14, 4, 1))
    counts = [patient.nodules for patient in (*train, *test, *dicom)]
    assert 3 <= np.mean(counts) <= 5
    assert [p.nodules for p in train].count(0) == [p.nodules for p in test].count(0) == 1
    assert (train[0].name, train[-1].name, test[0].name) == ("LKDS-00001", "LKDS-00014", "LKDS-00801")
    assert all(re.fullmatch(r"LKDS-\d{5}", p.name) for p in (*train, *test, *dicom))
    everyone = [p for s in range(3) for members in plan(s, (14, 4, 1)) for p in members]
    assert len({p.seed for p in everyone}) == 3 * 19
    assert [p.nodules for p in plan(0, (1, 1, 0), nodules=2)[0]] == [2]


def test_the_sample_is_registered():
    assert SAMPLES["lung_nodule"] is write_lung_sample


def test_an_interrupted_run_leaves_nothing_and_an_empty_root_is_filled(tmp_path, monkeypatch):
    root = tmp_path / "deep" / "sample"
    root.mkdir(parents=True)
    write_lung_sample(root, **TINY, dicom_cases=0)
    assert [p.name for p in root.parent.iterdir()] == ["sample"]

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(chest_sample, "_write_scans", stop)
    with pytest.raises(KeyboardInterrupt):
        write_lung_sample(tmp_path / "other", **TINY)
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


def test_a_folder_in_use_is_refused(tmp_path, monkeypatch):
    (tmp_path / "scan.mhd").touch()
    with pytest.raises(InputError, match="exists already and is not empty"):
        write_lung_sample(tmp_path)
    with pytest.raises(InputError, match="exists already"):
        write_lung_sample(tmp_path / "scan.mhd")
    root = tmp_path / "late"

    def another_process(*args, **kwargs):
        root.mkdir()
        (root / "mine.txt").write_text("mine")

    monkeypatch.setattr(chest_sample, "_write_scans", another_process)
    with pytest.raises(InputError, match="not empty"):
        write_lung_sample(root, **TINY, dicom_cases=0)
    assert [p.name for p in root.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"seed": -3}, "seed -3"),
        ({"patients": (0, 1)}, r"patients=\(0, 1\)"),
        ({"patients": (1,)}, "patients="),
        ({"nodules": 0}, "nodules=0"),
        ({"dicom_cases": -1}, "dicom_cases=-1"),
    ],
)
def test_numbers_that_make_no_sample_are_refused(tmp_path, changes, match):
    with pytest.raises(InputError, match=match):
        write_lung_sample(tmp_path / "sample", **changes)
    assert not list(tmp_path.iterdir())
