# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.presence_strips import _runs, draw_presence_strip


@pytest.mark.parametrize(
    ("flags", "runs"),
    [("", []), ("000", []), ("111", [(0, 3)]), ("0110100", [(1, 3), (4, 5)]), ("1001", [(0, 1), (3, 4)])],
)
def test_runs(flags, runs):
    assert _runs(np.array([flag == "1" for flag in flags], dtype=bool)) == runs


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def blue_share(picture):
    return float(((picture[..., 2] - picture[..., 0]) > 30).mean())


@pytest.mark.parametrize("depth", [1, 128])
@pytest.mark.parametrize("num_classes", [1, 3, 8])
def test_size_depends_on_the_classes_only(tmp_path, num_classes, depth):
    names = [f"class {k}" for k in range(num_classes)]
    path = draw_presence_strip(tmp_path / "a.png", np.zeros((num_classes, depth)), class_names=names, dpi=50)
    # 6 inches by 0.75 an axis and 0.7 for the labels, 50 dots each.
    assert read(path).shape[:2] == (int((0.75 * num_classes + 0.7) * 50), 300)


def test_reference_is_shaded(tmp_path):
    presence = np.full((1, 10), 0.5)
    shares = []
    for positive in (0, 3, 9):
        reference = np.arange(10)[None] < positive
        path = draw_presence_strip(
            tmp_path / "a.png", presence, class_names=["SRF"], reference=reference, dpi=50
        )
        shares.append(blue_share(read(path)))
    # Nine slices shade three times the area of three; without the line itself.
    assert shares[2] - shares[0] == pytest.approx(3 * (shares[1] - shares[0]), rel=0.1)


def test_shade_stands_at_its_slices(tmp_path):
    spans = []
    for positive in (np.full(10, True), np.arange(10) >= 5, np.arange(10) < 2):
        path = draw_presence_strip(
            tmp_path / "a.png", np.zeros((1, 10)), class_names=["SRF"], reference=positive[None], dpi=50
        )
        row = read(path)[20]  # above the line, which is at 0
        columns = np.flatnonzero((row[:, 2] - row[:, 0]) > 30)
        spans.append((columns.min(), columns.max() + 1))
    (left, right), second_half, first_fifth = spans
    assert second_half == pytest.approx(((left + right) / 2, right), abs=1.5)
    assert first_fifth == pytest.approx((left, left + (right - left) / 5), abs=1.5)


def test_higher_probabilities_are_drawn_higher(tmp_path):
    heights = []
    for value in (0.1, 0.9):
        path = draw_presence_strip(tmp_path / "a.png", np.full((1, 10), value), class_names=["SRF"], dpi=50)
        picture = read(path)
        heights.append(np.argwhere((picture[..., 2] - picture[..., 0]) > 30)[:, 0].mean())
    assert heights[1] < heights[0]


def test_title_is_drawn(tmp_path):
    plain = read(draw_presence_strip(tmp_path / "a.png", np.zeros((1, 4)), class_names=["SRF"], dpi=50))
    titled = read(
        draw_presence_strip(
            tmp_path / "b.png", np.zeros((1, 4)), class_names=["SRF"], dpi=50, title="Case 11"
        )
    )
    assert (plain != titled).any()


@pytest.mark.parametrize(
    ("presence", "reference", "message"),
    [
        (np.zeros((2, 4)), None, r"presence of shape \(2, 4\)"),
        (np.full((1, 4), 2.0), None, "outside 0-1"),
        (
            np.zeros((1, 4)),
            np.zeros((1, 3), bool),
            r"reference of shape \(1, 3\), presence of shape \(1, 4\)",
        ),
    ],
)
def test_wrong_input(tmp_path, presence, reference, message):
    with pytest.raises(InputError, match=message):
        draw_presence_strip(tmp_path / "a.png", presence, class_names=["SRF"], reference=reference)
    assert not list(tmp_path.iterdir())
