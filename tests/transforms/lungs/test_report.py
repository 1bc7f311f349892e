# SPDX-License-Identifier: Apache-2.0
import json
import re

import numpy as np
import pytest

from tomobundles.transforms.lungs.body import Body
from tomobundles.transforms.lungs.ladder import Found
from tomobundles.transforms.lungs.report import record
from tomobundles.transforms.lungs.shrink import small_grid

AFFINE = np.array([[0, -2.0, 0, 0], [-2.0, 0, 0, 0], [0, 0, 2.5, 0], [0, 0, 0, 1]])
SHAPE = (40, 60, 100)


def _found(*, right=20, left=20, slices=np.s_[10:90], crop=False, level=-600, gain=1.0):
    sides = np.zeros((100, 40, 60), np.uint8)
    sides[slices, 10:30, 5 : 5 + right] = 1
    sides[slices, 10:30, 32 : 32 + left] = 2
    volumes = {"right": 100.0 * right, "left": 100.0 * left}
    lowest = {side: volume / gain for side, volume in volumes.items()}
    scores = {-600: {"total": 0.9, "volumes_ml": lowest}, level: {"total": 0.9, "volumes_ml": volumes}}
    return Found(sides, level, scores, Body(sides > 0, 30.0, np.full(100, 20.0), crop))


def _warnings(method="ladder", shape=SHAPE, affine=AFFINE, **options):
    return record(method=method, grid=small_grid(shape, affine), found=_found(**options))["warnings"]


def test_healthy_lungs_have_no_warnings_and_json_holds_the_record():
    entry = record(method="ladder", grid=small_grid(SHAPE, AFFINE), found=_found())
    assert json.loads(json.dumps(entry)) == entry
    assert entry["warnings"] == []
    assert entry["slices"] == [10, 89]
    assert entry["volumes_ml"] == {"right": 320, "left": 320}  # 80 x 20 x 20 voxels of 0.01 ml
    assert entry["level_hu"] == -600
    assert list(entry["scores"]) == ["-600"]


def test_slices_are_those_stored():
    thin = AFFINE.copy()
    thin[2, 2] = 1.25
    flipped = thin @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 198], [0, 0, 0, 1.0]])
    for affine in (thin, flipped):  # 80 blocks of two slices, 10 blocks off the end where they start
        grid = small_grid((40, 60, 199), affine)
        assert grid.shape == (40, 60, 100)
        assert record(method="ladder", grid=grid, found=_found())["slices"] == [20, 179]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"left": 0}, "No left lung was found"),
        ({"right": 3}, "The right lung is much smaller than the left"),
        ({"level": -150, "gain": 1.5}, r"denser than usual \(found at -150 HU only\)"),
        ({"slices": np.s_[:90]}, "The bottom of the lungs lies outside"),
        ({"slices": np.s_[10:]}, "The top of the lungs lies outside"),
        ({"method": "body box"}, "the whole body is searched"),
        ({"method": "body box", "crop": True}, "part of the chest only"),
    ],
)
def test_warnings(options, text):
    (warning,) = _warnings(**options)
    assert re.search(text, warning)


def test_a_higher_level_that_finds_no_more_is_no_warning():
    assert _warnings(level=-400, gain=1.1) == []


def test_thick_slices_and_short_scans():
    thick = AFFINE.copy()
    thick[2, 2] = 5
    assert "5.0 mm apart" in record(method="whole image", grid=small_grid(SHAPE, thick))["warnings"][0]
    short = record(method="whole image", grid=small_grid((40, 60, 4), AFFINE))
    assert short["warnings"] == ["The scan covers only 10 mm from feet to head."]
    assert short["slices"] is None
    assert short["level_hu"] is None
