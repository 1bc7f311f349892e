# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.labels import LabelVolume
from tomobundles.utils import InputError


def _label(values, dtype=np.uint8, **options):
    array = np.zeros((4, 3, 2), dtype)
    array.flat[: len(values)] = values
    return LabelVolume(ArrayVolume(array, meta={"path": "labels"}), **options)


@pytest.mark.parametrize(("dtype", "one"), [(np.uint8, 255), (np.uint8, 1), (bool, 1), (np.float32, 1)])
def test_reads_0_and_1(dtype, one):
    label = _label([0, one, one], dtype)
    values = label.read_all()
    assert values.dtype == label.dtype == np.uint8
    assert values.ravel()[:4].tolist() == [0, 1, 1, 0]
    assert label.check() == 2


def test_no_vessel_is_a_label_too():
    label = _label([])
    assert label.check() == 0
    assert not label.read_all().any()


def test_spacing_only_where_the_file_has_none():
    assert _label([1], spacing_um=50).spacing_um == (50, 50, 50)
    own = LabelVolume(ArrayVolume(np.zeros((1, 1, 1)), spacing_um=25), spacing_um=(50, 50, 50))
    assert own.spacing_um == (25, 25, 25)


@pytest.mark.parametrize(("values", "shown"), [([1, 7, 9], "7, 9"), ([0, 128], "128"), ([0, 0.5], "0.5")])
def test_refuses_other_values_in_boxes_and_in_the_check(values, shown):
    label = _label(values, np.float32)
    with pytest.raises(InputError, match=f"labels\nlabel has the values {shown}"):
        label.read_all()
    with pytest.raises(InputError, match=f"labels\nlabel has the values {shown}"):
        label.check()
    assert not label.read((slice(2, 4), slice(0, 3), slice(0, 2))).any()


def test_refuses_1_and_255_together_even_far_apart():
    label = _label([1, *[0] * 22, 255])
    with pytest.raises(InputError, match="1, 255 besides 0"):
        label.check(voxels=6)
    with pytest.raises(InputError, match="1, 255 besides 0"):
        label.read_all()


def test_many_wrong_values_are_cut_short():
    with pytest.raises(InputError, match=r"2, 3, 4, 5, 6, 7, \.\.\."):
        _label(range(2, 20)).check()


def test_nan_is_no_label():
    with pytest.raises(InputError, match="NaN"):
        _label([np.nan, 1], np.float32).check()
