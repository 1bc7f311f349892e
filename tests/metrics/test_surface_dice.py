# SPDX-License-Identifier: Apache-2.0
"""Surface Dice at tolerance 0: by hand, against MONAI, and slab by slab."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import torch
from monai.metrics import compute_surface_dice

from tomobundles.metrics.radius_bands import encode_bands
from tomobundles.metrics.surface_dice import SurfaceDice, surface_dice
from tomobundles.metrics.thinning import centre_lines

from .vessels import line, tangle, tube


def monai_surface_dice(prediction, reference):
    one_hot = [torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (prediction, reference)]
    options = {"class_thresholds": [0], "include_background": True, "use_subvoxels": True}
    return compute_surface_dice(*one_hot, spacing=[1, 1, 1], **options).item()


def streamed(prediction, reference, *, seed, **options):
    """The accumulator after slabs of random thickness."""
    rng = np.random.default_rng(seed)
    score, start = SurfaceDice(), 0
    while start < len(prediction):
        part = slice(start, start + rng.integers(1, 6))
        score.update(prediction[part], reference[part], **{k: v[part] for k, v in options.items()})
        start = part.stop
    return score


def random_pair(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 15, 3)
    return [rng.random(shape) < rng.uniform(0.02, 0.98) for _ in range(2)]


def shifted_tangle(seed):
    rng = np.random.default_rng(seed)
    mask = tangle((14, 18, 16), seed=seed)
    other = np.roll(mask, rng.integers(-1, 2, 3), axis=(0, 1, 2))
    other[rng.random(mask.shape) < 0.02] ^= True
    return [other, mask]


def at_the_border(seed):
    """Blocks that touch faces, edges and corners of the volume, and whole slices."""
    rng = np.random.default_rng(seed)
    pair = [np.zeros((7, 8, 9), dtype=bool) for _ in range(2)]
    for mask in pair:
        for axis in range(3):
            index = [slice(None)] * 3
            index[axis] = (
                slice(0, rng.integers(0, 3)) if rng.random() < 0.5 else slice(-rng.integers(1, 3), None)
            )
            index[(axis + 1) % 3] = slice(rng.integers(0, 3), None)
            mask[tuple(index)] = True
    return pair


CASES = [(make, seed) for make in (random_pair, shifted_tangle, at_the_border) for seed in range(20)]


@pytest.mark.parametrize(("make", "seed"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_equals_monai(make, seed):
    prediction, reference = make(seed)
    expected = monai_surface_dice(prediction, reference)
    assert surface_dice(prediction, reference) == pytest.approx(expected, abs=1e-6)
    assert streamed(prediction, reference, seed=seed).compute() == surface_dice(prediction, reference)


def test_by_hand():
    # A voxel has a corner in 8 cubes, each cut by a triangle of sides 1 / sqrt 2: sqrt 3 / 8. Two voxels side
    # by side: 4 + 4 such cubes at the ends, and 4 between them, cut by a rectangle of 1 by 1 / sqrt 2.
    # The first voxel's 8 cubes are those of one end and those between: only the other end is not common.
    one, two = math.sqrt(3), math.sqrt(3) + 4 * math.sqrt(0.5)
    prediction = line((1, 1, 1), shape=(3, 3, 4))
    reference = line((1, 1, 1), (1, 1, 2), shape=(3, 3, 4))
    expected = (one + two - math.sqrt(3) / 2) / (one + two)
    assert surface_dice(prediction, reference) == pytest.approx(expected, rel=1e-6)
    # along another axis, in the corner of the volume, in other types, the other way round: the same
    turned = [np.moveaxis(mask, 2, 0)[1:, 1:, 1:] for mask in (reference, prediction)]
    assert surface_dice(turned[0] * np.int16(255), turned[1] > 0) == pytest.approx(expected, rel=1e-6)


def test_empty_masks():
    empty, full = np.zeros((2, 3, 4), np.uint8), np.ones((2, 3, 4), np.uint8)
    assert surface_dice(empty, empty) == 1
    assert surface_dice(empty, full) == surface_dice(full, empty) == 0
    assert surface_dice(full, full) == 1  # its surface is the volume's border


def test_a_shift_costs_about_half():
    # reference figures of tubes with radius 3, shifted by one voxel across: 0.58
    mask = tube((24, 20, 20), radius=3)
    assert surface_dice(np.roll(mask, 1, axis=2), mask) == pytest.approx(0.58, abs=0.05)


def test_areas_by_slice_add_up():
    prediction, reference = shifted_tangle(3)
    areas = streamed(prediction, reference, seed=1).by_slice()
    assert areas.shape == (14, 2)
    common, whole = areas.sum(axis=0)
    assert common / whole == surface_dice(prediction, reference)
    # a voxel in the last slice: half of its surface before it, half behind it, all in that slice's row
    voxel = line((2, 0, 0), shape=(3, 1, 1))
    np.testing.assert_allclose(
        streamed(voxel, voxel, seed=0).by_slice(), [[0, 0], [0, 0], [2 * math.sqrt(3)] * 2], rtol=1e-6
    )


def test_computing_does_not_end_the_volume():
    prediction, reference = shifted_tangle(5)
    score = SurfaceDice()
    for part in (slice(0, 6), slice(6, None)):
        score.update(prediction[part], reference[part])
        score.compute()
    assert score.compute() == surface_dice(prediction, reference)


def test_region_leaves_cubes_out():
    # two voxels far apart, one of them missed; the region holds the other one and its neighbours
    reference = line((1, 1, 1), (1, 1, 6), shape=(3, 3, 8))
    prediction = line((1, 1, 1), shape=(3, 3, 8))
    assert surface_dice(prediction, reference) == pytest.approx(2 / 3)
    region = np.zeros((3, 3, 8), np.uint8)
    region[:, :, :4] = 1
    assert streamed(prediction, reference, seed=0, region=region).compute() == 1
    assert streamed(prediction, reference, seed=0, region=1 - region).compute() == 0
    assert streamed(prediction, reference, seed=0, region=0 * region).compute() == 1  # nothing to score
    everything = streamed(prediction, reference, seed=0, region=np.ones_like(region))
    assert everything.compute() == surface_dice(prediction, reference)


def test_bands_share_the_whole():
    """Areas of the bands add up; each is the score of its own vessel where they do not touch."""
    thin, thick = (
        tube((20, 30, 30), radius=1.5, centre=(0, 6, 6)),
        tube((20, 30, 30), radius=5, centre=(0, 20, 20)),
    )
    reference = thin | thick
    prediction = np.roll(thin, 1, axis=2) | thick
    lines = centre_lines(prediction), centre_lines(reference)
    codes = encode_bands(prediction, reference, lines=lines, core=slice(0, 20), edges=(0, 3, np.inf))
    score = SurfaceDice(num_bands=2)
    for part in (slice(0, 9), slice(9, 20)):
        score.update(prediction[part], reference[part], bands=codes[part])
    assert score.compute() == surface_dice(prediction, reference)
    expected = surface_dice(np.roll(thin, 1, axis=2), thin), 1.0
    np.testing.assert_allclose(score.by_band(), expected, rtol=1e-12)


def test_a_band_without_surface_is_nan():
    mask = line((0, 0, 0), shape=(1, 1, 1))
    score = SurfaceDice(num_bands=3)
    score.update(mask, mask, bands=mask * 5)  # code 5 of 3 bands: the reference's second
    np.testing.assert_array_equal(score.by_band(), [np.nan, 1, np.nan])


def test_memory_does_not_grow():
    mask = np.zeros((4, 200, 200), np.uint8)
    mask[:, 50:60, 50:60] = 1
    score = SurfaceDice()
    peaks = []
    for _ in range(2):
        tracemalloc.start()
        for _ in range(20):
            score.update(mask, mask)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] < 2_000_000  # some planes of 40 kB


def test_bad_slabs_are_refused():
    mask = np.zeros((2, 3, 4), np.uint8)
    with pytest.raises(ValueError, match=r"\(2, 3, 4\), \(2, 3, 5\)"):
        surface_dice(mask, np.zeros((2, 3, 5)))
    with pytest.raises(ValueError, match="must be"):
        surface_dice(mask[0], mask[0])
    with pytest.raises(ValueError, match="no slices"):
        SurfaceDice().compute()
    with pytest.raises(ValueError, match="num_bands > 0"):
        SurfaceDice(num_bands=1).update(mask, mask)
    score = SurfaceDice()
    score.update(mask, mask)
    with pytest.raises(ValueError, match=r"\(3, 3\) follow slices of another size"):
        score.update(mask[..., :3], mask[..., :3])
