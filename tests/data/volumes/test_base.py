# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.volumes.base import ArrayVolume, checked_box, checked_spacing, full_box, slabs
from tomobundles.data.volumes.threshold import ThresholdVolume
from tomobundles.utils import InputError

_ARRAY = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)


def test_a_box_is_the_readers_own_copy():
    volume = ArrayVolume(_ARRAY.transpose(0, 2, 1), spacing_um=50, meta={"path": "a/b"})
    part = volume.read((slice(1, 2), slice(None), slice(0, 2)))
    np.testing.assert_array_equal(part, [[[12, 16], [13, 17], [14, 18], [15, 19]]])
    assert part.flags.c_contiguous
    part[:] = 0
    assert volume.read_all()[1, 0, 0] == 12
    assert volume.spacing_um == (50.0, 50.0, 50.0)
    assert volume.path == "a/b"
    assert ArrayVolume(_ARRAY).path == ""
    assert ArrayVolume(_ARRAY).spacing_um is None


@pytest.mark.parametrize("shape", [(2, 3), (2, 0, 3)])
def test_a_volume_has_three_axes(shape):
    with pytest.raises(InputError, match="volume of shape"):
        ArrayVolume(np.zeros(shape))


@pytest.mark.parametrize(
    "box",
    [
        (slice(0, 3), slice(0, 3), slice(0, 4)),
        (slice(1, 1), slice(0, 3), slice(0, 4)),
        (slice(-1, 2), slice(0, 3), slice(0, 4)),
        (slice(0, 2, 2), slice(0, 3), slice(0, 4)),
    ],
)
def test_boxes_outside(box):
    with pytest.raises(IndexError, match="does not lie in a volume"):
        ArrayVolume(_ARRAY).read(box)


def test_a_box_has_three_sides():
    with pytest.raises(IndexError, match="three slices"):
        checked_box((slice(0, 1),), (2, 3, 4))
    assert checked_box((slice(None), slice(1, None), slice(0, 2, 1)), (2, 3, 4)) == (
        slice(0, 2),
        slice(1, 3),
        slice(0, 2),
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("thickness", [1, 2, 5])
def test_slabs_cover_each_voxel_once(axis, thickness):
    count = np.zeros((5, 3, 4), int)
    for box in slabs(count.shape, thickness=thickness, axis=axis):
        count[box] += 1
        assert 1 <= box[axis].stop - box[axis].start <= thickness
    assert (count == 1).all()
    assert full_box((5, 3, 4)) == (slice(0, 5), slice(0, 3), slice(0, 4))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_names_the_file_and_the_slice(value):
    array = np.zeros((3, 2, 2), np.float32)
    array[2, 1, 0] = value
    volume = ArrayVolume(array, meta={"path": "kidney", "slice_names": ["0007", "0008", "0009"]})
    assert volume.read((slice(0, 2), slice(None), slice(None))).shape == (2, 2, 2)
    with pytest.raises(InputError, match=r"(?s)kidney.*NaN or infinite values, first in slice 0009"):
        volume.read((slice(1, 3), slice(None), slice(None)))
    with pytest.raises(InputError, match=r"^NaN or infinite values, first in slice 2"):
        ArrayVolume(array).read_all()


@pytest.mark.parametrize("spacing", [0, -1.0, np.nan, [50, 50], [50, 50, 0], [[50, 50, 50]]])
def test_voxel_sizes_that_are_none(spacing):
    with pytest.raises(InputError, match="voxel size"):
        checked_spacing(spacing)


def test_voxel_sizes():
    assert checked_spacing(None) is None
    assert checked_spacing(5) == (5.0, 5.0, 5.0)
    assert checked_spacing([5, 2, 1]) == (5.0, 2.0, 1.0)


def test_threshold_counts_what_reaches_it():
    probability = ArrayVolume(np.array([[[0.0, 0.4999, 0.5, 1.0]]], np.float32), spacing_um=50)
    mask = ThresholdVolume(probability, threshold=0.5)
    assert mask.dtype == np.uint8
    assert mask.spacing_um == (50.0, 50.0, 50.0)
    assert mask.read_all().tolist() == [[[0, 0, 1, 1]]]
    assert mask.random_access
