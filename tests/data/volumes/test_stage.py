# SPDX-License-Identifier: Apache-2.0
import errno
import itertools
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
import zarr

from tomobundles.data.volumes import open_volume, stage
from tomobundles.data.volumes.base import ArrayVolume
from tomobundles.data.volumes.raw import RawVolume
from tomobundles.data.volumes.stage import fingerprint
from tomobundles.utils import InputError

stage_module = sys.modules[fingerprint.__module__]  # the package offers the function under its name

_ARRAY = np.random.default_rng(0).integers(0, 65_536, (5, 20, 30), dtype=np.uint16)
_BOX = (slice(1, 4), slice(2, 19), slice(7, 8))


def _stack(folder, array=_ARRAY):
    folder.mkdir(exist_ok=True)
    for index, pixels in enumerate(array):
        tifffile.imwrite(folder / f"{index}.tif", pixels, compression="zlib")
    return folder


def test_a_copy_reads_as_its_source(tmp_path, capfd):
    source = open_volume(_stack(tmp_path / "slices"), spacing_um=[5, 2, 1])
    copy = stage(source, tmp_path / "new" / "cache")
    assert isinstance(copy, RawVolume)
    assert copy.random_access
    assert (copy.shape, copy.dtype, copy.spacing_um, copy.meta) == (
        source.shape,
        source.dtype,
        source.spacing_um,
        source.meta,
    )
    np.testing.assert_array_equal(copy.read(_BOX), _ARRAY[_BOX])
    assert [file.suffix for file in (tmp_path / "new" / "cache").iterdir()] == [".npy"]
    assert "copy slices" in capfd.readouterr().err
    stage(source, tmp_path / "other", progress=False)
    assert capfd.readouterr().err == ""


def test_a_whole_copy_is_used_again(tmp_path, monkeypatch):
    folder = _stack(tmp_path / "slices")
    first = stage(open_volume(folder), tmp_path, progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(RawVolume, "create", None)
        again = stage(open_volume(folder), tmp_path, progress=False)
    assert again.file == first.file
    os.truncate(first.file, 1000)  # what a crash of the disk leaves
    np.testing.assert_array_equal(stage(open_volume(folder), tmp_path, progress=False).read_all(), _ARRAY)
    np.save(first.file, _ARRAY[:, :5])
    np.testing.assert_array_equal(stage(open_volume(folder), tmp_path, progress=False).read_all(), _ARRAY)


def test_names_tell_sources_apart(tmp_path):
    folder = _stack(tmp_path / "slices")
    names = [fingerprint(open_volume(folder)), fingerprint(open_volume(folder, slices=(0, 3)))]
    _stack(tmp_path / "others")
    names.append(fingerprint(open_volume(tmp_path / "others")))
    os.utime(folder / "2.tif", (1, 1))
    names.append(fingerprint(open_volume(folder)))
    tifffile.imwrite(folder / "2.tif", _ARRAY[0])
    names.append(fingerprint(open_volume(folder)))
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    for level in "01":
        group.create_array(level, data=_ARRAY)
    group.attrs["multiscales"] = [{"axes": list("zyx"), "datasets": [{"path": "0"}, {"path": "1"}]}]
    names += [fingerprint(open_volume(f"{tmp_path}/a.zarr::{level}")) for level in "01"]
    group.create_array("1", data=_ARRAY + 1, overwrite=True)
    names.append(fingerprint(open_volume(f"{tmp_path}/a.zarr::1")))
    np.save(tmp_path / "a.npy", _ARRAY)
    names.append(fingerprint(open_volume(tmp_path / "a.npy")))
    assert len(set(names)) == len(names)
    assert fingerprint(ArrayVolume(_ARRAY)) == fingerprint(ArrayVolume(_ARRAY))


@pytest.mark.parametrize("axes", ["".join(letters) for letters in itertools.permutations("XYZ")])
def test_slabs_along_any_axis(tmp_path, axes, monkeypatch):
    monkeypatch.setattr(stage_module, "_SLAB_BYTES", 2500)  # one or several planes
    np.save(tmp_path / "a.npy", _ARRAY.transpose(["ZYX".index(letter) for letter in axes]).copy())
    copy = stage(open_volume(tmp_path / "a.npy", axes=axes), tmp_path / "cache", progress=False)
    np.testing.assert_array_equal(copy.read_all(), _ARRAY)


def test_slabs_hold_no_more_than_they_may(tmp_path, monkeypatch):
    monkeypatch.setattr(stage_module, "_SLAB_BYTES", 2 * 20 * 30 * 2)
    source = open_volume(_stack(tmp_path / "slices"))
    read = []
    monkeypatch.setattr(source, "_read", lambda box: read.append(box[0]) or _ARRAY[box])
    stage(source, tmp_path / "cache", progress=False)
    assert read == [slice(0, 2), slice(2, 4), slice(4, 5)]


def test_too_little_space_is_said_before(tmp_path, monkeypatch):
    def usage(_):
        return type("Usage", (), {"free": 5_000_000})

    monkeypatch.setattr("tomobundles.data.volumes.free_space.shutil.disk_usage", usage)
    volume = ArrayVolume(np.broadcast_to(np.uint8(0), (30, 1000, 1000)), meta={"path": "kidney"})
    with pytest.raises(InputError, match=r"0\.03 GB are needed, 0\.01 GB are free\n.*a copy of kidney"):
        stage(volume, tmp_path / "cache", progress=False)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_leaves_nothing(tmp_path, monkeypatch, code):
    source = open_volume(_stack(tmp_path / "slices"))

    def full(self, box, values):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(RawVolume, "write", full)
    with pytest.raises(InputError, match=r"(?s)cache.*disk full while a copy"):
        stage(source, tmp_path / "cache", progress=False)
    assert list((tmp_path / "cache").iterdir()) == []


def test_other_faults_are_shown_as_they_are(tmp_path, monkeypatch):
    source = open_volume(_stack(tmp_path / "slices"))

    def broken(self, box, values):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(RawVolume, "write", broken)
    with pytest.raises(OSError, match="Input/output"):
        stage(source, tmp_path / "cache", progress=False)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_source_leaves_nothing(tmp_path):
    array = np.zeros((3, 4, 4), np.float32)
    array[2, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        stage(open_volume(_stack(tmp_path / "slices", array)), tmp_path / "cache", progress=False)
    assert list((tmp_path / "cache").iterdir()) == []


def test_of_two_at_a_time_one_copies(tmp_path, monkeypatch):
    """Threads stand for processes: the one that comes second waits, and takes the first one's copy."""
    source = open_volume(_stack(tmp_path / "slices"))
    written, write = [], RawVolume.write

    def slowly(self, box, values):
        written.append(box)
        time.sleep(0.05)
        write(self, box, values)

    monkeypatch.setattr(RawVolume, "write", slowly)
    with ThreadPoolExecutor(2) as pool:
        copies = list(pool.map(lambda _: stage(source, tmp_path / "cache", progress=False), range(2)))
    assert len(written) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1
    for copy in copies:
        np.testing.assert_array_equal(copy.read_all(), source.read_all())
