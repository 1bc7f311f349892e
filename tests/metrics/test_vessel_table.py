# SPDX-License-Identifier: Apache-2.0
"""Volume, length, density and radius of vessels."""

import math

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.metrics.vessel_table import vessel_table
from tomobundles.utils import InputError

from .vessels import Array, line, tangle


@pytest.fixture
def thread():
    """A line of eleven voxels along the rows, 10 steps long, and a lone voxel without length."""
    return line(*[(1, 2, index) for index in range(2, 13)], (4, 4, 14), shape=(5, 6, 15))


def test_by_hand_in_millimetres(thread):
    table = vessel_table(Array(thread, spacing_um=(50, 20, 100)))
    volume = 5 * 6 * 15 * 1e-4  # a voxel of 0.05 x 0.02 x 0.1 mm has 1e-4 mm3
    histogram = table.pop("radius_histogram")
    assert table == {
        "volume_mm3": pytest.approx(volume),
        "vessel_volume_mm3": pytest.approx(12e-4),
        "vessel_fraction": 12 / 450,
        "length_mm": pytest.approx(1.0),
        "length_density_mm_per_mm3": pytest.approx(1 / volume),
        "mean_radius_um": pytest.approx(20),  # to the next row
    }
    assert histogram == [
        {
            "radius_from_um": 0,
            "radius_to_um": pytest.approx(1e5 ** (1 / 3)),
            "length_mm": pytest.approx(1.0),
            "length_fraction": pytest.approx(1.0),
        }
    ]


def test_without_a_voxel_size(thread):
    table = vessel_table(ArrayVolume(thread), tissue=ArrayVolume(np.ones_like(thread)))
    assert set(table) == {
        "volume_voxels",
        "vessel_volume_voxels",
        "vessel_fraction",
        "length_voxels",
        "length_density_per_voxel2",
        "mean_radius_voxels",
        "tissue_volume_voxels",
        "vessel_fraction_of_tissue",
        "length_density_of_tissue_per_voxel2",
        "radius_histogram",
    }
    assert table["length_voxels"] == 10
    assert table["length_density_of_tissue_per_voxel2"] == table["length_density_per_voxel2"] == 10 / 450
    assert [set(row) for row in table["radius_histogram"]] == [
        {"radius_from_voxels", "radius_to_voxels", "length_voxels", "length_fraction"}
    ] * 2
    assert [row["length_voxels"] for row in table["radius_histogram"]] == [0, 10]


def test_tissue_alone(thread):
    tissue = np.zeros_like(thread)
    tissue[:, :, :8] = 1  # the line's voxels 2 to 7: five links and a half
    table = vessel_table(Array(thread), tissue=Array(tissue))
    assert table["tissue_volume_voxels"] == 240
    assert table["vessel_fraction_of_tissue"] == 6 / 240
    assert table["length_density_of_tissue_per_voxel2"] == 5.5 / 240
    nothing = vessel_table(Array(thread), tissue=Array(tissue * 0))
    assert math.isnan(nothing["vessel_fraction_of_tissue"])


def test_histogram_by_radius():
    # a line of 10 links, and a bar of 3 x 3 voxels, 21 long, whose axis is 2 voxels from the outside
    mask = np.zeros((9, 20, 25), np.uint8)
    mask[4, 4, 2:13] = 1
    mask[3:6, 12:15, 2:23] = 1
    table = vessel_table(Array(mask, spacing_um=(10, 10, 10)), radius_step=5)
    lengths = {row["radius_from_um"]: row["length_mm"] for row in table["radius_histogram"]}
    assert list(lengths) == [0, 5, 10, 15, 20]
    assert lengths[10] >= 0.1  # the line, and the ends of the bar
    assert sum(lengths.values()) == pytest.approx(table["length_mm"])
    assert lengths[20] == pytest.approx(0.19, abs=0.02)
    assert sum(row["length_fraction"] for row in table["radius_histogram"]) == pytest.approx(1)
    assert 10 < table["mean_radius_um"] < 20


@pytest.mark.parametrize(("slab", "halo"), [(5, 8), (11, 8), (16, 16)])
@pytest.mark.parametrize("seed", [0, 1])
def test_slabs_change_little(seed, slab, halo):
    mask = Array(tangle((32, 36, 36), seed=seed), spacing_um=(50, 50, 50))
    whole, found = vessel_table(mask, slab=32), vessel_table(mask, slab=slab, halo=halo)
    assert found["vessel_volume_mm3"] == whole["vessel_volume_mm3"]
    assert found["length_mm"] == pytest.approx(whole["length_mm"], rel=0.05)
    assert found["mean_radius_um"] == pytest.approx(whole["mean_radius_um"], rel=0.05)


def test_links_across_slabs_count_once():
    mask = line(*[(index, 1, 1) for index in range(10)], shape=(10, 3, 3))
    for slab in (1, 3, 10):
        assert vessel_table(Array(mask), slab=slab, halo=4)["length_voxels"] == 9


def test_no_vessel():
    table = vessel_table(Array(np.zeros((2, 3, 4), np.uint8)))
    assert table["vessel_fraction"] == table["length_voxels"] == 0
    assert math.isnan(table["mean_radius_voxels"])
    assert table["radius_histogram"] == []


def test_nothing_but_vessel_has_no_radius():
    table = vessel_table(Array(np.ones((3, 3, 9), np.uint8)))
    assert table["vessel_fraction"] == 1
    assert table["mean_radius_voxels"] == 0


def test_bad_input_is_refused():
    mask = np.zeros((2, 3, 4), np.uint8)
    for step in (0, -1, math.inf, math.nan):
        with pytest.raises(InputError, match="histogram of radii in steps"):
            vessel_table(Array(mask), radius_step=step)
    with pytest.raises(InputError, match="are to be compared"):
        vessel_table(Array(mask), tissue=Array(mask[1:]))
