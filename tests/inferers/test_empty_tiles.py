# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from tomobundles.inferers.empty_tiles import EmptyTiles
from tomobundles.utils.blocks import labelled_blocks, surrounding_gray


def test_surroundings_by_hand():
    plane = torch.zeros(1, 5, 6)
    plane[0, 0, 0] = 4  # block (0, 0) of 2 x 2: mean 1
    plane[0, 4, 5] = 3  # block (2, 2) of the last row: 1 x 2, mean 1.5
    found = surrounding_gray(plane, block=2, reach=0)[0]
    assert found.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1.5]]
    found = surrounding_gray(plane, block=2, reach=1)[0]
    assert found.tolist() == [[1, 1, 0], [1, 1.5, 1.5], [0, 1.5, 1.5]]


def test_labelled_blocks_by_hand():
    label = torch.zeros(1, 3, 4, dtype=torch.uint8)
    label[0, 2, 1] = 255
    assert labelled_blocks(label, block=2).tolist() == [[[False, False], [True, False]]]


def test_the_centre_slice_decides():
    stacks = torch.zeros(1, 3, 16, 16)
    stacks[0, 0] = stacks[0, 2] = 1
    skip = EmptyTiles(threshold=0.5)
    assert not skip.tissue(stacks).any()
    stacks[0, 1] = 1
    assert skip.tissue(stacks).all()


@pytest.mark.parametrize("seed", range(20))
def test_no_tile_with_a_labelled_voxel_is_empty(seed):
    """The threshold of the labels themselves, the least that is safe, on noise, for random tiles."""
    generator = np.random.default_rng(seed)
    grays = torch.from_numpy(generator.random((3, 1, 45, 38), dtype=np.float32))
    label = torch.from_numpy(generator.random((3, 45, 38)) < 0.002)
    around = surrounding_gray(grays[:, 0], block=4, reach=1)
    skip = EmptyTiles(threshold=float(around[labelled_blocks(label, block=4)].min()), block=4, reach=1)
    tissue = skip.tissue(grays)
    for _ in range(50):
        top, left = generator.integers(0, 40), generator.integers(0, 33)
        window = (slice(top, generator.integers(top + 1, 46)), slice(left, generator.integers(left + 1, 39)))
        kept = torch.zeros(3, dtype=torch.bool)
        kept[skip.kept(tissue, window)] = True
        assert not (label[(slice(None), *window)].flatten(1).any(dim=1) & ~kept).any()


def test_nan_is_not_empty_and_no_threshold_keeps_all():
    stacks = torch.full((1, 1, 8, 8), float("nan"))
    assert EmptyTiles(threshold=0.5).tissue(stacks).all()
    skip = EmptyTiles(threshold=None)
    assert skip.kept(skip.tissue(stacks), (slice(0, 8), slice(0, 8))) == slice(None)


def test_bad_sizes():
    for options in ({"block": 0}, {"reach": -1}):
        with pytest.raises(ValueError, match="block must be positive"):
            EmptyTiles(threshold=0, **options)
