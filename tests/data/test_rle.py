# SPDX-License-Identifier: Apache-2.0
import errno

import numpy as np
import pytest

from tomobundles.data.rle import (
    RleVolume,
    decode_rle,
    read_submission,
    submission_volume,
    write_submission,
)
from tomobundles.data.volumes import ArrayVolume
from tomobundles.utils import InputError

HAND = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1]], np.uint8)


def random_mask(seed, shape, density):
    return (np.random.default_rng(seed).random(shape) < density).astype(np.uint8)


def kidney(names=None, seed=0, shape=(4, 5, 6)):
    mask = random_mask(seed, shape, 0.2)
    mask[1] = 0
    return ArrayVolume(mask, meta={} if names is None else {"slice_names": names})


def test_submission_has_the_contests_form(tmp_path):
    array = np.stack([HAND, HAND * 0])
    masks = {"kidney_5": ArrayVolume(array, meta={"slice_names": ["0000", "0001"]})}
    path = write_submission(tmp_path / "new" / "submission.csv", masks)
    assert path.read_bytes() == b"id,rle\nkidney_5_0000,2 3 9 1\nkidney_5_0001,1 0\n"


@pytest.mark.parametrize("order", ["C", "F"])
def test_submission_round_trip(tmp_path, order, monkeypatch):
    monkeypatch.setattr("tomobundles.data.volumes.writing.slab_thickness", lambda shape, axis: 3)
    names = ["0496", "0497", "0498", "0499"]
    masks = {"kidney_5": kidney(names), "kidney_6": kidney(seed=1, shape=(4, 3, 2))}
    path = write_submission(tmp_path / "s.csv", masks, order=order)
    rles = read_submission(path)
    assert list(rles) == [f"kidney_5_{name}" for name in names] + [
        f"kidney_6_000{index}" for index in range(4)
    ]
    volume = submission_volume(path, "kidney_5", slice_names=names, shape=(5, 6), order=order)
    assert np.array_equal(volume.read_all(), masks["kidney_5"].array)
    assert (
        volume.read((slice(2, 4), slice(1, 3), slice(0, 2))).tolist()
        == masks["kidney_5"].array[2:4, 1:3, :2].tolist()
    )
    assert volume.meta["slice_names"] == names
    assert volume.path == str(path)
    other = submission_volume(
        path, "kidney_6", slice_names=[f"000{i}" for i in range(4)], shape=(3, 2), order=order
    )
    assert np.array_equal(other.read_all(), masks["kidney_6"].array)


def test_volume_of_texts():
    volume = RleVolume(["1 0", "1 2"], shape=(1, 3))
    assert volume.read_all().tolist() == [[[0, 0, 0]], [[1, 1, 0]]]
    assert volume.path == ""
    assert not volume.random_access


def test_submission_as_spreadsheets_save_it(tmp_path):
    (tmp_path / "s.csv").write_bytes(b'\xef\xbb\xbf"id","rle"\r\n"a_0","1 0"\r\n"a_1","3 4"\r\n')
    assert read_submission(tmp_path / "s.csv") == {"a_0": "1 0", "a_1": "3 4"}


def test_long_rows(tmp_path):
    """A dense slice is longer than the csv module's limit for a field, 131,072 characters."""
    array = np.zeros((1, 300, 300), np.uint8)
    array[:, :, ::2] = 1
    path = write_submission(tmp_path / "s.csv", {"k": ArrayVolume(array)})
    assert path.stat().st_size > 2 * 131072
    assert np.array_equal(decode_rle(read_submission(path)["k_0000"], (300, 300)), array[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with 'nothing'|begins with nothing"),
        (b"id,predicted\na,1 0\n", "begins with 'id,predicted'"),
        (b"id,rle\na_0,1 0\na_0,1 0\n", "line 3: a_0 occurs twice"),
        (b"id,rle\na_0,\n", "line 2 is no id,rle"),
        (b"id,rle\na_0\n", "line 2 is no id,rle"),
        (b"id,rle\n,1 0\n", "line 2 is no id,rle"),
        (b"\xff\xfe\x00", "cannot be read: no UTF-8 text"),
    ],
)
def test_bad_submissions(tmp_path, content, message):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_submission(tmp_path / "s.csv")
    assert caught.value.path == str(tmp_path / "s.csv")


def test_missing_submission(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_submission(tmp_path / "s.csv")


def test_missing_slice(tmp_path):
    path = write_submission(tmp_path / "s.csv", {"k": kidney()})
    with pytest.raises(InputError, match="no row k_0004"):
        submission_volume(path, "k", slice_names=["0000", "0004"], shape=(5, 6))


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (
            {"a": kidney(["b_1", "2", "3", "4"]), "a_b": kidney(["1", "2", "3", "4"])},
            "id 'a_b_1' occurs twice",
        ),
        ({"a,b": kidney()}, "id 'a,b_0000' cannot stand in the CSV"),
    ],
)
def test_bad_ids(tmp_path, masks, message):
    with pytest.raises(InputError, match=message):
        write_submission(tmp_path / "s.csv", masks)
    assert list(tmp_path.iterdir()) == []


def test_full_disk(tmp_path):
    class Full(ArrayVolume):
        def _read(self, box):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"s\.csv\nno space left on the disk; .* up to 0\.1 MB"):
        write_submission(tmp_path / "s.csv", {"k": Full(np.zeros((100, 10, 20), np.uint8))})
    assert list(tmp_path.iterdir()) == []


def test_bad_order(tmp_path):
    with pytest.raises(InputError, match="order 'A'"):
        write_submission(tmp_path / "s.csv", {}, order="A")
