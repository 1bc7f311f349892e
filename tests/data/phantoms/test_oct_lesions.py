# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.oct_anatomy import draw_retina
from tomobundles.data.phantoms.oct_fields import Grid
from tomobundles.data.phantoms.oct_lesions import Blob, _absorb, add_lesions

GRID = Grid((192, 96, 16))


class Still:
    """A warp that does nothing."""

    def en_face(self, y, x):
        return np.zeros((len(y), len(x)), np.float32)


def drawn(seed: int, kinds=("REA", "SRF", "PED"), grid: Grid = GRID):
    healthy = draw_retina(grid, np.random.default_rng(seed), np.random.default_rng(seed))
    sick = draw_retina(grid, np.random.default_rng(seed), np.random.default_rng(seed))
    return healthy, sick, add_lesions(sick, np.random.default_rng([seed, 1]), kinds)


def test_blob_radius_by_hand():
    # centre (3, 2), radii 1 across slices and 2 along columns, a quarter turn swaps them
    blob = Blob(y=3, x=2, ry=1, rx=2, turn=0.0, warp=Still())
    y, x = np.array([3.0, 3.5], np.float32), np.array([2.0, 4.0, 6.0], np.float32)
    np.testing.assert_allclose(blob.radius(y, x), [[0, 1, 2], [0.5, 1.25**0.5, 4.25**0.5]], rtol=1e-6)
    turned = Blob(y=3, x=2, ry=1, rx=2, turn=np.pi / 2, warp=Still())
    np.testing.assert_allclose(turned.radius(y, x)[0], [0, 2, 4], atol=1e-6)


def test_without_lesions_only_drusen_and_bright_spots_are_added():
    healthy, sick, lesions = drawn(3, kinds=())
    assert not lesions.rea.any()
    assert all(drop.gain_db > 0 for drop in lesions.droplets)
    changed = {n for n, t in sick.thickness.items() if not np.array_equal(t, healthy.thickness[n])}
    assert changed <= {"drusen", "ONL"}  # the ONL gives way above a bump


def test_drusen_are_there_in_healthy_eyes_and_never_dark():
    heights = [drawn(seed, kinds=())[1].thickness["drusen"].max() for seed in range(20)]
    assert np.mean(np.array(heights) > 0.01) > 0.4
    assert np.max(heights) < 0.1  # mm
    _, sick, _ = drawn(0)
    assert sick.level["drusen"].mean() > sick.level["ONL"].mean()


@pytest.mark.parametrize("seed", range(6))
def test_fluid_lies_within_the_extent_of_rea(seed):
    _, sick, lesions = drawn(seed)
    assert lesions.rea[sick.thickness["SRF"] > 0].all()
    assert lesions.rea[sick.thickness["PED"] > 0].all()


@pytest.mark.parametrize(("kind", "layer"), [("SRF", "SRF"), ("PED", "PED")])
def test_each_fluid_fills_its_own_layer(kind, layer):
    _, sick, lesions = drawn(1, kinds=(kind,))
    filled = {name for name in ("SRF", "PED") if sick.thickness[name].any()}
    assert filled == {layer}
    assert not lesions.rea.any()


def test_leaving_a_kind_out_does_not_move_the_others():
    _, whole, _ = drawn(2)
    _, part, _ = drawn(2, kinds=("PED",))
    np.testing.assert_array_equal(whole.thickness["PED"], part.thickness["PED"])
    np.testing.assert_array_equal(whole.thickness["drusen"], part.thickness["drusen"])


@pytest.mark.parametrize("seed", range(6))
def test_rea_is_thicker_and_darker_than_before_and_tissue_beside_it_unchanged(seed):
    healthy, sick, lesions = drawn(seed, kinds=("REA",))
    inner = ("GCL", "IPL", "INL", "OPL", "ONL")
    gain = sum(sick.thickness[n] - healthy.thickness[n] for n in inner)
    bump = sick.thickness["drusen"] > 0
    assert (gain[lesions.rea & ~bump] > 0.004).all()
    assert gain[lesions.rea].mean() > 0.03  # mm
    assert gain[lesions.rea].mean() > 3 * np.abs(gain[~lesions.rea]).mean()
    loss = healthy.level["ONL"] - sick.level["ONL"]
    assert loss[lesions.rea].mean() > 0.5  # dB


def test_cysts_lie_in_the_swollen_area_and_are_dark():
    cysts = []
    for seed in range(8):
        _, _, lesions = drawn(seed, kinds=("REA",))
        for drop in lesions.droplets:
            inside = lesions.rea[int(drop.y / 6 * 16), int(drop.x / 6 * 96)]
            if drop.gain_db < 0:
                assert inside
                assert drop.layer in ("INL", "ONL")
                cysts.append(drop)
    assert len(cysts) > 40


def test_bumps_sink_into_the_fluid_above_and_then_into_the_outer_nuclear_layer():
    # column 0: PED 0.08 under SRF 0.2: the bump 0.75 * 0.08 = 0.06 fits into 0.65 * 0.2 = 0.13 -> SRF 0.14
    # column 1: PED 0.08, no SRF: ONL 0.1 gives way by 0.06 * tanh(0.06 / 0.06) = 0.06 * 0.76159 = 0.0457
    _, sick, _ = drawn(0, kinds=())
    for name, values in (("PED", (0.08, 0.08)), ("SRF", (0.2, 0.0)), ("ONL", (0.1, 0.1)), ("drusen", (0, 0))):
        sick.thickness[name] = np.array([values], np.float32)
    _absorb(sick)
    np.testing.assert_allclose(sick.thickness["SRF"], [[0.14, 0.0]], atol=1e-6)
    np.testing.assert_allclose(sick.thickness["ONL"], [[0.1, 0.1 - 0.0457]], atol=1e-4)


@pytest.mark.parametrize("slices", [1, 2, 5])
def test_a_slice_cuts_every_lesion_however_few_there_are(slices):
    for seed in range(10):
        _, sick, lesions = drawn(seed, grid=Grid((48, 32, slices)))
        assert sick.thickness["SRF"].max() > 2 / 48
        assert sick.thickness["PED"].max() > 2 / 48
        assert lesions.rea.any()
