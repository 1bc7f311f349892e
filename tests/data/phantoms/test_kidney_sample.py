# SPDX-License-Identifier: Apache-2.0
import csv

import numpy as np
import pytest
import tifffile

from tomobundles.data import make_sample
from tomobundles.data.phantoms import kidney_sample, write_kidney_sample
from tomobundles.utils import InputError

SHAPE = (24, 32, 28)
SIZES = {  # 24 x 32 x 28 voxels of 50 um, at each kidney's own voxel size
    "train/kidney_1_dense": (24, 32, 28),
    "train/kidney_2": (24, 28, 32),
    "train/kidney_3_sparse": (23, 31, 27),
    "test/kidney_5": (23, 31, 27),
    "test/kidney_6": (19, 25, 22),
}


def stack(folder):
    return np.stack([tifffile.imread(file) for file in sorted(folder.iterdir())])


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    root = tmp_path_factory.mktemp("kidney") / "sample"
    write_kidney_sample(root, shape=SHAPE)
    return root


def test_folders_names_and_sizes_are_the_contest_s(sample):
    assert sorted(path.name for path in sample.iterdir()) == ["test", "train", "train_rles.csv"]
    folders = {path.relative_to(sample).as_posix() for path in sample.glob("t*/*")}
    assert folders == {*SIZES, "train/kidney_3_dense"}
    assert [path.name for path in (sample / "train/kidney_3_dense").iterdir()] == ["labels"]
    for name, shape in SIZES.items():
        for kind in ("images", "labels"):
            files = sorted(file.name for file in (sample / name / kind).iterdir())
            assert files == [f"{z:04d}.tif" for z in range(shape[0])]
        image, label = stack(sample / name / "images"), stack(sample / name / "labels")
        assert image.shape == label.shape == shape
        assert (image.dtype, label.dtype) == (np.uint16, np.uint8)
        assert set(np.unique(label)) == {0, 255}


def test_files_are_gray_deflate_tiffs(sample):
    with tifffile.TiffFile(sample / "train/kidney_2/images/0005.tif") as file:
        assert (file.pages[0].compression.name, len(file.pages)) == ("ADOBE_DEFLATE", 1)
        assert file.pages[0].photometric.name == "MINISBLACK"


def test_the_dense_part_of_kidney_3_has_what_the_sparse_labels_lack(sample):
    names = sorted(file.name for file in (sample / "train/kidney_3_dense/labels").iterdir())
    assert names == [f"{z:04d}.tif" for z in range(11, 23)]  # round(496 / 1035 * 23) = 11
    dense, sparse = (stack(sample / "train" / f"kidney_3_{kind}/labels") for kind in ("dense", "sparse"))
    assert (sparse[11:] <= dense).all()
    assert (sparse[11:] < dense).any()


def test_table_of_runs_says_the_same_as_the_labels(sample):
    with (sample / "train_rles.csv").open(newline="") as file:
        rows = {row["id"]: row["rle"] for row in csv.DictReader(file)}
    assert len(rows) == 24 + 24 + 12 + 23
    assert "1 0" in rows.values()
    for name in ("kidney_1_dense", "kidney_3_dense"):
        for file in (sample / "train" / name / "labels").iterdir():
            label = tifffile.imread(file)
            flat = np.zeros(label.size, np.uint8)
            numbers = list(map(int, rows[f"{name}_{file.stem}"].split()))
            for start, length in zip(numbers[::2], numbers[1::2], strict=True):
                flat[start - 1 : start - 1 + length] = 255
            np.testing.assert_array_equal(flat.reshape(label.shape), label)


def test_same_seed_same_files_and_another_seed_other_ones(sample, tmp_path):
    def files(root):
        return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    for seed in (0, 1):
        write_kidney_sample(tmp_path / str(seed), seed=seed, shape=SHAPE)
    assert files(tmp_path / "0") == files(sample)
    other = files(tmp_path / "1")
    assert other.keys() == files(sample).keys()
    middle = [path for path in other if path.stem == "0010"]
    assert not any(other[path] == files(sample)[path] for path in middle if "images" in path.parts)


def test_the_task_has_this_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(kidney_sample, "_write_all", lambda folder, seed, shape: folder.mkdir())
    folder = make_sample("kidney_vasculature", tmp_path / "deep" / "sample")
    assert folder.is_dir()
    write_kidney_sample(folder)  # an empty folder is filled


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(kidney_sample, "_write_labels", stop)
    with pytest.raises(KeyboardInterrupt):
        write_kidney_sample(tmp_path / "sample", shape=(16, 16, 16))
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "0000.tif").touch()
    with pytest.raises(InputError, match="exists already and is not empty"):
        write_kidney_sample(tmp_path)
    with pytest.raises(InputError, match="exists already"):
        write_kidney_sample(tmp_path / "0000.tif")


@pytest.mark.parametrize("shape", [(15, 32, 32), (32, 32), (32, 32, -2)])
def test_a_kidney_that_is_too_small_is_refused(tmp_path, shape):
    with pytest.raises(InputError, match="shape="):
        write_kidney_sample(tmp_path / "sample", shape=shape)


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(InputError, match="seed -3"):
        write_kidney_sample(tmp_path / "sample", seed=-3)
