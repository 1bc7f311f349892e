# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms import oct_vessels
from tomobundles.data.phantoms.oct_anatomy import draw_retina
from tomobundles.data.phantoms.oct_fields import Grid
from tomobundles.data.phantoms.oct_vessels import draw_vessels


def eye(grid: Grid, nasal: int = 1):
    return draw_retina(grid, np.random.default_rng(0), np.random.default_rng(1), nasal=nasal)


def test_lumen_and_shadow_of_a_straight_vessel_by_hand(monkeypatch):
    # a vessel of radius 0.05 mm along x at y = 3; slices of 0.02 mm (300 in 6 mm) lie 0.01, 0.03, 0.05.. off:
    # half chords 0.05 sqrt(1 - (0.01/0.05)^2) = 0.04899 and 0.05 sqrt(1 - 0.36) = 0.04, then 0
    grid = Grid((48, 600, 300))
    x = np.arange(0, 6, 0.001)
    line = np.stack([np.full_like(x, 3.0), x, np.full_like(x, 0.05)], 1)
    monkeypatch.setattr(oct_vessels, "_arcade", lambda *args: line)
    vessels = draw_vessels(eye(grid), np.random.default_rng(0))
    np.testing.assert_allclose(vessels.half_chord[150:153, 300], [0.04899, 0.04, 0.0], atol=2e-3)
    assert not vessels.shadow_db[153, 300]
    # strength 130..220 dB/mm: 6.5 to 11 dB below the middle of this vessel
    assert 6.5 * 0.97 < vessels.shadow_db[150, 300] < 11
    assert vessels.shadow_db[151, 300] / vessels.shadow_db[150, 300] == pytest.approx(
        0.04 / 0.04899, rel=0.02
    )


@pytest.mark.parametrize("seed", range(6))
def test_vessels_leave_the_fovea_free_and_cover_a_small_part(seed):
    grid = Grid((48, 128, 128))
    retina = eye(grid)
    vessels = draw_vessels(retina, np.random.default_rng(seed))
    r = np.hypot(grid.y[:, None] - retina.fovea[0], grid.x - retina.fovea[1])
    assert not vessels.half_chord[r < 0.25].any()
    assert 0.01 < (vessels.half_chord > 0).mean() < 0.25
    assert vessels.half_chord.max() < 0.09  # mm


def test_vessels_run_on_through_neighbouring_slices():
    grid = Grid((48, 256, 256))
    vessel = draw_vessels(eye(grid), np.random.default_rng(1)).half_chord > 0
    # nearly every vessel pixel touches one in the slice before or after
    padded = np.pad(vessel, 1)
    touching = np.zeros_like(vessel)
    for dy in (0, 2):
        for dx in (0, 1, 2):
            touching |= padded[dy : dy + 256, dx : dx + 256]
    assert touching[vessel].mean() > 0.95


def test_left_eye_mirrors_the_right():
    right, left = (draw_vessels(eye(Grid((48, 64, 64)), n), np.random.default_rng(2)) for n in (1, -1))
    assert not np.array_equal(right.half_chord, left.half_chord)
    assert (right.half_chord > 0).sum() == pytest.approx((left.half_chord > 0).sum(), rel=0.4)
