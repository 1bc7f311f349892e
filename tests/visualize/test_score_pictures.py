# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.score_pictures import draw_score_curves, draw_score_map

NAMES = ["SDH", "any"]
OPTIONS = {"class_names": NAMES, "thresholds": [0.5, 0.5]}
COLORS = [(213, 94, 0), (110, 110, 110)]


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def curves(path, alone, context, **options):
    return read(draw_score_curves(path, alone, context, colors=COLORS, **OPTIONS, **options))


def heat_map(path, values, **options):
    return read(draw_score_map(path, values, **OPTIONS, **options))


@pytest.mark.parametrize("depth", [1, 33, 250])
def test_size_depends_on_the_classes_only(tmp_path, depth):
    values = np.random.default_rng(0).random((2, depth))
    assert curves(tmp_path / "a.png", values, values).shape[:2] == (round(150 * (0.72 * 2 + 0.75)), 1050)
    assert heat_map(tmp_path / "b.png", values).shape[:2] == (205, 1050)  # 1.37 inches


def dark_red(picture):
    return ((picture[..., 0] > 120) & (picture[..., 1] < 40) & (picture[..., 2] < 40)).sum()


def test_flags_are_seen_in_the_curves(tmp_path):
    values, flagged = np.full((2, 9), 0.2), np.zeros((2, 9), bool)
    without = curves(tmp_path / "a.png", values, values, flagged=flagged)
    flagged[0, 4] = True
    with_flag = curves(tmp_path / "b.png", values, values, flagged=flagged)
    assert dark_red(with_flag) > dark_red(without) + 20


def test_the_curves_keep_the_class_colour(tmp_path):
    alone, context = np.full((2, 9), 0.2), np.full((2, 9), 0.8)
    picture = curves(tmp_path / "a.png", alone, context, flagged=alone > 1)
    line = np.rint(0.75 * np.array(COLORS[0]))
    assert (np.abs(picture - line).max(axis=2) <= 1).sum() > 300


def test_reference_is_shaded(tmp_path):
    values, label = np.zeros((2, 10)), np.full((2, 10), np.nan)
    plain = curves(tmp_path / "a.png", values, values, label=label)
    label[0, :5] = 1
    shaded = curves(tmp_path / "b.png", values, values, label=label)
    gray = np.rint(0.86 * 255)

    def share(picture):
        return (np.abs(picture - gray).max(axis=2) <= 1).mean()

    assert share(shaded) > share(plain) + 0.05


def test_map_darkens_with_the_probability(tmp_path):
    means = [heat_map(tmp_path / "a.png", np.full((2, 5), value)).mean() for value in (0.0, 0.2, 0.45)]
    assert means[0] > means[1] > means[2]


def test_marks_of_the_map(tmp_path):
    values = np.full((2, 5), 0.1)
    plain = heat_map(tmp_path / "a.png", values)
    assert np.array_equal(plain, heat_map(tmp_path / "b.png", values, flagged=values > 1))
    flagged, label = np.zeros((2, 5), bool), np.zeros((2, 5))
    flagged[0, 1] = label[1, 3] = 1
    for marks in ({"flagged": flagged}, {"label": label}):
        assert not np.array_equal(plain, heat_map(tmp_path / "c.png", values, **marks))


@pytest.mark.parametrize(
    ("values", "marks", "message"),
    [
        (np.zeros((3, 5)), {}, r"presence of shape \(3, 5\)"),
        (np.full((2, 5), np.nan), {}, "outside 0-1 or NaN"),
        (np.zeros((2, 5)), {"flagged": np.zeros((2, 4), bool)}, r"flags or labels of shape \(2, 4\)"),
        (np.zeros((2, 5)), {"label": np.zeros((1, 5))}, r"flags or labels of shape \(1, 5\)"),
    ],
)
def test_wrong_input(tmp_path, values, marks, message):
    with pytest.raises(InputError, match=message):
        curves(tmp_path / "a.png", values, values, **marks)
    with pytest.raises(InputError, match=message):
        heat_map(tmp_path / "a.png", values, **marks)
    assert not list(tmp_path.iterdir())
