# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume, RawVolume, Volume
from tomobundles.data.volumes.turned import TwoLayoutVolume, stage_for_axes

SHAPE = (4, 5, 6)


class Stack(Volume):
    """A volume as of compressed slices."""

    random_access = False

    def __init__(self, array):
        super().__init__(shape=array.shape, dtype=array.dtype, meta={"path": "stack"})
        self.array = array

    def _read(self, box):
        return self.array[box]


@pytest.fixture
def array():
    return np.arange(120, dtype=np.uint16).reshape(SHAPE)


def _raw(path, array):
    np.save(path, array)
    return RawVolume(path, spacing_um=(3, 2, 1))


def test_both_layouts_hold_the_same(tmp_path, array):
    volume = stage_for_axes(
        _raw(tmp_path / "a.npy", array), tmp_path / "work", axes=("z", "y", "x"), progress=False
    )
    assert isinstance(volume, TwoLayoutVolume)
    assert volume.random_access
    assert volume.spacing_um == (3, 2, 1)
    assert volume.columns.stored.shape == (6, 4, 5)
    ends = [[(a, b) for a in range(size) for b in range(a + 1, size + 1)] for size in SHAPE]
    for parts in itertools.product(*ends):
        box = tuple(slice(*part) for part in parts)
        found = volume.read(box)
        assert np.array_equal(found, array[box])
        assert found.flags.c_contiguous


def test_each_box_is_read_where_it_is_cheaper(array):
    """5 rows of 6 columns: 2 columns x 5 rows touch 5 x 6 voxels by rows and 2 x 5 by columns."""
    read = []

    class Watched(ArrayVolume):
        def _read(self, box):
            read.append(self.shape)
            return super()._read(box)

    volume = TwoLayoutVolume(Watched(array), Watched(array.transpose(2, 0, 1)))
    whole = slice(None)
    for box in ((whole, whole, slice(2, 4)), (whole, slice(1, 3), whole), (slice(1, 2), whole, whole)):
        assert np.array_equal(volume.read(box), array[box])
    assert read == [(6, 4, 5), SHAPE, SHAPE]


def test_no_more_is_copied_than_axes_need(tmp_path, array):
    folder = tmp_path / "work"
    stack, raw = Stack(array), _raw(tmp_path / "a.npy", array)
    assert stage_for_axes(stack, folder, axes=["z"]) is stack
    assert stage_for_axes(raw, folder, axes=["z", "y"]) is raw
    memory = ArrayVolume(array)
    assert stage_for_axes(memory, folder, axes=["x"]) is memory
    assert not folder.exists()


def _staged(volume, folder, axes):
    return stage_for_axes(volume, folder, axes=axes, progress=False)


def test_what_is_no_file_of_rows_is_staged_and_found_again(tmp_path, array):
    stack = Stack(array)
    staged = _staged(stack, tmp_path, ("z", "y"))
    assert isinstance(staged, RawVolume)
    assert np.array_equal(staged.read_all(), array)
    both = _staged(stack, tmp_path, ("z", "x"))
    files = sorted(tmp_path.iterdir())
    times = [file.stat().st_mtime_ns for file in files]
    assert len(files) == 2
    assert np.array_equal(both.columns.stored.read_all(), array.transpose(2, 0, 1))
    _staged(stack, tmp_path, ("z", "x"))
    assert [file.stat().st_mtime_ns for file in sorted(tmp_path.iterdir())] == times
