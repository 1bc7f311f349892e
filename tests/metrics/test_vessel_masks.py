# SPDX-License-Identifier: Apache-2.0
"""Volumes in slabs, probabilities and labels as masks."""

import numpy as np
import pytest

from tomobundles.metrics.vessel_masks import (
    MaskVolume,
    ProbabilityVolume,
    binary_mask,
    occupied_voxels,
    walk_slabs,
)
from tomobundles.utils import InputError

from .vessels import Array

NUMBERS = np.arange(10 * 2 * 3).reshape(10, 2, 3)
BOX = (slice(0, 1), slice(0, 1), slice(0, 4))


def row(*values, dtype):
    return Array(np.array(values, dtype).reshape(1, 1, -1), path="kidney_1/labels")


@pytest.mark.parametrize("slab", [1, 3, 4, 10, 99])
@pytest.mark.parametrize("halo", [0, 1, 5, 20])
def test_slabs_cover_the_volume_once(slab, halo):
    volume = Array(NUMBERS)
    cores = []
    for part in walk_slabs([volume, None], slab=slab, halo=halo):
        array, nothing = part.arrays
        assert nothing is None
        low, high = max(0, part.start - halo), min(10, part.stop + halo)
        np.testing.assert_array_equal(array, NUMBERS[low:high])
        np.testing.assert_array_equal(array[part.core], NUMBERS[part.start : part.stop])
        cores.append(array[part.core])
    np.testing.assert_array_equal(np.concatenate(cores), NUMBERS)
    assert volume.slices_read == 10


def test_bad_walks_are_refused():
    other = Array(NUMBERS[:9], path="kidney_1/labels")
    with pytest.raises(InputError, match=r"kidney_1/labels\n.*\(10, 2, 3\) and \(9, 2, 3\)"):
        next(walk_slabs([Array(NUMBERS), other], slab=1))
    with pytest.raises(InputError, match="slabs of 0 slices"):
        next(walk_slabs([Array(NUMBERS)], slab=0))
    with pytest.raises(InputError, match="margin of -1"):
        next(walk_slabs([Array(NUMBERS)], slab=1, halo=-1))


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (row(0, 0.4, 0.5, 1, dtype=np.float32), [0, 0, 1, 1]),
        (row(0, 0.25, 0.5, 1.0005, dtype=np.float16), [0, 0, 1, 1]),  # a sum of rounded numbers
        (row(0, 1, 0, 1, dtype=np.uint8), [0, 1, 0, 1]),
        (row(0, 255, 0, 255, dtype=np.uint16), [0, 1, 0, 1]),
        (row(0, 1, 1, 0, dtype=bool), [0, 1, 1, 0]),
    ],
)
def test_masks(volume, expected):
    mask = MaskVolume(volume, threshold=0.5)
    assert mask.shape == (1, 1, 4)
    values = mask.read(BOX)
    assert values.dtype == np.uint8
    assert values.ravel().tolist() == expected


def test_probabilities_come_as_they_are():
    values = ProbabilityVolume(row(0, 0.25, 1, dtype=np.float32)).read(BOX)
    assert values.dtype == np.float32
    assert values.ravel().tolist() == [0, 0.25, 1]


def test_other_values_are_refused():
    for values in ([0, np.nan], [0, 1.5], [-0.5, 0]):
        for wrapper in (MaskVolume, ProbabilityVolume):
            with pytest.raises(InputError, match=r"kidney_1/labels\nprobabilities from"):
                wrapper(row(*values, dtype=np.float32)).read(BOX)
    with pytest.raises(InputError, match="a mask with the values 0, 2, 255"):
        MaskVolume(row(0, 2, 255, dtype=np.uint8)).read(BOX)
    with pytest.raises(InputError, match="a mask with the values -1, 1"):
        MaskVolume(row(-1, 1, dtype=np.int16)).read(BOX)
    with pytest.raises(InputError, match="probabilities of type uint8"):
        ProbabilityVolume(row(0, 1, dtype=np.uint8)).read(BOX)


def test_occupied_voxels():
    mask = np.random.default_rng(0).random((4, 5, 6)) < 0.3
    for array in (mask, mask.astype(np.uint8)[1:3], mask.transpose(2, 0, 1)):
        np.testing.assert_array_equal(occupied_voxels(array), np.argwhere(array))
    assert occupied_voxels(mask & False).shape == (0, 3)


def test_a_bool_array_is_not_copied():
    array = np.array([True, False])
    assert np.shares_memory(binary_mask(array), array)
    assert binary_mask(np.array([0, -3, 7])).tolist() == [0, 1, 1]
