# SPDX-License-Identifier: Apache-2.0
"""Pictures of FROC curves."""

import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize import draw_froc
from tomobundles.visualize.plots import SKY

NAN = float("nan")
CURVE = (np.array([0, 0.5, 2.0]), np.array([0, 0.5, 0.75]))


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def near(picture, color):
    """Where pixels have a colour given as 0-1."""
    return np.abs(picture - np.rint(255 * np.array(color))).max(axis=2) <= 2


def test_curves_and_band(tmp_path):
    grid = np.linspace(0.125, 8, 100)
    alone = read(draw_froc(tmp_path / "a.png", {"all": CURVE}))
    band = (grid, np.full(100, 0.25), np.full(100, 0.5))
    shaded = read(draw_froc(tmp_path / "b.png", {"all": CURVE, "3-6 mm": CURVE}, band=band, title="CPM"))
    tint = 0.35 * np.array(SKY) + 0.65
    height = shaded.shape[0]
    rows = np.flatnonzero(near(shaded, tint)[:, : shaded.shape[1] // 2].sum(axis=1) > 100)
    assert 0.15 * height < len(rows) < 0.25 * height  # a quarter of the axis
    assert near(alone, tint).sum() == 0


def test_the_curve_is_level_beyond_its_end(tmp_path):
    """The rightmost black pixels of the axes lie at 0.75 of its height, as does the last point's mark."""
    picture = read(draw_froc(tmp_path / "a.png", {"all": CURVE}, rates=(0.5, 2, 32)))
    flat = np.flatnonzero(near(picture, (0, 0, 0)).sum(axis=1) > 0.3 * picture.shape[1])
    assert np.ptp(flat) < 8 or len(flat) < 30  # the level part and the axis, nothing between


def test_a_band_without_bounds_is_left_out(tmp_path):
    grid, none = np.linspace(0.125, 8, 9), np.full(9, NAN)
    with_none = read(draw_froc(tmp_path / "a.png", {"all": CURVE}, band=(grid, none, none)))
    assert np.array_equal(with_none, read(draw_froc(tmp_path / "b.png", {"all": CURVE})))


def test_no_nodule(tmp_path):
    picture = read(draw_froc(tmp_path / "a.png", {}))
    assert picture.shape == (690, 1050, 3)
    assert near(picture, (0, 0, 0)).any()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"curves": {str(index): CURVE for index in range(8)}}, "8 curves in one plot"),
        ({"rates": (1,)}, "rates"),
        ({"rates": (0, 1)}, "rates"),
        ({"rates": (2, 1)}, "rates"),
        ({"curves": {"x": (np.zeros(2), np.zeros(3))}}, "arrays of x differ in length"),
        ({"curves": {"x": (np.zeros(0), np.zeros(0))}}, "arrays of x differ in length or are empty"),
        ({"band": (np.zeros(2), np.zeros(2), np.zeros(3))}, "arrays of the band"),
    ],
)
def test_bad_input(given, said, tmp_path):
    with pytest.raises(InputError, match=said):
        draw_froc(tmp_path / "a.png", **{"curves": {"all": CURVE}} | given)
    assert not list(tmp_path.iterdir())
