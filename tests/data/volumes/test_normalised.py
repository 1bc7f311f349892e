# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.normalised import NormalisedVolume
from tomobundles.utils import InputError


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int32, np.float64])
def test_soft_tails_by_hand(dtype):
    # x = (gray - 100) / 200: 0, 1, 0.5, then 2 -> 1 + 0.01 * 1, and -0.5 -> -0.005
    grays = np.array([100, 300, 200, 500, 0], dtype).reshape(1, 1, 5)
    volume = NormalisedVolume(ArrayVolume(grays, spacing_um=50), low=100, high=300)
    values = volume.read_all()
    assert values.dtype == volume.dtype == np.float32
    assert values.ravel().tolist() == pytest.approx([0.0, 1.0, 0.5, 1.01, -0.005])
    assert volume.spacing_um == (50.0, 50.0, 50.0)


def test_slopes_of_nothing_and_of_one():
    source = ArrayVolume(np.array([[[-1.0, 0.0, 3.0]]]))
    assert NormalisedVolume(source, low=0, high=1, slope=0).read_all().ravel().tolist() == [0, 0, 1]
    assert NormalisedVolume(source, low=0, high=1, slope=1).read_all().ravel().tolist() == [-1, 0, 3]


def test_large_integers_keep_their_differences():
    source = ArrayVolume(np.array([[[2**30, 2**30 + 1, 2**30 + 2]]], np.int32))
    values = NormalisedVolume(source, low=2**30, high=2**30 + 2).read_all()
    assert values.ravel().tolist() == [0.0, 0.5, 1.0]


def test_boxes_and_random_access_follow_the_source():
    source = ArrayVolume(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    source.random_access = False
    volume = NormalisedVolume(source, low=0, high=59)
    box = (slice(1, 3), slice(0, 2), slice(2, 5))
    assert np.array_equal(volume.read(box), volume.read_all()[box])
    assert not volume.random_access
    assert source.array.max() == 59


@pytest.mark.parametrize(
    "options", [{"low": 1, "high": 1}, {"low": 0, "high": np.inf}, {"low": 0, "high": 1, "slope": 2}]
)
def test_refuses_no_range(options):
    with pytest.raises(InputError, match="grays from"):
        NormalisedVolume(ArrayVolume(np.zeros((1, 1, 1))), **options)
