# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.plots import SKY, column, present_scores
from tomobundles.visualize.threshold_plot import draw_threshold_sweep
from tomobundles.visualize.vessel_plots import draw_band_scores, draw_radius_histogram, draw_slab_scores

NAN = float("nan")


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def near(picture, color):
    """Where pixels have a colour given as 0-1."""
    return np.abs(picture - np.rint(255 * np.array(color))).max(axis=2) <= 2


def sweep(values, **others):
    thresholds = np.linspace(0.1, 0.9, len(values))
    return [{"threshold": t, "surface_dice": v, **others} for t, v in zip(thresholds, values, strict=True)]


def shaded(path, rows, **options):
    picture = read(draw_threshold_sweep(path, rows, **options))
    columns = np.flatnonzero(near(picture, 0.3 * np.array(SKY) + 0.7).sum(axis=0) > 200)
    return 0 if columns.size == 0 else np.ptp(columns)


def test_plateau_is_shaded(tmp_path):
    narrow = shaded(tmp_path / "a.png", sweep([0.1, 0.5, 0.8, 0.79, 0.3, 0.1, 0.1, 0.1, 0.1]))
    broad = shaded(tmp_path / "a.png", sweep([0.1, 0.8, 0.79, 0.795, 0.8, 0.792, 0.3, 0.1, 0.1]))
    assert broad == pytest.approx(4 * narrow, rel=0.1)
    assert narrow > 50
    # a second plateau away from the best does not count, rows may come in any order
    rows = sweep([0.1, 0.5, 0.8, 0.79, 0.3, 0.795, 0.1, 0.1, 0.1])
    assert shaded(tmp_path / "a.png", rows[::-1]) == pytest.approx(narrow, abs=2)
    assert shaded(tmp_path / "a.png", rows, plateau=(0.2, 0.6)) == pytest.approx(4 * narrow, rel=0.1)
    to_the_left = shaded(tmp_path / "a.png", sweep([0.1, 0.1, 0.795, 0.795, 0.8, 0.1, 0.1, 0.1, 0.1]))
    assert to_the_left == pytest.approx(2 * narrow, rel=0.1)
    everywhere = shaded(tmp_path / "a.png", sweep([0.8] * 9))
    assert everywhere == pytest.approx(8 * narrow, rel=0.1)


def test_scores_that_are_missing_or_undefined(tmp_path):
    full = read(
        draw_threshold_sweep(tmp_path / "a.png", sweep([0.5] * 5, dice=0.6, precision=0.2, recall=0.9))
    )
    undefined = read(draw_threshold_sweep(tmp_path / "a.png", sweep([NAN] * 5, dice=0.6)))
    assert full.shape == undefined.shape == (600, 1050, 3)
    assert near(full, (0.0, 0.5, 0.38)).sum() > 500 > near(undefined, (0.0, 0.5, 0.38)).sum() == 0


def test_chosen_threshold_is_marked(tmp_path):
    rows = sweep([0.1, 0.9, 0.1])
    plain = read(draw_threshold_sweep(tmp_path / "a.png", rows))
    assert not np.array_equal(plain, read(draw_threshold_sweep(tmp_path / "b.png", rows, chosen=0.5)))


def test_no_rows_to_sweep(tmp_path):
    with pytest.raises(InputError, match="no row of the table holds 'threshold'"):
        draw_threshold_sweep(tmp_path / "a.png", [])
    with pytest.raises(InputError, match="holds none of surface_dice, dice"):
        draw_threshold_sweep(tmp_path / "a.png", [{"threshold": 0.5}])
    assert not list(tmp_path.iterdir())


def histogram(unit, length, lengths):
    return [
        {f"radius_from_{unit}": 50 * place, f"radius_to_{unit}": 50 * place + 50, f"length_{length}": value}
        for place, value in enumerate(lengths)
    ]


@pytest.mark.parametrize(("unit", "length"), [("um", "mm"), ("voxels", "voxels")])
def test_bars_are_as_high_as_the_length(tmp_path, unit, length):
    picture = read(draw_radius_histogram(tmp_path / "a.png", histogram(unit, length, [1, 4, 0, 2])))
    heights = near(picture, SKY).sum(axis=0)
    columns = np.flatnonzero(heights)
    first, width = columns.min(), np.ptp(columns) / 4  # four bins of one width
    at = [heights[round(first + width * (place + 0.5))] for place in range(4)]
    assert at[1] == pytest.approx(2 * at[3], rel=0.05)
    assert at[1] == pytest.approx(4 * at[0], rel=0.05)
    assert at[2] == 0


def test_no_vessel_is_said(tmp_path):
    picture = read(draw_radius_histogram(tmp_path / "a.png", []))
    assert near(picture, SKY).sum() == 0
    assert (picture[150:300, 400:700] < 100).any()  # the words in the middle


def test_other_rows(tmp_path):
    with pytest.raises(InputError, match="radius_from_voxels"):
        draw_radius_histogram(tmp_path / "a.png", [{"radius": 1}])


BANDS = [
    {
        "band": "0-2 voxels",
        "surface_dice": 0.4,
        "dice": 0.5,
        "centre_line_recall": NAN,
        "reference_voxels": 9,
    },
    {"band": "2 voxels and more", "surface_dice": 0.8, "dice": None, "centre_line_recall": 0.9},
]


def test_band_bars(tmp_path):
    picture = read(draw_band_scores(tmp_path / "a.png", BANDS))
    blue = 0.85 * np.array((0.0, 0.35, 0.55)) + 0.15
    heights = near(picture[100:], blue).sum(axis=0)
    bars = np.flatnonzero(heights > 50)
    low, high = heights[bars.min() + 5], heights[bars.max() - 5]
    assert high == pytest.approx(2 * low, rel=0.05)


def test_slab_steps(tmp_path):
    rows = [
        {"first_slice": 0, "last_slice": 63, "surface_dice": 0.4, "dice": 0.5},
        {"first_slice": 64, "last_slice": 127, "surface_dice": NAN, "dice": 0.7},
        {"first_slice": 128, "last_slice": 130, "surface_dice": 0.6, "dice": 0.2},
    ]
    picture = read(draw_slab_scores(tmp_path / "a.png", rows))
    blue, orange = (
        near(picture, color).any(axis=0).sum() for color in ((0.0, 0.35, 0.55), (0.84, 0.37, 0.0))
    )
    assert blue < 0.6 * orange  # the gap in the middle


@pytest.mark.parametrize("draw", [draw_band_scores, draw_slab_scores])
def test_tables_that_cannot_be_drawn(tmp_path, draw):
    with pytest.raises(InputError, match="without rows"):
        draw(tmp_path / "a.png", [])
    with pytest.raises(InputError, match="holds none of surface_dice"):
        draw(tmp_path / "a.png", [{"band": "a", "first_slice": 0, "last_slice": 1}])


def test_columns():
    np.testing.assert_array_equal(column([{"a": 1}, {"a": None}, {}], "a"), [1, NAN, NAN])
    assert present_scores([{"dice": 1}, {"recall": 1}], ("recall", "cldice", "dice")) == ["recall", "dice"]
