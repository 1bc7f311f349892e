# SPDX-License-Identifier: Apache-2.0
import itertools
import os

import numpy as np
import pytest

from tomobundles.data.volumes import open_volume
from tomobundles.data.volumes.base import ArrayVolume
from tomobundles.data.volumes.views import PermutedVolume, SliceRange
from tomobundles.utils import InputError

_ARRAY = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)  # Z, Y, X
_BOX = (slice(1, 2), slice(0, 2), slice(1, 3))


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("axes", ["".join(letters) for letters in itertools.permutations("XYZ")])
def test_any_order_of_axes(tmp_path, axes, fortran):
    stored = _ARRAY.transpose(["ZYX".index(letter) for letter in axes])
    np.save(tmp_path / "a.npy", np.asfortranarray(stored) if fortran else np.ascontiguousarray(stored))
    volume = open_volume(tmp_path / "a.npy", axes=axes, spacing_um=[3, 2, 1])
    assert (volume.shape, volume.spacing_um) == ((2, 3, 4), (3, 2, 1))
    assert volume.meta["slice_names"] == ["0", "1"]
    assert volume.meta["axes"] == axes
    np.testing.assert_array_equal(volume.read_all(), _ARRAY)
    np.testing.assert_array_equal(volume.read(_BOX), _ARRAY[_BOX])
    assert volume.read(_BOX).flags.c_contiguous
    slowest = axes[-1] if fortran else axes[0]
    assert volume.slab_axis == "ZYX".index(slowest)
    assert volume.random_access == (slowest == "Z")


def test_two_axes_are_one_slice(tmp_path):
    np.save(tmp_path / "a.npy", _ARRAY[0])
    assert open_volume(tmp_path / "a.npy").read_all().tolist() == _ARRAY[:1].tolist()
    np.save(tmp_path / "a.npy", np.asfortranarray(_ARRAY[0].T))
    assert open_volume(tmp_path / "a.npy", axes="XYZ").read_all().tolist() == _ARRAY[:1].tolist()


def test_what_is_no_volume(tmp_path):
    for array, words in (
        (np.zeros((2, 2, 2, 2)), "where a volume of three axes"),
        (np.zeros(3), "three axes"),
    ):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(InputError, match=rf"(?s)a\.npy.*{words}"):
            open_volume(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", _ARRAY)
    with pytest.raises(InputError, match="not a permutation of XYZ"):
        open_volume(tmp_path / "a.npy", axes="XYY")
    os.truncate(tmp_path / "a.npy", 130)
    with pytest.raises(InputError, match=r"(?s)a\.npy.*truncated"):
        open_volume(tmp_path / "a.npy")


def test_nan(tmp_path):
    array = _ARRAY.copy()
    array[1, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=r"(?s)a\.npy.*NaN or infinite values, first in slice 1"):
        open_volume(tmp_path / "a.npy").read_all()
    with pytest.raises(InputError, match="first in slice 1"):
        open_volume(tmp_path / "a.npy", slices=(1, 1)).read_all()


def test_permuting_keeps_what_is_cheap():
    stored = ArrayVolume(_ARRAY.transpose(2, 1, 0), meta={"path": "a"})
    volume = PermutedVolume(stored, axes="XYZ", spacing_um=[3, 2, 1], meta={"path": "b"})
    assert (volume.path, volume.slab_axis, volume.random_access) == ("b", 2, False)
    np.testing.assert_array_equal(volume.read(_BOX), _ARRAY[_BOX])


def test_some_slices(tmp_path):
    volume = SliceRange(ArrayVolume(_ARRAY, spacing_um=5, meta={"path": "a"}), slices=(1, 1))
    assert (volume.shape, volume.spacing_um, volume.path) == ((1, 3, 4), (5, 5, 5), "a")
    assert volume.meta["slice_names"] == ["1"]
    assert volume.meta["slices"] == [1, 1]
    np.testing.assert_array_equal(volume.read_all(), _ARRAY[1:])
    named = ArrayVolume(_ARRAY, meta={"slice_names": ["a", "b"]})
    assert SliceRange(named, slices=(0, 0)).meta["slice_names"] == ["a"]
    for wrong in ((0, 2), (-1, 0)):
        with pytest.raises(InputError, match="of a volume that has slices 0 to 1"):
            SliceRange(named, slices=wrong)
