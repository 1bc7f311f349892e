# SPDX-License-Identifier: Apache-2.0
"""Skull, brain, look-alikes and bleeds of one head, sampled where anatomy says what must be there."""

from dataclasses import replace

import numpy as np
import pytest

from tomobundles.data.phantoms.head import draw_head
from tomobundles.data.phantoms.head_bleed_draws import draw_bleeds
from tomobundles.data.phantoms.head_bleeds import CLASSES, Bleeds, Clot, Layer, Lens
from tomobundles.data.phantoms.head_brain import draw_brain
from tomobundles.data.phantoms.head_extras import Spot, draw_extras
from tomobundles.data.phantoms.head_geometry import Points, Pose
from tomobundles.data.phantoms.head_skull import draw_skull


class Flat:
    """A field that is 0 everywhere."""

    def b_scan(self, rows, columns, z):
        return np.zeros((len(rows), len(columns)), np.float32)


FLAT = Flat()
POSE = Pose(np.eye(3), np.zeros(3), (FLAT,) * 3)


def rng(seed=0):
    return np.random.default_rng(seed)


def plane(z, *, step=1.0):
    grid = np.arange(-110, 110.5, step, dtype=np.float32)
    return Points(np.array([z], np.float32), grid, grid, POSE)


def at(p, array, x, y):
    """The value of a (1, rows, columns) array nearest to x, y in mm."""
    return array[0, np.abs(p.rows - y).argmin(), np.abs(p.columns - x).argmin()]


@pytest.fixture(scope="module")
def skull():
    return replace(draw_skull(rng()), bumps=FLAT, grain=FLAT, cells=FLAT, sinus=1.0, pneumatised=1.0)


@pytest.fixture(scope="module")
def brain():
    made = draw_brain(rng(), shift=0.0)
    return replace(
        made, gyri=FLAT, folia=FLAT, mottle=FLAT, atrophy=0.5, ventricles=1.0, uneven=0.0, leuko=0.0
    )


def test_the_cavity_is_as_wide_and_long_as_drawn(skull):
    p = plane(14.0)
    _, vault = skull.depth(p)
    row, column = np.abs(p.rows - 2).argmin(), np.abs(p.columns).argmin()
    across, along = (vault[0, row] > 0).sum(), (vault[0, :, column] > 0).sum()
    assert across == pytest.approx(2 * skull.half_width, abs=2)
    assert along == pytest.approx(2 * skull.half_length, abs=2)


def test_the_floor_has_three_fossae_and_petrous_ridges(skull):
    p = plane(0.0)
    floor = skull.floor(p)
    assert at(p, floor, 30, -56) > at(p, floor, 36, -4) > at(p, floor, 30, 45)  # front, middle, back
    assert at(p, floor, 40, 19) > at(p, floor, 40, -4) + 10  # the ridge runs at y = 2 + 0.42 x
    assert at(p, floor, 40, 19) > at(p, floor, 40, 45) + 10


def test_outside_the_cavity_lie_bone_scalp_and_air(skull):
    p = plane(40.0)
    depth, vault = skull.depth(p)
    hu = skull.paint(np.full_like(vault, 33), p, depth, vault, np.zeros_like(vault))
    assert at(p, hu, 0, 0) == 33
    middle = np.abs(p.rows - 2).argmin()
    profile = hu[0, middle, p.columns > 0]
    assert profile.max() > 600
    assert (profile < -900).any()
    last_bone = np.flatnonzero(profile > 300).max()
    assert (np.abs(profile[last_bone + 1 : last_bone + 3]) < 200).all()  # scalp
    assert skull.thick - 3 < (profile > 300).sum() < skull.thick + 5


def test_a_swelling_lifts_the_skin(skull):
    p = plane(40.0)
    depth, vault = skull.depth(p)
    brain_hu = np.full_like(vault, 33)
    flat = skull.paint(brain_hu, p, depth, vault, np.zeros_like(vault))
    lifted = skull.paint(brain_hu, p, depth, vault, np.full_like(vault, 8))
    assert (lifted > -500).sum() > (flat > -500).sum() + 1000
    assert ((lifted > 55) & (lifted < 61)).sum() > 1000


@pytest.mark.parametrize(("x", "y", "z"), [(0, -20, -15), (27, -62, -40), (52, 30, -24), (3, -89, 14)])
def test_air_where_the_sinuses_are(skull, x, y, z):
    p = plane(z)
    depth, vault = skull.depth(p)
    hu = skull.paint(np.full_like(vault, 33), p, depth, vault, np.zeros_like(vault))
    near = hu[0][(np.abs(p.rows - y) < 6)[:, None] & (np.abs(p.columns - x) < 5)]
    assert near.min() < -700


def test_no_frontal_sinus_where_it_did_not_develop(skull):
    p = plane(14.0)
    depth, vault = skull.depth(p)

    def air(made):
        hu = made.paint(np.full_like(vault, 33), p, depth, vault, np.zeros_like(vault))
        return ((hu < -500) & (vault > -15)).sum()

    assert air(skull) > air(replace(skull, sinus=0.0)) + 20


def test_ventricles_and_cisterns_hold_fluid(brain):
    p = plane(34.0)
    spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
    for x in (9, -9):
        assert at(p, spaces.inner, x, -20) == 1  # frontal horns
    assert at(p, spaces.inner, 45, 0) == 0
    hu = brain.paint(p, spaces)
    assert at(p, hu, 9, -20) == 5
    assert at(p, hu, 45, 0) > 20
    p = plane(7.0)
    spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
    assert at(p, spaces.outer, 0, -9) == 1  # suprasellar cistern
    assert at(p, spaces.outer, 25, -12) == 1  # stem of the Sylvian fissure


def test_white_matter_lies_under_the_cortex_and_nuclei_are_grey(brain):
    p = plane(27.0)
    field = replace(brain, gyri=_Constant(3.0))  # far from any sulcus
    for depth, expected in ((3.0, field.grey_hu), (20.0, field.white_hu)):
        hu = field.paint(p, field.spaces(p, np.full_like(p.x, depth), np.float32(0)))
        assert at(p, hu, -45, 40) == pytest.approx(expected, abs=0.1)
    assert at(p, hu, 10, 10) == pytest.approx(field.grey_hu - 1, abs=0.1)  # thalamus


class _Constant(Flat):
    def __init__(self, value):
        self.value = value

    def b_scan(self, rows, columns, z):
        return np.full((len(rows), len(columns)), self.value, np.float32)


def test_small_vessel_disease_darkens_around_the_ventricles(brain):
    p = plane(40.0)
    spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
    healthy, ill = brain.paint(p, spaces), replace(brain, leuko=6.0).paint(p, spaces)
    assert at(p, healthy, 20, 6) - at(p, ill, 20, 6) > 2
    assert at(p, healthy, 60, 0) == at(p, ill, 60, 0)


def test_falx_and_tentorium_are_sheets(brain):
    p = plane(60.0)
    spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
    assert at(p, spaces.falx, 0, -50) > 0.9
    assert at(p, spaces.falx, 3, -50) == 0
    assert brain.tentorium_height(plane(0.0)).max() == pytest.approx(33)
    p = plane(33 - 0.46 * 30 - 0.30 * 20)  # at x = 30, y = 50
    spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
    assert at(p, spaces.tentorium, 30, 50) > 0.9
    assert at(p, spaces.below, 20, 50) == 1
    assert at(p, spaces.below, 50, 50) == 0


def test_midline_shift_moves_the_ventricles(brain):
    p = plane(34.0)
    depth = np.full_like(p.x, 40)
    middle = [
        (made.spaces(p, depth, np.float32(0)).inner * p.x).sum()
        / made.spaces(p, depth, np.float32(0)).inner.sum()
        for made in (brain, replace(brain, shift=6.0))
    ]
    assert middle[0] == pytest.approx(0, abs=0.2)
    assert 3 < middle[1] < 6


def test_calcifications_lie_where_they_are_put(brain):
    extras = replace(
        draw_extras(rng()), spots=[Spot((22, 36, 30), (3, 3, 3), 200.0)], clumps=FLAT, scalp=None
    )
    for z, expected in ((30.0, 200), (50.0, 30)):
        p = plane(z)
        spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
        hu = extras.paint(np.full_like(p.x, 30), p, spaces, np.full_like(p.x, 40), brain)
        assert at(p, hu, 22, 36) == expected
    assert not extras.swelling_mm(p, np.zeros_like(p.x)).any()


def test_the_scalp_swells_around_its_centre_only():
    p = plane(30.0)
    extras = replace(draw_extras(rng()), scalp=(76.0, 2.0, 30.0, 20.0))
    swelling = extras.swelling_mm(p, np.full_like(p.x, -10))
    assert at(p, swelling, 76, 2) == 9
    assert at(p, swelling, 76, 22) == 0
    assert at(p, swelling, -76, 2) == 0


def test_look_alikes_vary_from_head_to_head():
    drawn = [draw_extras(rng(seed)) for seed in range(40)]
    assert min(len(e.spots) for e in drawn) == 0
    assert max(len(e.spots) for e in drawn) >= 4
    assert 0 < sum(e.scalp is not None for e in drawn) < 20


# bleeds -----------------------------------------------------------------------------------------------------


def bleeds(**content):
    return Bleeds(FLAT, FLAT, **content)


def test_edh_is_a_lens_by_hand():
    # vault as a plane at depth = 60 - x: T = 12 (1 - r2 / 20^2) along the plane
    p = plane(10.0)
    vault = 60 - p.x
    made = bleeds(lenses=[Lens((60, 0, 10), 12, 20, 60)])
    thick = made.lenses_mm(p, vault)
    assert at(p, thick, 60, 0) == pytest.approx(12)
    assert at(p, thick, 60, 10) == pytest.approx(9)
    assert at(p, thick, 50, 10) == pytest.approx(9)  # the same place, deeper
    assert at(p, thick, 60, 21) == 0
    assert not made.lenses_mm(plane(40.0), vault).any()
    edh = made.collections(p, vault, thick, np.zeros_like(thick), draw_brain(rng(), shift=0))[1]
    assert at(p, edh, 49, 0) == pytest.approx(1)
    assert at(p, edh, 47, 0) == 0
    assert at(p, edh, 53, 10) == 1
    assert at(p, edh, 50, 10) == 0


def test_sdh_is_a_crescent_on_one_side(brain):
    p = plane(40.0)
    made = bleeds(layers=[Layer("convexity", 1, 8.0, np.pi / 2, 1.0, 40.0, 30.0, 60.0, None)])
    thick = made.crescents_mm(p, brain)
    assert at(p, thick, 60, 0) == pytest.approx(8)  # the middle: a quarter turn from the forehead
    assert 0 < at(p, thick, 40, -40) < 8
    assert at(p, thick, 10, -60) == 0
    assert not thick[p.x < 0].any()
    assert not made.crescents_mm(plane(75.0), brain).any()


@pytest.mark.parametrize(("place", "z", "x", "y"), [("falx", 60.0, 2.5, -70), ("tentorium", 19.5, 30, 44)])
def test_sdh_along_the_dura_lies_on_its_sheet(brain, place, z, x, y):
    layer = Layer(place, 1, 5.0, 0.5, 1.0, 60.0, 30.0, 60.0, None)
    p = plane(z)
    made, none = bleeds(layers=[layer]), np.zeros_like(p.x)
    sdh = made.collections(p, none + 40, none, none, brain)[0]
    assert at(p, sdh, x, y) > 0.9
    assert at(p, sdh, -x, y) == 0
    assert not made.crescents_mm(p, brain).any()


def test_blood_sinks_to_the_back_of_the_ventricles(brain):
    p = plane(30.0)
    spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
    made = bleeds(levels=(36.0, -90.0))
    masks = made.inside_brain(p, np.zeros((2, *p.x.shape), np.float32), spaces, np.zeros_like(p.x))
    ivh = masks[CLASSES.index("IVH")]
    assert at(p, ivh, -23, 40) == 1  # behind the level
    assert at(p, ivh, -23, 30) == 0  # before it
    assert at(p, ivh, 23, 30) == 1  # the other ventricle is cast
    assert not (ivh > spaces.inner + 1e-6).any()


def test_sah_fills_fluid_within_its_region_only(brain):
    p = plane(7.0)
    spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
    made = bleeds(cisterns=[((0, -9, 7), (10, 10, 10))])
    region = made.region(p)
    assert at(p, region, 0, -9) == 1
    assert at(p, region, 25, -12) == 0
    sah = made.inside_brain(p, np.zeros((2, *p.x.shape), np.float32), spaces, region)[2]
    assert at(p, sah, 0, -9) == 1
    assert not (sah > spaces.outer).any()
    assert not made.region(plane(60.0)).any()


def test_iph_has_a_dark_rim_and_takes_precedence(brain):
    p = plane(20.0)
    spaces = brain.spaces(p, np.full_like(p.x, 40), np.float32(0))
    made = bleeds(clots=[Clot((40, 30, 20), (10, 10, 10), 6.0, 66.0)])
    masks = made.inside_brain(p, np.zeros((2, *p.x.shape), np.float32), spaces, np.ones_like(p.x))
    assert at(p, masks[0], 40, 30) == 1
    assert at(p, masks[0], 52, 30) == 0
    assert (masks.sum(0) <= 1 + 1e-6).all()
    hu = made.paint(
        made.oedema(np.full_like(p.x, 32), p), p, masks * (np.arange(5) == 0)[:, None, None, None]
    )
    assert at(p, hu, 40, 30) == pytest.approx(66)
    assert 20 < at(p, hu, 51, 30) < 26
    assert at(p, hu, 60, 60) == 32


def test_old_blood_floats_on_fresh_blood():
    p = plane(40.0)
    masks = np.zeros((5, *p.x.shape), np.float32)
    masks[3] = 1
    made = bleeds(layers=[Layer("convexity", 1, 8, 1.5, 1, 40, 30, 60.0, 10.0)])
    hu = made.paint(np.full_like(p.x, 30), p, masks)
    assert at(p, hu, 60, -30) == pytest.approx(27)  # 60 less 55 %
    assert at(p, hu, 60, 50) == pytest.approx(60)


def test_bleeds_push_the_midline_to_the_other_side():
    right = bleeds(
        layers=[Layer("convexity", -1, 8, 1.5, 1, 40, 30, 60.0, None)],
        lenses=[Lens((-60, 0, 30), 10, 20, 60)],
        clots=[Clot((-25, 0, 20), (15, 15, 15), 5, 60)],
    )
    # 0.4 * 8 + 0.22 * 10 + 0.35 * (15 - 9) = 7.5
    assert right.shift() == pytest.approx(7.5)
    assert bleeds(layers=[Layer("falx", -1, 8, 1.5, 1, 40, 30, 60.0, None)]).shift() == 0
    assert bleeds(layers=[Layer("convexity", 1, 40, 1.5, 1, 40, 30, 60.0, None)]).shift() == -9


def test_classes_are_drawn_independently():
    alone = draw_bleeds(rng(3), {"SDH": 1.0})
    together = draw_bleeds(rng(3), dict.fromkeys(CLASSES, 1.0))
    assert alone.layers == together.layers
    assert not alone.clots
    assert not alone.lenses
    assert not alone.cisterns
    assert alone.levels is None
    assert together.clots
    assert together.lenses
    assert together.cisterns
    assert together.levels is not None


def test_all_kinds_of_bleed_come_up():
    drawn = [draw_bleeds(rng(seed), dict.fromkeys(CLASSES, 1.0)) for seed in range(120)]
    assert {d.layers[0].place for d in drawn} == {"convexity", "falx", "tentorium"}
    assert {d.layers[0].level is None for d in drawn} == {True, False}
    assert {len(d.clots) for d in drawn} == {1, 2}
    assert {len(d.cisterns) for d in drawn} == {1, 2}
    assert {min(d.levels) < -80 for d in drawn} == {True, False}
    assert any(d.layers[0].hu < 48 for d in drawn)  # as grey as brain


def test_one_head_is_one_head():
    one, two = (draw_head(7, {"EDH": 1.0}, attempt=n) for n in (0, 1))
    assert one.skull.half_width == two.skull.half_width
    assert one.bleeds.lenses != two.bleeds.lenses
