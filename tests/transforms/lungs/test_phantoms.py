# SPDX-License-Identifier: Apache-2.0
"""The failures that made the authors of the method mend masks by hand, on simulated chests."""

from functools import cache

import numpy as np
import pytest

from tomobundles.data.phantoms.head import head_volume
from tomobundles.transforms.lungs import find_lungs
from tomobundles.utils import InputError
from tomobundles.utils.world import world_to_voxel

from .chests import dice, on_grid, phantom

FAULTS = [
    None,
    "dense_lung",
    "effusion",
    "feet_first",
    "from_head",
    "padding",
    "small_lung",
    "thick",
    "wide_table",
]


@cache
def _found(fault):
    chest = phantom(fault)
    return chest, find_lungs(chest.hu, chest.affine)


@pytest.mark.parametrize("fault", FAULTS)
def test_both_lungs_are_found(fault):
    chest, found = _found(fault)
    labels = on_grid(found.labels, found.affine, chest.hu.shape, chest.affine)
    for side in (1, 2):
        assert dice(labels == side, chest.lungs == side) > 0.95
    assert (labels[chest.lungs > 0] > 0).mean() > 0.999
    assert found.quality["method"] == "ladder"
    rows, columns, slices = np.rint(world_to_voxel(chest.points[:, :3], chest.affine)).astype(int).T
    assert (labels[rows, columns, slices] > 0).all()


@pytest.mark.parametrize("fault", FAULTS)
def test_warnings_say_what_is_unusual(fault):
    text = " ".join(_found(fault)[1].quality["warnings"])
    assert ("denser than usual" in text) == (fault == "dense_lung")
    assert ("much smaller" in text) == (fault == "small_lung")
    assert ("5.0 mm apart" in text) == (fault == "thick")


def test_a_dense_lung_needs_a_step_up_the_ladder():
    quality = _found("dense_lung")[1].quality
    assert quality["level_hu"] > -400
    assert quality["scores"]["-600"]["total"] < 0.5 < quality["scores"][str(quality["level_hu"])]["total"]


def test_the_head_is_not_lung():
    chest, found = _found("from_head")
    slices = np.flatnonzero((chest.lungs > 0).any(axis=(0, 1)))
    first, last = found.quality["slices"]
    assert abs(first - slices[0]) <= 1
    assert abs(last - slices[-1]) <= 4  # 10 mm


def test_a_head_has_no_lung():
    head = head_volume(seed=0)
    with pytest.raises(InputError, match="no lung"):
        find_lungs(head.hu, np.diag([-1.8, -1.8, 5, 1]))
