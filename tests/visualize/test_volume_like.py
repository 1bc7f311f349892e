# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.utils import InputError
from tomobundles.visualize.volume_like import check_same_shape, read_slab, relative_spacing, slab_ranges

from .volumes import Boxes


def test_slabs_cover_the_volume_once():
    # a slice of 5 x 8 voxels takes 160 bytes as float32
    assert list(slab_ranges((7, 5, 8), slab_bytes=480)) == [(0, 3), (3, 6), (6, 7)]
    assert list(slab_ranges((2, 5, 8), slab_bytes=1)) == [(0, 1), (1, 2)]
    assert list(slab_ranges((7, 5, 8))) == [(0, 7)]


def test_slab_of_a_volume():
    values = np.arange(24).reshape(4, 3, 2)
    for volume in (Boxes(values), ArrayVolume(values)):
        np.testing.assert_array_equal(read_slab(volume, 1, 3), values[1:3])


def test_shapes_must_agree():
    volume = Boxes(np.zeros((2, 3, 4)))
    check_same_shape(volume, None, Boxes(np.zeros((2, 3, 4))))
    with pytest.raises(InputError, match=r"shape \(2, 3, 4\) and \(2, 3, 5\)"):
        check_same_shape(volume, None, Boxes(np.zeros((2, 3, 5))))


def test_spacing():
    assert relative_spacing(None) == (1, 1, 1)
    assert relative_spacing((5, 2, 1)) == (5.0, 2.0, 1.0)
