# SPDX-License-Identifier: Apache-2.0
import errno
import itertools
import os
import shutil
from collections import namedtuple

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume, RawVolume
from tomobundles.data.volumes.probability_store import ProbabilityFolder, ProbabilityStore, disk_bytes
from tomobundles.utils import InputError

SHAPE = (4, 5, 6)
THREE = ("z", "y", "x")


def _filled(folder, passes=THREE, seed=0):
    """A store of random probabilities, and those as arrays (Z, Y, X)."""
    store = ProbabilityStore(folder)
    store.create(shape=SHAPE, passes=passes)
    arrays = {}
    for number, name in enumerate(passes):
        arrays[name] = np.random.default_rng([seed, number]).random(SHAPE, dtype=np.float32)
        planes = np.moveaxis(arrays[name], "zyx".index(name), 0)
        for start in range(0, len(planes), 2):
            store.write(name, start, planes[start : start + 2])
    return store, arrays


@pytest.mark.parametrize("passes", [("z",), ("y",), ("x",), ("x", "z"), THREE])
def test_the_mean_of_the_passes(tmp_path, passes):
    store, arrays = _filled(tmp_path / "work", passes)
    volume = store.volume(spacing_um=(1, 2, 3), meta={"path": "there"})
    expected = np.mean(list(arrays.values()), axis=0, dtype=np.float64)
    assert volume.shape == SHAPE
    assert volume.spacing_um == (1, 2, 3)
    assert volume.path == "there"
    assert volume.random_access
    found = volume.read_all()
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= 0.5 / 65535 + 1e-7
    for starts in itertools.product((0, 1), (0, 2), (3, 5)):
        box = tuple(slice(start, size) for start, size in zip(starts, SHAPE, strict=True))
        assert np.array_equal(volume.read(box), found[box])


def test_passes_can_be_read_one_by_one(tmp_path):
    store, arrays = _filled(tmp_path)
    stored = store.volume().passes["y"].read_all()
    assert stored.shape == (5, 4, 6)
    assert np.abs(stored / 65535 - arrays["y"].swapaxes(0, 1)).max() < 1e-5


def test_ends_are_exact_and_rounding_is_clipped(tmp_path):
    store = ProbabilityStore(tmp_path)
    store.create(shape=(1, 1, 4), passes=["z"])
    assert store.volume().read_all().tolist() == [[[0, 0, 0, 0]]]
    store.write("z", 0, np.array([[[0, 1, 1 + 1e-6, -1e-6]]]))
    assert store.volume().read_all().tolist() == [[[0, 1, 1, 0]]]


def test_writing_twice_does_no_harm(tmp_path):
    store, _ = _filled(tmp_path)
    before = store.volume().read_all()
    store.write("y", 2, np.full((2, 4, 6), 0.5))
    assert not np.array_equal(store.volume().read_all(), before)
    again, _ = _filled(tmp_path)
    assert np.array_equal(again.volume().read_all(), before)


def test_going_on_with_earlier_files(tmp_path):
    before = _filled(tmp_path)[0].volume().read_all()
    store = ProbabilityStore(tmp_path)
    assert store.reopen(shape=SHAPE, passes=THREE)
    assert np.array_equal(store.volume().read_all(), before)
    store.write("z", 0, np.zeros((4, 5, 6)))
    assert store.reopen(shape=SHAPE, passes=["z"])


def test_what_cannot_be_gone_on_with(tmp_path):
    assert not ProbabilityStore(tmp_path / "none").reopen(shape=SHAPE, passes=["z"])
    _filled(tmp_path, ("z", "y"))
    store = ProbabilityStore(tmp_path)
    assert not store.reopen(shape=SHAPE, passes=THREE)  # x is not there
    assert not store.reopen(shape=(4, 6, 5), passes=["z"])
    RawVolume.create(tmp_path / "probability_z.npy", shape=SHAPE, dtype=np.uint8)
    assert not store.reopen(shape=SHAPE, passes=["z"])
    path = tmp_path / "probability_y.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert not store.reopen(shape=SHAPE, passes=["y"])


def test_new_files_replace_old_ones(tmp_path):
    store, _ = _filled(tmp_path)
    store.ledger_path.write_text("old")
    store.create(shape=SHAPE, passes=["z"])
    assert [path.name for path in tmp_path.iterdir()] == ["probability_z.npy"]


def test_removing(tmp_path):
    folder = tmp_path / "work"
    store, _ = _filled(folder)
    store.remove()
    assert not folder.exists()
    store.remove()
    store, _ = _filled(folder)
    (folder / "mine.txt").write_text("kept")
    store.remove()
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_what_is_no_probability(tmp_path, value):
    store, _ = _filled(tmp_path)
    values = np.full((2, 4, 6), 0.5)
    values[1, 2, 3] = value
    with pytest.raises(InputError, match="slices 3 to 4 along y, not probabilities"):
        store.write("y", 3, values)


def test_no_space_is_known_before_the_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 100))
    with pytest.raises(InputError, match=r"probabilities need 7\.2e-07 GB, 1e-07 GB are free"):
        ProbabilityStore(tmp_path / "work").create(shape=SHAPE, passes=THREE)
    assert disk_bytes(SHAPE, THREE) == 720


def _full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_while_space_is_reserved(tmp_path, monkeypatch):
    reserve, calls = os.posix_fallocate, []

    def second_fails(*args):
        calls.append(args)
        return reserve(*args) if len(calls) < 2 else _full()

    monkeypatch.setattr(os, "posix_fallocate", second_fails)
    with pytest.raises(InputError, match="the disk is full") as caught:
        ProbabilityStore(tmp_path / "work").create(shape=SHAPE, passes=THREE)
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_slabs_are_written(tmp_path, monkeypatch):
    store, _ = _filled(tmp_path)
    monkeypatch.setattr(RawVolume, "write", _full)
    with pytest.raises(InputError, match="the disk is full: probabilities need"):
        store.write("z", 0, np.zeros((1, 5, 6)))


def test_other_faults_of_the_disk_come_through(tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    store, _ = _filled(tmp_path / "work")
    monkeypatch.setattr(RawVolume, "write", broken)
    monkeypatch.setattr(RawVolume, "create", broken)
    with pytest.raises(OSError, match="Input/output"):
        store.write("z", 0, np.zeros((1, 5, 6)))
    with pytest.raises(OSError, match="Input/output"):
        store.create(shape=SHAPE, passes=THREE)


def test_every_volume_has_its_own_folder(tmp_path):
    stores = ProbabilityFolder(tmp_path)
    paths = ["data/a b/images", "data2/a b/images", "", "/", "x" * 300]
    folders = [stores(ArrayVolume(np.zeros((1, 1, 1)), meta={"path": path})).folder for path in paths]
    assert len(set(folders)) == len(folders)
    assert all(folder.parent == tmp_path and len(folder.name) < 100 for folder in folders)
    assert folders[0].name.startswith("a_b_images-")
    assert folders[0] == stores(ArrayVolume(np.zeros((2, 1, 1)), meta={"path": paths[0]})).folder
