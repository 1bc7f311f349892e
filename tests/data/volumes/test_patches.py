# SPDX-License-Identifier: Apache-2.0
"""Visits of an epoch by annotated voxels; patches no larger than the volumes."""

from collections import Counter

import numpy as np
import pytest

from tomobundles.data import fitting_patch, patch_items
from tomobundles.utils import InputError


@pytest.fixture
def items(tmp_path):
    """Volumes of 1, 2 and 4 times 1,000 voxels."""
    found = []
    for name, slices in (("a", 10), ("b", 20), ("c", 40)):
        np.save(tmp_path / f"{name}.npy", np.zeros((slices, 10, 10), np.uint8))
        found.append({"image": str(tmp_path / f"{name}.npy"), "name": name})
    return found


def _counts(items):
    return dict(Counter(item["name"] for item in items))


def test_visits_follow_the_voxels(items):
    assert _counts(patch_items(items, patches=70)) == {"a": 10, "b": 20, "c": 40}
    assert _counts(patch_items(items, patches=70, patches_per_visit=2)) == {"a": 5, "b": 10, "c": 20}


def test_shares_are_rounded_to_the_number_asked_for(items):
    # 16 visits are 2.29, 4.57 and 9.14: what is left after 2, 4 and 9 goes to b
    assert _counts(patch_items(items, patches=16)) == {"a": 2, "b": 5, "c": 9}
    # 3 patches of 2 a visit are 2 visits, but each volume has one
    assert _counts(patch_items(items, patches=3, patches_per_visit=2)) == {"a": 1, "b": 1, "c": 1}


def test_a_sparse_annotation_is_visited_less(items):
    items[2]["annotated_fraction"] = 0.5
    assert _counts(patch_items(items, patches=50)) == {"a": 10, "b": 20, "c": 20}


def test_items_are_the_same_objects(items):
    assert {id(item) for item in patch_items(items, patches=70)} == {id(item) for item in items}


@pytest.mark.parametrize("options", [{"patches": 0}, {"patches": 2, "patches_per_visit": 0}])
def test_numbers_that_are_not_positive(options, items):
    with pytest.raises(InputError, match="patches an epoch"):
        patch_items(items, **options)


def test_an_epoch_of_less_than_a_batch(items):
    assert len(patch_items(items, patches=8, batch_size=8)) == 8
    with pytest.raises(InputError, match="7 patches an epoch do not fill a batch of 8"):
        patch_items(items, patches=7, batch_size=8)


def test_a_patch_is_at_most_as_large_as_the_largest_volume(items):
    # 40 slices are the longest extent: 64 is the multiple of 32 that holds them
    assert fitting_patch(items, largest=[512, 512]) == [64, 64]
    assert fitting_patch(items, largest=[512, 33]) == [64, 64]
    assert fitting_patch(items, largest=[32, 20]) == [32, 32]


def test_at_another_voxel_size_the_extent_is_another(items):
    options = {"largest": [512, 512], "target_spacing": 25}
    assert fitting_patch(items, spacing_um=50, **options) == [96, 96]  # 40 slices become 80
    assert fitting_patch(items, **options) == [64, 64]  # no voxel size is known: opening refuses that
    items[2]["spacing_um"] = [100, 50, 50]
    assert fitting_patch(items, spacing_um=50, **options) == [160, 160]


def test_axes_of_a_file_and_part_of_a_volume(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((20, 40, 100), np.uint8))
    item = {"image": str(tmp_path / "v.npy"), "slices": [0, 9]}
    assert fitting_patch([item], largest=[512, 512], axes="XYZ") == [64, 64]  # 10 of 100 slices of 40 x 20


@pytest.mark.parametrize("largest", [[0, 64], [64], [64, 64, 64]])
def test_sizes_that_are_no_patch(largest, items):
    with pytest.raises(InputError, match="patch_size"):
        fitting_patch(items, largest=largest)
