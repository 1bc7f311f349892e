# SPDX-License-Identifier: Apache-2.0
"""Dice of nodule masks, errors of centres and diameters."""

import logging
import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tests.handlers.chest_scans import chest, evaluate, false, hit, run
from tomobundles.handlers import NoduleMaskScore
from tomobundles.utils import InputError


def masked(name, predicted, true, *, spacing=None, **options):
    """A scan with masks of planes 0-5 along rows."""
    item = chest(name, **options)
    for where, planes in ((item, true), (item["pred"], predicted)):
        mask = torch.zeros(1, 6, 4, 4, dtype=torch.uint8)
        mask[0, planes] = 1
        where["mask"] = mask
    if spacing:
        item["mask"] = MetaTensor(item["mask"], affine=np.diag([*spacing, 1.0]))
    return item


def diameter(planes, voxel=1.0):
    return (6 * 16 * planes * voxel / math.pi) ** (1 / 3)


def test_masks():
    """Planes 0-1 against 1-2: Dice 1/2, 1 mm apart, of one size. Planes 0-3 against 0-1: 2 * 2 / 6."""
    scans = [masked("a", [0, 1], [1, 2]), masked("b", [0, 1, 2, 3], [0, 1])]
    state = run(scans, dice=NoduleMaskScore())
    assert state.metrics["dice"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert state.metrics["mask_centre_error_mm"] == pytest.approx(1)
    assert state.metrics["mask_diameter_error_mm"] == pytest.approx((diameter(4) - diameter(2)) / 2)
    assert state.metrics["mask_found"] == 1
    assert [row["dice"] for row in state.mask_rows] == pytest.approx([1 / 2, 2 / 3])
    assert [row["seriesuid"] for row in state.mask_rows] == ["a", "b"]
    assert math.isnan(state.metrics["centre_error_mm"])


def test_voxels_of_another_size():
    state = run([masked("a", [0, 1], [1, 2], spacing=(2.0, 1.0, 1.0))], dice=NoduleMaskScore())
    assert state.metrics["mask_centre_error_mm"] == pytest.approx(2)
    assert state.metrics["mask_diameter_error_mm"] == pytest.approx(0)


def test_a_nodule_that_is_not_segmented():
    state = run([masked("a", [0], [3, 4])], dice=NoduleMaskScore())
    assert (state.metrics["dice"], state.metrics["mask_found"]) == (0, 0)
    assert math.isnan(state.metrics["mask_centre_error_mm"])


def test_candidates_without_masks(caplog):
    """Two hits, 1 and 3 mm off, 1 mm too small and 2 mm too large; a third nodule is missed."""
    scans = [
        chest("a", found=[hit(0.5, offset=1, diameter=7), false(0.9)]),
        chest("b", found=[hit(0.5, offset=3, diameter=10)]),
        chest("c"),
    ]
    with caplog.at_level(logging.WARNING, "tomobundles"):
        metric = NoduleMaskScore()
        for _ in range(2):
            state = run(scans, dice=metric)
    assert (state.metrics["centre_error_mm"], state.metrics["diameter_error_mm"]) == (2, 1.5)
    assert state.metrics["diameter_bias_mm"] == 0.5
    assert math.isnan(state.metrics["dice"])
    assert math.isnan(state.metrics["mask_found"])
    assert [row["centre_error_mm"] for row in state.mask_rows[:2]] == [1, 3]
    assert state.mask_rows[0]["dice"] is None
    assert caplog.text.count("none of the 3 scans has a nodule mask") == 1


def test_one_mask_of_two_does_not_count():
    item = masked("a", [0], [0])
    del item["pred"]["mask"]
    assert math.isnan(run([item], dice=NoduleMaskScore()).metrics["dice"])


def test_in_monais_evaluator():
    state = evaluate([masked("a", [0, 1], [0, 1])], dice=NoduleMaskScore())
    assert state.metrics["dice"] == state.best_metric == 1


def test_compute_and_no_scan():
    metric = NoduleMaskScore()
    with pytest.raises(InputError, match="no scan was evaluated"):
        metric.compute()
    item = masked("a", [0, 1], [1, 2])
    metric.update(({"pred": item["pred"]}, item))
    assert metric.compute() == 0.5
