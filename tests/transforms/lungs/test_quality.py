# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms.lungs.quality import score_lungs, stability, volumes_ml

MM = (5.0, 2.0, 2.0)
LENGTH = 250.0


def _lungs(right=60, left=60, slices=50, rows=100):
    sides = np.zeros((50, 110, 150), np.uint8)
    sides[:slices, :rows, :right] = 1
    sides[:slices, :rows, 75 : 75 + left] = 2
    return sides


def test_volumes_by_hand():
    # 50 x 100 x 60 voxels of 0.02 ml
    assert volumes_ml(_lungs(left=30), MM) == {"right": 6000, "left": 3000}


def test_healthy_lungs_have_the_full_score():
    terms = score_lungs(_lungs(right=35, left=30), spacing=MM, length_mm=LENGTH)
    assert terms == {"volume": 1, "two_lungs": 1, "hull": 1, "smooth": 1, "total": 1}


def test_volume():
    # 50 x 100 x 95 x 0.02 = 9.5 litres: halfway from 8 to 11
    assert score_lungs(_lungs(right=50, left=45), spacing=MM, length_mm=LENGTH)["volume"] == pytest.approx(
        0.5
    )
    # 50 x 13 x 50 x 0.02 = 0.65 litres: halfway from 0.3 to 1
    assert score_lungs(_lungs(25, 25, rows=13), spacing=MM, length_mm=LENGTH)["volume"] == pytest.approx(0.5)
    assert score_lungs(_lungs(25, 25, rows=13), spacing=MM, length_mm=125)["volume"] == 1  # half a chest


def test_two_lungs():
    assert score_lungs(_lungs(60, 0), spacing=MM, length_mm=LENGTH)["two_lungs"] == pytest.approx(0.4)
    assert score_lungs(_lungs(48, 10), spacing=MM, length_mm=LENGTH)["two_lungs"] == pytest.approx(1)
    assert score_lungs(_lungs(48, 5), spacing=MM, length_mm=LENGTH)["two_lungs"] == pytest.approx(0.7)


def test_lungs_in_pieces_have_a_large_hull_and_a_rough_profile():
    sides = _lungs()
    sides[:, 20:80, :60] = 0
    # 84 of 120 rows and columns are left: 0.4 + 0.6 * (0.7 - 0.5) / 0.45
    assert score_lungs(sides, spacing=MM, length_mm=LENGTH)["hull"] == pytest.approx(0.667, abs=0.001)
    sides = _lungs()
    sides[::2] = 0
    assert score_lungs(sides, spacing=MM, length_mm=LENGTH)["smooth"] == pytest.approx(0.5)


def test_stability():
    def of(right, left):
        return {"right": right, "left": left}

    assert stability(of(2000, 1900), of(2100, 2000)) == 1
    assert stability(of(2000, 700), of(2000, 1000)) == pytest.approx(0.85)  # halfway from 0.5 to 0.9
    assert stability(of(2000, 0), of(2000, 1000)) == pytest.approx(0.7)
    assert stability(of(2000, 0), of(2000, 90)) == 1  # crumbs
    assert stability(of(0, 0), of(0, 0)) == 1


def test_no_lungs_score_nothing():
    assert score_lungs(_lungs(0, 0), spacing=MM, length_mm=LENGTH)["total"] == 0


def test_a_few_slices():
    assert score_lungs(_lungs(30, 30)[:2], spacing=MM, length_mm=10)["smooth"] == 1
