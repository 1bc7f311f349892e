# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms import IndexForegroundd, index_foreground
from tomobundles.utils import InputError

from .volumes import Boxes


def test_counts_by_hand():
    label = np.zeros((3, 4, 5), np.uint8)
    label[0, 0, 0] = label[0, 1, 1] = label[2, 3, 4] = 1
    index = index_foreground(Boxes(label), block=2)
    # 2 x 2 x 3 blocks: two voxels in the first one, one in the last
    assert index.grid == (2, 2, 3)
    assert index.upto.tolist() == [2] * 11 + [3]
    assert index.total == 3
    found = [index.voxel(Boxes(label), number) for number in range(3)]
    assert found == [(0, 0, 0), (0, 1, 1), (2, 3, 4)]


@pytest.mark.parametrize("block", [1, 3, 32])
def test_each_labelled_voxel_has_one_number(block):
    label = (np.random.default_rng(0).random((7, 9, 8)) > 0.8).astype(np.uint8)
    index = index_foreground(Boxes(label), block=block)
    found = {index.voxel(Boxes(label), number) for number in range(index.total)}
    assert found == {tuple(place) for place in np.argwhere(label).tolist()}


def test_one_block_is_read_for_a_voxel():
    volume = Boxes(np.ones((10, 10, 10), np.uint8))
    index = index_foreground(volume, block=4)
    volume.boxes.clear()
    index.voxel(volume, 999)
    assert volume.boxes == [(slice(8, 10),) * 3]


def test_no_voxel_is_labelled():
    assert index_foreground(Boxes(np.zeros((3, 3, 3), np.uint8))).total == 0


def test_the_transform_adds_the_index():
    item = IndexForegroundd(block=2)({"label": Boxes(np.ones((3, 3, 3), np.uint8)), "patient": "a"})
    assert item["foreground"].total == 27
    assert item["patient"] == "a"
    assert IndexForegroundd(allow_missing_keys=True)({"patient": "a"}) == {"patient": "a"}


def test_refuses_empty_blocks():
    with pytest.raises(InputError, match="blocks of 0"):
        IndexForegroundd(block=0)
