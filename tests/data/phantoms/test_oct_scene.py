# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.oct import eye_scene
from tomobundles.data.phantoms.oct_fields import Grid
from tomobundles.data.phantoms.oct_lesions import Droplet
from tomobundles.data.phantoms.oct_scene import add_up

SHAPE = (400, 64, 3)  # rows of 5 um


def scene(seed: int = 0, lesions=("REA", "SRF", "PED")):
    return eye_scene(shape=SHAPE, patient=seed, eye=0, lesions=lesions)[0]


def bare(seed: int = 0):
    """A healthy scene without vessels and droplets."""
    quiet = scene(seed, lesions=())
    quiet.lesions.droplets.clear()
    quiet.vessels.half_chord[:] = 0
    quiet.vessels.shadow_db[:] = 0
    return quiet


def test_steps_inside_a_pixel_count_by_the_part_below_them():
    # rows of 0.5 mm. Column 0: 8 dB at 0.75 mm, half way down row 1: 0, 4, 8, 8
    # column 1: the same step above the image counts in full; column 2: below the image not at all
    depth = np.array([0.75, -1.0, 2.0], np.float32)
    np.testing.assert_allclose(add_up(Grid((4, 3, 1)), [(depth, np.float32(8))])[:, 0], [0, 4, 8, 8])
    np.testing.assert_allclose(add_up(Grid((4, 3, 1)), [(depth, np.float32(8))])[:, 1], 8)
    np.testing.assert_allclose(add_up(Grid((4, 3, 1)), [(depth, np.float32(8))])[:, 2], 0)


def test_a_thin_layer_keeps_its_area():
    # 0.1 mm of 6 dB inside one row of 0.5 mm shows as 6 * 0.1 / 0.5 = 1.2 dB
    steps = [(np.float32(0.6), np.float32(6)), (np.float32(0.7), np.float32(-6))]
    np.testing.assert_allclose(add_up(Grid((4, 1, 1)), steps)[:, 0], [0, 1.2, 0, 0], atol=1e-5)


def test_levels_follow_the_layers():
    quiet = bare()
    level, tops = quiet.level(1), quiet.tops

    def mean_of(upper: str, lower: str) -> float:
        z = quiet.grid.z[:, None]
        inside = (z >= tops[upper][1] + 0.005) & (z < tops[lower][1] - 0.005)
        return float(level[inside].mean())

    rpe, ez, onl, opl = (
        mean_of("RPE", "drusen"),
        mean_of("EZ", "OS"),
        mean_of("ONL", "ELM"),
        mean_of("OPL", "ONL"),
    )
    assert rpe > ez > opl > onl > 3
    vitreous = level[: int((tops["RNFL"][1].min() - quiet.vitreous.gap[1].max() - 0.05) / 0.005)]
    assert vitreous.mean() < onl - 5
    deep = level[-20:].mean()
    assert deep < mean_of("choroid", "sclera") - 10  # attenuation


def test_pocket_below_the_hyaloid_is_darker_than_the_haze_above():
    quiet = bare()
    quiet.vitreous.gap[:] = 0.2
    quiet.vitreous.haze_db, quiet.vitreous.line_db = -3.0, 6.0
    level, ilm = quiet.level(0), quiet.tops["RNFL"][0]

    def at(depth: np.ndarray) -> float:
        return level[(depth / quiet.grid.row_mm).astype(int), np.arange(64)].mean()

    assert at(ilm - 0.1) == pytest.approx(-12, abs=0.6)
    assert at(ilm - 0.25) == pytest.approx(-3, abs=0.6)
    assert at(ilm - 0.206) == pytest.approx(6, abs=2.5)  # the line itself is 12 um


def test_vessel_is_a_dark_lumen_with_a_bright_wall_and_a_shadow_below():
    quiet = bare()
    before = quiet.level(0)
    quiet.vessels.half_chord[0, 20] = quiet.vessels.radius[0, 20] = 0.05
    quiet.vessels.shadow_db[0, 20] = 7.0
    change = quiet.level(0) - before
    top = quiet.tops["RNFL"][0, 20] + 0.012  # wall 4 dB for 12 um, lumen -8 dB, shadow -7 dB from 0.1 mm on
    row = int(top / 0.005)
    assert not change[:row, 20].any()
    assert change[row : row + 3, 20].max() == pytest.approx(4, abs=0.1)
    np.testing.assert_allclose(change[row + 5 : row + 18, 20], -8, atol=0.01)
    np.testing.assert_allclose(change[row + 24 :, 20], -7, atol=0.01)
    assert not np.delete(change, 20, axis=1).any()


def test_droplet_changes_an_ellipse_inside_its_layer_in_the_slices_it_meets():
    quiet = bare()
    before = [quiet.level(k) for k in range(3)]
    x = float(quiet.grid.x[30])
    quiet.lesions.droplets.append(Droplet("ONL", float(quiet.grid.y[1]), x, 0.3, 1.0, 0.5, -9.0))
    change = [quiet.level(k) - before[k] for k in range(3)]
    assert not change[0].any()
    assert not change[2].any()
    z = quiet.grid.z[:, None]
    inside = (z > quiet.tops["ONL"][1] - 0.005) & (z < quiet.tops["ELM"][1] + 0.005)
    np.testing.assert_allclose(change[1][~inside], 0, atol=1e-4)
    assert change[1].min() == pytest.approx(-9, abs=0.01)
    area = -change[1].sum() / 9 * 0.005 * (6 / 64)  # mm2 of an ellipse: pi/4 * thickness * 0.6
    assert area == pytest.approx(np.pi / 4 * quiet.retina.thickness["ONL"][1, 30] * 0.6, rel=0.1)


def test_choroid_has_dark_lumens_that_no_other_layer_has():
    quiet = bare(1)
    z = quiet.grid.z[:, None]
    texture = quiet._texture(0)
    choroid = (z > quiet.retina.bruch[0] + 0.04) & (z < quiet.tops["sclera"][0] - 0.01)
    assert texture[choroid].min() < -6
    elsewhere = (z < quiet.retina.bruch[0] + 0.02) | (z > quiet.tops["sclera"][0] + 0.01)
    assert texture[elsewhere].min() > -5
    assert 0.05 < (texture[choroid] < -4).mean() < 0.5


@pytest.mark.parametrize("seed", range(4))
def test_label_is_the_true_layer_at_every_pixel_centre(seed):
    sick = scene(seed)
    for k in range(3):
        label, z = sick.label(k), sick.grid.z[:, None]
        tops = {name: top[k] for name, top in sick.tops.items()}
        np.testing.assert_array_equal(label == 3, (z >= tops["PED"]) & (z < sick.retina.bruch[k]))
        np.testing.assert_array_equal(label == 2, (z >= tops["SRF"]) & (z < tops["RPE"]))
        retina = (z >= tops["RNFL"]) & (z < tops["SRF"])
        np.testing.assert_array_equal(label == 1, retina & sick.lesions.rea[k])
