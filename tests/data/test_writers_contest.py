# SPDX-License-Identifier: Apache-2.0
import os
import zipfile

import numpy as np
import pytest

from tomobundles.data.writers_contest import write_contest_submission, zip_submission
from tomobundles.utils import InputError


@pytest.fixture
def volume():
    rng = np.random.default_rng(0)
    return rng.integers(0, 4, (4, 6, 5), dtype=np.uint8), rng.random((3, 5))


def test_arrays(tmp_path, volume):
    mask, presence = volume
    volumes, detections = write_contest_submission(tmp_path, "P1_z", mask, presence)
    assert volumes == tmp_path / "P1_z_labelMark_volumes.npy"
    assert detections == tmp_path / "P1_z_labelMark_detections.npy"
    assert volumes.read_bytes()[-mask.size :] == b"".join(mask[..., d].tobytes() for d in range(5))
    read = np.load(volumes), np.load(detections)
    assert [(array.shape, array.dtype) for array in read] == [((5, 4, 6), np.uint8), ((5, 3), np.float32)]
    np.testing.assert_array_equal(read[1][2], presence[:, 2].astype(np.float32))


def test_presence_from_the_mask(tmp_path):
    mask = np.zeros((2, 2, 2), np.uint8)
    mask[0, 0, 1] = 3
    _, detections = write_contest_submission(tmp_path, "a", mask, None)
    assert np.load(detections).tolist() == [[0, 0, 0], [0, 0, 1]]


def test_slice_contiguous_masks_as_the_readers_give(tmp_path, volume):
    stored = np.ascontiguousarray(np.moveaxis(volume[0], -1, 0))
    volumes, _ = write_contest_submission(tmp_path, "a", np.moveaxis(stored, 0, -1), None)
    np.testing.assert_array_equal(np.load(volumes), stored)


@pytest.mark.parametrize(
    ("mask", "presence", "message"),
    [
        (np.zeros((2, 2), np.uint8), None, "volume of classes is expected"),
        (np.zeros((2, 2, 2)), None, "type float64 where a volume"),
        (np.full((2, 2, 2), 4, np.uint8), None, "class 4 in slice 1"),
        (np.zeros((2, 2, 2), np.uint8), np.zeros((2, 3)), r"presence of shape \(2, 3\)"),
        (np.zeros((2, 2, 2), np.uint8), np.full((3, 2), np.nan), "outside 0-1 or NaN"),
    ],
)
def test_wrong_arrays(tmp_path, mask, presence, message):
    with pytest.raises(InputError, match=message):
        write_contest_submission(tmp_path, "a", mask, presence)
    assert not list(tmp_path.iterdir())


def test_zip_holds_pairs_flat_and_sorted(tmp_path, volume):
    for name in ("b", "a"):
        write_contest_submission(tmp_path / name, name, *volume)
    (tmp_path / "notes.txt").write_text("not for the contest")
    path = zip_submission(tmp_path, tmp_path / "submission.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            f"{n}_labelMark_{k}.npy" for n in "ab" for k in ("detections", "volumes")
        ]
        with archive.open("b_labelMark_volumes.npy") as file:
            np.testing.assert_array_equal(np.load(file), np.moveaxis(volume[0], -1, 0))


def test_zip_is_the_same_each_time(tmp_path, volume):
    zips = []
    for run in ("first", "second"):
        volumes, _ = write_contest_submission(tmp_path / run, "a", *volume)
        day = 86400 * (10_000 + len(zips))  # files of another date
        os.utime(volumes, (day, day))
        zips.append(zip_submission(tmp_path / run, tmp_path / f"{run}.zip").read_bytes())
    assert zips[0] == zips[1]


def test_zip_of_nothing(tmp_path):
    with pytest.raises(InputError, match="no submission arrays"):
        zip_submission(tmp_path, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_zip_of_half_a_pair(tmp_path, volume):
    write_contest_submission(tmp_path, "a", *volume)[1].unlink()
    with pytest.raises(InputError, match="volume a has one of its two arrays only"):
        zip_submission(tmp_path, tmp_path / "a.zip")


def test_zip_of_a_volume_twice(tmp_path, volume):
    for run in ("first", "second"):
        write_contest_submission(tmp_path / run, "a", *volume)
    with pytest.raises(InputError, match="volume a is there twice"):
        zip_submission(tmp_path, tmp_path / "a.zip")
