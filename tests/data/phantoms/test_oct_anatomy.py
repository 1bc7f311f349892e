# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import numpy as np
import pytest

from tomobundles.data.phantoms.oct_anatomy import LAYERS, Retina, draw_retina
from tomobundles.data.phantoms.oct_fields import Grid

GRID = Grid((192, 96, 32))


def eye(patient: int = 0, scan: int = 0, **kwargs) -> Retina:
    return draw_retina(GRID, np.random.default_rng(patient), np.random.default_rng([scan, 99]), **kwargs)


def at(retina: Retina, values: np.ndarray, dy: float, dx: float) -> float:
    """A map's value ``dy``, ``dx`` mm from the fovea."""
    y = np.abs(GRID.y - retina.fovea[0] - dy).argmin()
    return values[y, np.abs(GRID.x - retina.fovea[1] - dx).argmin()]


def test_tops_are_bruch_minus_the_layers_above_it():
    # every layer 0.1 mm thick: 14 layers lie above Bruch's membrane, so the ILM is at 1.6 - 1.4 = 0.2 mm;
    # choriocapillaris starts at Bruch's membrane, the choroid 0.1 mm and the sclera 0.2 mm below it
    shape = GRID.shape[:0:-1]
    thickness = {name: np.full(shape, 0.1, np.float32) for name in LAYERS}
    retina = Retina(GRID, np.full(shape, 1.6, np.float32), thickness, {}, (3, 3), 1)
    tops = {name: float(top[0, 0]) for name, top in retina.tops().items()}
    assert list(tops) == list(LAYERS)
    assert tops["RNFL"] == pytest.approx(0.2, abs=1e-5)
    assert tops["PED"] == pytest.approx(1.5, abs=1e-5)
    assert tops["choriocapillaris"] == pytest.approx(1.6, abs=1e-5)
    assert tops["sclera"] == pytest.approx(1.8, abs=1e-5)
    retina.centre()  # middle of 0.2 and 1.6 is 0.9: moves 0.05 mm down
    assert retina.tops()["RNFL"][0, 0] == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_macula_has_a_pit_a_rim_and_plausible_thickness(seed):
    retina = eye(seed, seed)
    thick = retina.bruch - retina.tops()["RNFL"]
    pit = at(retina, thick, 0, 0)
    rim = np.mean([at(retina, thick, 0.9, 0), at(retina, thick, -0.9, 0), at(retina, thick, 0, -0.9)])
    assert 0.15 < pit < 0.30
    assert pit + 0.04 < rim < 0.45


@pytest.mark.parametrize("seed", range(8))
def test_healthy_layers_are_in_order_and_hold_no_fluid(seed):
    retina = eye(seed, seed)
    tops = list(retina.tops().values())
    assert all((lower >= upper).all() for upper, lower in pairwise(tops))
    assert not retina.thickness["SRF"].any()
    assert not retina.thickness["PED"].any()
    retina.centre()
    assert retina.tops()["RNFL"].min() > 0.1  # all of the retina in the image
    assert retina.bruch.max() < 1.9


def test_nerve_fibres_thicken_towards_the_disc_on_either_side():
    right, left = eye(nasal=1), eye(nasal=-1)
    fibres = right.thickness["RNFL"]
    assert at(right, fibres, 0, 2.0) > 1.3 * at(right, fibres, 0, -2.0)
    assert at(left, left.thickness["RNFL"], 0, -2.0) > 1.3 * at(left, left.thickness["RNFL"], 0, 2.0)


def test_both_eyes_of_a_patient_share_thickness_and_reflectivity_but_not_position():
    def features(retina: Retina) -> np.ndarray:
        return np.array([retina.thickness[name].mean() for name in ("INL", "ONL", "IS", "RPE", "choroid")])

    one, other, stranger = features(eye(0, 0)), features(eye(0, 1)), features(eye(1, 2))
    assert np.abs(one / other - 1).max() < 0.06
    assert np.abs(one / stranger - 1).max() > 0.06
    assert eye(0, 0).fovea != eye(0, 1).fovea
    contrast = [e.level["RPE"].mean() - e.level["ONL"].mean() for e in (eye(0, 0), eye(0, 1))]
    assert contrast[0] == pytest.approx(contrast[1], abs=0.01)


def test_motion_drifts_from_slice_to_slice_without_tearing():
    grid = Grid((64, 32, 128))
    steps = []
    for seed in range(10):
        bruch = draw_retina(grid, np.random.default_rng(seed), np.random.default_rng(seed)).bruch
        steps.append(np.abs(np.diff(bruch.mean(1))))
    assert np.max(steps) < 0.03  # mm between neighbouring slices, 47 um apart
    assert np.min(np.max(steps, 1)) > 0.001


def test_some_eyes_bend_strongly_at_the_edge():
    def bend(seed: int) -> float:  # departure from a parabola through the inner part, at the outermost column
        line = eye(0, seed).bruch.mean(0)
        inner = slice(16, 80)
        fit = np.polyval(np.polyfit(GRID.x[inner], line[inner], 2), GRID.x)
        return np.abs(line - fit).max()

    bends = np.array([bend(seed) for seed in range(40)])
    assert 0.2 < (bends > 0.1).mean() < 0.8
