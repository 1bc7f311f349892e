# SPDX-License-Identifier: Apache-2.0
import gzip
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from tomobundles.data.volumes import packed
from tomobundles.data.volumes.packed import PackedVolume, inflate
from tomobundles.utils import InputError

_ARRAY = np.random.default_rng(0).integers(0, 999, (40, 6, 7), dtype=np.int16)


def _volume(tmp_path, data=None, **options):
    path = tmp_path / "a.gz"
    path.write_bytes(b"head" + (gzip.compress(b"off" + _ARRAY.tobytes()) if data is None else data))
    return PackedVolume(
        path, **{"start": 4, "offset": 3, "shape": _ARRAY.shape, "dtype": np.int16, "meta": {}} | options
    )


def _box(start, stop):
    return slice(start, stop), slice(1, 5), slice(2, 3)


@pytest.fixture
def decoded(monkeypatch):
    """How often a stream was begun to be decoded."""
    begun = []
    original = packed.inflate
    monkeypatch.setattr(packed, "inflate", lambda *args: begun.append(1) or original(*args))
    return begun


def test_slabs_in_order_decode_the_stream_once(tmp_path, decoded):
    volume = _volume(tmp_path)
    assert len(decoded) == 1  # its checksum
    for start in range(0, 35, 5):
        box = _box(start, start + 8)
        np.testing.assert_array_equal(volume.read(box), _ARRAY[box])
    assert len(decoded) == 2


def test_who_jumps_is_served_from_a_temporary_file(tmp_path, decoded, monkeypatch):
    monkeypatch.setattr(packed.tempfile, "tempdir", str(tmp_path))
    volume = _volume(tmp_path, slope=2.0)
    for start in (38, 0, 30, 1, 35, 2, 33, 4, 38, 7):
        box = _box(start, start + 1)
        np.testing.assert_array_equal(volume.read(box), _ARRAY[box] * 2)
    assert len(decoded) == 4  # checked, read, read again from the start, unpacked
    folders = list(tmp_path.glob("tomobundles-*"))
    assert len(folders) == 1
    other = pickle.loads(pickle.dumps(volume))
    assert other.read(_box(3, 4)).tolist() == (_ARRAY[_box(3, 4)] * 2).tolist()
    assert folders[0].exists()
    del volume
    assert not folders[0].exists()


def test_a_forked_process_leaves_the_file_to_its_parent(tmp_path):
    (tmp_path / "kept").mkdir()
    packed._remove(str(tmp_path / "kept"), -1)
    assert (tmp_path / "kept").exists()


@pytest.fixture
def about_to_unpack(tmp_path, monkeypatch):
    monkeypatch.setattr(packed.tempfile, "tempdir", str(tmp_path))
    volume = _volume(tmp_path)
    for start in (39, 0, 30):
        volume.read(_box(start, start + 1))
    return volume


def test_a_disk_that_fills_up_while_unpacking(about_to_unpack, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(InputError, match=r"cannot be unpacked .*No space left"):
            about_to_unpack.read(_box(3, 4))
    np.testing.assert_array_equal(about_to_unpack.read(_box(3, 4)), _ARRAY[_box(3, 4)])


def test_no_room_to_unpack(about_to_unpack, monkeypatch):
    usage = type("Usage", (), {"free": 1})
    monkeypatch.setattr("tomobundles.data.volumes.free_space.shutil.disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"GB are needed, 0\.00 GB are free"):
        about_to_unpack.read(_box(3, 4))


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_streams(tmp_path, pack):
    path = tmp_path / "a"
    data = bytes(30_000_000)  # decodes to more than is decoded at a time
    path.write_bytes(pack(data))
    assert b"".join(inflate(path)) == data
    path.write_bytes(pack(b"one") + pack(b"two") + bytes(100))
    assert b"".join(inflate(path)) == b"onetwo"
    for damaged in (pack(b"one") + b"rest", pack(b"one")[:-1], b"", pack(data)[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"damaged: its compressed data cannot be decoded"):
            list(inflate(path))
    with pytest.raises(InputError, match="No such file"):
        list(inflate(tmp_path / "absent"))


def test_too_few_voxels(tmp_path):
    with pytest.raises(InputError, match=r"truncated: 5 bytes of 3363 once decoded"):
        _volume(tmp_path, gzip.compress(b"short"))
    volume = _volume(tmp_path)
    (tmp_path / "a.gz").write_bytes(b"head" + gzip.compress(b"short"))
    with pytest.raises(InputError, match="truncated while it was read"):
        volume.read_all()


def test_other_types(tmp_path):
    mask = _ARRAY > 500
    volume = _volume(tmp_path, zlib.compress(mask.tobytes()), dtype=bool, offset=0)
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(volume.read_all(), mask)
    swapped = _volume(tmp_path, zlib.compress(_ARRAY.astype(">i2").tobytes()), dtype=">i2", offset=0)
    assert swapped.dtype == np.int16
    np.testing.assert_array_equal(swapped.read_all(), _ARRAY)
    with pytest.raises(InputError, match="values of type"):
        _volume(tmp_path, dtype="c8")
