# SPDX-License-Identifier: Apache-2.0
import errno
import os

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.writing import (
    known_of,
    slab_thickness,
    storage_errors,
    stored_block,
    stored_bytes,
    stored_slabs,
)
from tomobundles.utils import InputError


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_names_target_and_space(code):
    with (
        pytest.raises(InputError, match=r"out/mask\nno space left .* up to 2\.7 GB"),
        storage_errors("out/mask", 2_708_000_000),
    ):
        raise OSError(code, os.strerror(code))


def test_short_write_is_a_full_disk():
    with pytest.raises(InputError, match=r"up to 1\.5 MB"), storage_errors("mask", 1_500_000):
        raise OSError("100 requested and 20 written")


def test_no_right_to_write():
    with (
        pytest.raises(InputError, match="mask\ncannot be written: Permission denied"),
        storage_errors("mask", 1),
    ):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_other_errors_pass():
    with pytest.raises(OSError, match="strange") as caught, storage_errors("mask", 1):
        raise OSError(errno.EIO, "strange")
    assert not isinstance(caught.value, InputError)


def test_stored_masks():
    block = np.array([[[0, 1], [1, 0]]], dtype=np.uint8)
    assert stored_block(block, value=255).tolist() == [[[0, 255], [255, 0]]]
    assert stored_block(block > 0).dtype == np.uint8
    assert stored_block(block.astype(np.int64), value=7).max() == 7


def test_stored_probabilities():
    block = np.array([[[0, 0.5, 1, 1.0005, -0.0005]]], dtype=np.float32)
    assert stored_block(block).tolist() == [[[0, 32768, 65535, 65535, 0]]]  # 32767.5 rounds to even
    exact = stored_block(block.astype(np.float64), rounded=False)
    assert exact.dtype == np.float32
    assert exact.tolist() == [[[0, 0.5, 1, 1, 0]]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 2], "mask holds values from 0 to 2"),
        ([-1, 0], "mask holds values from -1 to 0"),
        ([0.0, 1.1], "probabilities run from 0 to 1.1"),
        ([-0.1, 1.0], "probabilities run from -0.1 to 1"),
        ([np.nan, 1.0], "probabilities run from nan"),
    ],
)
def test_other_values(values, message):
    with pytest.raises(InputError, match=message) as caught:
        stored_block(np.array([[values]]), path="in.nii")
    assert caught.value.path == "in.nii"


def test_slabs_of_bounded_size(monkeypatch):
    monkeypatch.setattr("tomobundles.data.volumes.writing.slab_thickness", lambda shape, axis: 2)
    array = np.arange(30).reshape(5, 3, 2) % 2
    found = list(stored_slabs(ArrayVolume(array), axis=0))
    assert [len(block) for _, block in found] == [2, 2, 1]
    assert np.array_equal(np.concatenate([block for _, block in found]), array)


def test_slab_thickness():
    assert slab_thickness((100, 10, 10), voxels=1000) == 10
    assert slab_thickness((100, 10, 10), axis=2, voxels=1000) == 1
    assert slab_thickness((2, 100, 100), voxels=10) == 1


def test_stored_bytes():
    assert stored_bytes(ArrayVolume(np.zeros((2, 3, 4), bool))) == 24
    assert stored_bytes(ArrayVolume(np.zeros((2, 3, 4), np.float32))) == 48


def test_known_of():
    mask = ArrayVolume(np.zeros((1, 2, 3)), meta={"a": 1}, spacing_um=1)
    like = ArrayVolume(np.zeros((1, 2, 3)), meta={"a": 2}, spacing_um=2)
    assert known_of(mask, None) == ({"a": 1}, (1, 1, 1))
    assert known_of(mask, like) == ({"a": 2}, (2, 2, 2))
    with pytest.raises(InputError, match=r"\(1, 2, 3\) does not fit the volume's \(1, 2, 4\)"):
        known_of(mask, ArrayVolume(np.zeros((1, 2, 4))))
