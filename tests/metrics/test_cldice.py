# SPDX-License-Identifier: Apache-2.0
"""Centre-line Dice by hand and slab by slab."""

import numpy as np
import pytest

from tomobundles.metrics.cldice import ClDice, cldice, cldice_of_counts
from tomobundles.metrics.thinning import centre_lines

from .vessels import line, tangle, tube


def slabbed(prediction, reference, *, slab, halo, region=None):
    score = ClDice()
    for start in range(0, len(prediction), slab):
        low, high = max(0, start - halo), min(start + slab + halo, len(prediction))
        core = slice(start - low, min(start + slab, len(prediction)) - low)
        part = None if region is None else region[low:high]
        score.update(prediction[low:high], reference[low:high], core=core, region=part)
    return score


def test_a_gap_costs_sensitivity():
    # a line of ten voxels, which is its own skeleton; the prediction lacks three in the middle
    reference = line(*[(index, 2, 2) for index in range(10)], shape=(10, 5, 5))
    prediction = reference.copy()
    prediction[4:7] = 0
    score = ClDice()
    score.update(prediction, reference)
    found = score.compute()
    assert found["cldice_precision"] == 1
    assert found["cldice_sensitivity"] == pytest.approx(0.7)
    assert found["cldice"] == pytest.approx(1.4 / 1.7)
    assert cldice(reference, prediction) == pytest.approx(1.4 / 1.7)  # now a false piece: precision
    assert score.by_slice().tolist() == [[1, 1, 1, 1]] * 4 + [[0, 0, 0, 1]] * 3 + [[1, 1, 1, 1]] * 3


def test_thickness_costs_nothing():
    shape = (20, 21, 21)
    thin, thick = tube(shape, radius=1.5), tube(shape, radius=5)
    assert cldice(thick, thin) == cldice(thin, thick) == 1
    assert cldice(np.roll(thin, 7, axis=1), thin) == 0


def test_empty_masks():
    empty, full = np.zeros((3, 3, 3)), np.ones((3, 3, 3))
    assert cldice(empty, empty) == 1
    assert cldice(empty, full) == cldice(full, empty) == 0
    assert all(np.isnan(value) for value in cldice_of_counts(0, 0, 0, 0).values())


@pytest.mark.parametrize("seed", range(3))
def test_slabs_come_close_to_the_whole(seed):
    reference = tangle((48, 40, 40), seed=seed)
    prediction = np.roll(reference, 2, axis=1)
    whole = cldice(prediction, reference)
    assert slabbed(prediction, reference, slab=48, halo=0).compute()["cldice"] == whole
    for slab, tolerance in ((16, 0.02), (7, 0.03)):
        found = slabbed(prediction, reference, slab=slab, halo=8).compute()["cldice"]
        assert found == pytest.approx(whole, abs=tolerance)


def test_region():
    reference = line(*[(index, 2, 2) for index in range(10)], shape=(10, 5, 5))
    prediction = reference.copy()
    prediction[4:] = 0
    region = np.zeros((10, 5, 5), np.uint8)
    region[:5] = 1
    score = slabbed(prediction, reference, slab=3, halo=2, region=region)
    assert score.compute()["cldice_sensitivity"] == pytest.approx(4 / 5)


def test_lines_can_be_given():
    reference = tube((9, 9, 9), radius=2)
    score = ClDice()
    lines = np.zeros_like(reference), centre_lines(reference)
    score.update(reference, reference, lines=lines)
    assert score.compute() == {"cldice": 0, "cldice_precision": 0, "cldice_sensitivity": 1}


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 3, 4\), \(2, 3, 5\)"):
        cldice(np.zeros((2, 3, 4)), np.zeros((2, 3, 5)))
    with pytest.raises(ValueError, match="must be"):
        cldice(np.zeros((3, 4)), np.zeros((3, 4)))
