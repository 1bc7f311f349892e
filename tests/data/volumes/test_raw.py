# SPDX-License-Identifier: Apache-2.0
import errno
import os

import numpy as np
import pytest

from tomobundles.data.volumes import raw
from tomobundles.data.volumes.flat import FlatVolume
from tomobundles.data.volumes.raw import RawVolume
from tomobundles.utils import InputError

_ARRAY = np.random.default_rng(0).integers(0, 65_536, (4, 5, 6), dtype=np.uint16)
_BOX = (slice(1, 3), slice(2, 5), slice(1, 4))


@pytest.mark.parametrize("dtype", [np.uint8, ">u2", "<f4", np.float16, np.int32])
def test_boxes_of_a_saved_array(tmp_path, dtype):
    array = _ARRAY.astype(np.uint8).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    volume = RawVolume(tmp_path / "a.npy", spacing_um=50)
    assert volume.dtype == np.dtype(dtype).newbyteorder("=")
    assert volume.random_access
    assert volume.meta == {"path": str(tmp_path / "a.npy"), "form": "npy"}
    np.testing.assert_array_equal(volume.read(_BOX), array[_BOX])
    np.testing.assert_array_equal(volume.read_all(), array)
    assert volume.read_all().dtype == volume.dtype


def test_booleans_are_zero_and_one(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[[True, False]]]))
    volume = RawVolume(tmp_path / "a.npy")
    assert volume.dtype == np.uint8
    assert volume.read_all().tolist() == [[[1, 0]]]


def test_what_is_written_is_read_by_numpy(tmp_path):
    path = tmp_path / "new" / "a.npy"
    volume = RawVolume.create(path, shape=_ARRAY.shape, dtype=np.uint16, spacing_um=50)
    assert not volume.read_all().any()
    volume.write((slice(None), slice(None), slice(None)), 7)
    volume.write(_BOX, _ARRAY[_BOX])
    volume.write((slice(0, 1), slice(1, 3), slice(None)), _ARRAY[:1, 1:3])
    volume.sync()
    expected = np.full_like(_ARRAY, 7)
    expected[_BOX] = _ARRAY[_BOX]
    expected[:1, 1:3] = _ARRAY[:1, 1:3]
    np.testing.assert_array_equal(np.load(path), expected)
    np.testing.assert_array_equal(RawVolume(path).read_all(), expected)


def test_disk_space_is_reserved(tmp_path):
    path = tmp_path / "a.npy"
    RawVolume.create(path, shape=(16, 64, 64), dtype=np.float32)
    assert path.stat().st_blocks * 512 >= 16 * 64 * 64 * 4


def test_writing_needs_leave(tmp_path):
    np.save(tmp_path / "a.npy", _ARRAY)
    with pytest.raises(ValueError, match="opened for reading"):
        RawVolume(tmp_path / "a.npy").write(_BOX, 0)
    RawVolume(tmp_path / "a.npy", writable=True).write(_BOX, 0)
    assert not np.load(tmp_path / "a.npy")[_BOX].any()
    with pytest.raises(ValueError, match="broadcast"):
        RawVolume(tmp_path / "a.npy", writable=True).write(_BOX, np.zeros((2, 2, 2)))
    with pytest.raises(IndexError):
        RawVolume(tmp_path / "a.npy", writable=True).write((slice(0, 9), slice(None), slice(None)), 0)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(raw.os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        RawVolume.create(tmp_path / "a.npy", shape=(2, 2, 2), dtype=np.uint8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lacking", ["function", "support"])
def test_file_systems_that_cannot_reserve(tmp_path, monkeypatch, lacking):
    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    if lacking == "function":
        monkeypatch.delattr(raw.os, "posix_fallocate", raising=False)
    else:
        monkeypatch.setattr(raw.os, "posix_fallocate", unsupported, raising=False)
    volume = RawVolume.create(tmp_path / "a.npy", shape=(2, 2, 2), dtype=np.uint8)
    assert not volume.read_all().any()


def test_arrays_that_are_no_volume(tmp_path):
    path = tmp_path / "a.npy"
    for array, words in [
        (np.zeros((2, 2)), r"array of shape \(2, 2\)"),
        (np.asfortranarray(_ARRAY), "in Fortran order"),
        (np.zeros((0, 2, 2)), r"shape \(0, 2, 2\)"),
        (np.zeros((2, 2, 2), complex), "complex"),
    ]:
        np.save(path, array)
        with pytest.raises(InputError, match=rf"(?s)a\.npy.*{words}"):
            RawVolume(path)
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="object"):
        RawVolume(path)
    path.write_bytes(b"no array")
    with pytest.raises(InputError, match=r"cannot be read as \.npy"):
        RawVolume(path)
    with pytest.raises(InputError, match=r"absent\.npy"):
        RawVolume(tmp_path / "absent.npy")


def test_a_header_of_version_two(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, _ARRAY, version=(2, 0))
    np.testing.assert_array_equal(RawVolume(tmp_path / "a.npy").read_all(), _ARRAY)


def test_truncated_when_opened_and_later(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, _ARRAY)
    volume = RawVolume(path)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(InputError, match=r"(?s)a\.npy.*truncated: 367 bytes of 368"):  # 128 + 4 * 5 * 6 * 2
        RawVolume(path)
    with pytest.raises(InputError, match="truncated while it was read"):
        volume.read_all()
    path.unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        volume.read_all()


def test_scale_factors(tmp_path):
    file = tmp_path / "voxels"
    file.write_bytes(b"head" + np.array([0, 1, 2, 3], ">i2").tobytes())
    volume = FlatVolume(file, offset=4, shape=(1, 2, 2), dtype=">i2", slope=0.5, intercept=-1)
    assert volume.dtype == np.float32
    assert volume.read_all().tolist() == [[[-1, -0.5], [0, 0.5]]]
    with pytest.raises(InputError, match="values of type"):
        FlatVolume(file, offset=0, shape=(1, 1, 1), dtype="c8")
