# SPDX-License-Identifier: Apache-2.0
"""All scores in one walk."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.metrics.cldice import cldice
from tomobundles.metrics.surface_dice import surface_dice
from tomobundles.metrics.vessel_counts import DiceCounts
from tomobundles.metrics.vessel_scores import VesselScores, vessel_scores
from tomobundles.utils import InputError

from .vessels import Array, tangle, tube

SHAPE = (30, 36, 32)


@pytest.fixture(scope="module")
def pair():
    """Probabilities and a reference."""
    rng = np.random.default_rng(0)
    reference = tangle(SHAPE, seed=3)
    probability = np.clip(0.7 * np.roll(reference, 1, axis=1) + rng.normal(0, 0.12, SHAPE), 0, 1)
    return probability.astype(np.float32), reference.astype(np.uint8)


def assert_same(found, expected, keys):
    for key in keys:
        assert found[key] == pytest.approx(expected[key], nan_ok=True), key


def test_parts_agree_with_their_functions(pair):
    probability, reference = pair
    mask = probability >= 0.4
    counts = DiceCounts()
    counts.update(mask, reference)
    found = VesselScores(threshold=0.4, slab=30).score(Array(probability), Array(reference))
    assert found["surface_dice"] == surface_dice(mask, reference)
    assert found["cldice"] == cldice(mask, reference)
    assert_same(found, counts.compute(), ["dice", "precision", "recall"])
    assert found["predicted_voxels"] == mask.sum()
    assert found["reference_voxels"] == reference.sum()
    assert found["threshold"] == 0.4
    assert json.loads(json.dumps(found))["dice"] == found["dice"]  # plain numbers


def test_a_small_volume_in_memory(pair):
    found = vessel_scores(*pair, threshold=0.4)
    expected = VesselScores(threshold=0.4, slab=30, bands=None).score(*map(Array, pair))
    assert found == {key: value for key, value in expected.items() if key != "slabs"}
    assert "bands" not in found


@pytest.mark.parametrize(("slab", "halo"), [(7, 8), (16, 16)])
def test_slabs_change_little(pair, slab, halo):
    volumes = [ArrayVolume(array) for array in pair]
    whole = VesselScores(slab=30).score(*volumes)
    found = VesselScores(slab=slab, halo=halo).score(*volumes)
    exact = ["surface_dice", "dice", "precision", "recall", "predicted_voxels", "reference_voxels"]
    assert {key: found[key] for key in exact} == {key: whole[key] for key in exact}
    assert found["cldice"] == pytest.approx(whole["cldice"], abs=0.02)
    for row, expected in zip(found["bands"], whole["bands"], strict=True):
        assert row["recall"] == pytest.approx(expected["recall"], abs=0.05, nan_ok=True)


def test_slab_rows(pair):
    probability, reference = pair
    rows = VesselScores(per_slab=12, bands=None).score(Array(probability), Array(reference))["slabs"]
    assert [(row["first_slice"], row["last_slice"]) for row in rows] == [(0, 11), (12, 23), (24, 29)]
    assert sum(row["reference_voxels"] for row in rows) == reference.sum()
    counts = DiceCounts()
    counts.update(probability[12:24] >= 0.5, reference[12:24])
    assert_same(rows[1], counts.compute(), ["dice", "precision", "recall"])
    assert 0 < rows[1]["surface_dice"] < 1
    assert 0 < rows[1]["cldice"] <= 1


def test_rows_of_nothing_are_nan():
    mask = np.zeros((4, 3, 3), np.uint8)
    mask[3, 1, 1] = 1
    found = VesselScores(per_slab=2).score(Array(mask), Array(mask))
    assert found["surface_dice"] == found["cldice"] == 1
    empty, full = found["slabs"]
    for key in ("surface_dice", "dice", "precision", "recall", "cldice"):
        assert math.isnan(empty[key])
        assert full[key] == 1


def test_bands_tell_thin_from_thick():
    thin, thick = (
        tube((20, 40, 40), radius=1.5, centre=(0, 8, 8)),
        tube((20, 40, 40), radius=6, centre=(0, 25, 25)),
    )
    false_branch = tube((20, 40, 40), radius=1.5, centre=(0, 8, 32))
    found = VesselScores(bands=(3,)).score(Array(thick | false_branch), Array(thin | thick))
    low, high = found["bands"]
    assert (low["band"], high["band"]) == ("0-3 voxels", "3 voxels and more")
    assert (low["recall"], low["surface_dice"], low["centre_line_recall"]) == (0, 0, 0)
    assert (low["reference_voxels"], low["predicted_voxels"]) == (thin.sum(), false_branch.sum())
    assert (high["dice"], high["surface_dice"], high["centre_line_recall"]) == (1, 1, 1)


def test_bands_in_micrometres():
    thin = tube((20, 16, 16), radius=1.5)
    options = {"bands": (1,), "bands_um": (100,)}
    found = VesselScores(**options).score(Array(thin), Array(thin, spacing_um=(50, 50, 50)))
    assert [row["reference_voxels"] for row in found["bands"]] == [thin.sum(), 0]
    assert found["bands"][0]["band"] == "0-100 um"
    without_size = VesselScores(**options).score(Array(thin), Array(thin))
    assert [row["reference_voxels"] for row in without_size["bands"]] == [0, thin.sum()]
    assert without_size["bands"][0]["radius_unit"] == "voxels"


def test_parts_can_be_left_out(pair):
    found = VesselScores(cldice=False, bands=None).score(*map(Array, pair))
    assert not {"cldice", "bands"} & set(found)
    assert "cldice" not in found["slabs"][0]
    bands_alone = VesselScores(cldice=False).score(*map(Array, pair))
    assert len(bands_alone["bands"]) == 4
    assert "cldice" not in bands_alone


def test_region(pair):
    probability, reference = pair
    region = np.zeros(SHAPE, np.uint8)
    region[:, :18] = 1
    for options in ({}, {"slab": 4}):
        found = VesselScores(**options).score(*map(Array, pair), region=Array(region))
        assert found["reference_voxels"] == reference[:, :18].sum()
        assert sum(row["reference_voxels"] for row in found["bands"]) == reference[:, :18].sum()
        assert sum(row["predicted_voxels"] for row in found["bands"]) == (probability[:, :18] >= 0.5).sum()


class Repeated:
    """A tube of any length."""

    mask = tube((1, 128, 128), radius=3).astype(np.uint8)

    def __init__(self, slices):
        self.shape = (slices, 128, 128)

    def read(self, box):
        return np.repeat(self.mask, box[0].stop - box[0].start, axis=0)


def test_memory_is_that_of_a_slab():
    peaks = []
    for slices in (32, 64):
        tracemalloc.start()
        VesselScores(slab=8, halo=4).score(Repeated(slices), Repeated(slices))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 15 * 16 * 128 * 128  # bytes a voxel of a slab with its margin


def test_bad_input_is_refused(pair):
    probability, reference = pair
    for threshold in (0, 1.1, math.nan):
        with pytest.raises(InputError, match="threshold"):
            VesselScores(threshold=threshold)
    with pytest.raises(InputError, match="rows of 0 slices"):
        VesselScores(per_slab=0)
    with pytest.raises(InputError, match="radius bands"):
        VesselScores(bands_um=(4, 2))
    with pytest.raises(InputError, match="are to be compared"):
        VesselScores().score(Array(probability), Array(reference[1:]))
    broken = probability.copy()
    broken[20] = np.nan
    with pytest.raises(InputError, match="probabilities from nan"):
        VesselScores().score(Array(broken), Array(reference))
