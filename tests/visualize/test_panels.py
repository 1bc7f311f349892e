# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image, ImageDraw

from tomobundles.visualize.colors import CLASS_COLORS
from tomobundles.visualize.panels import (
    Legend,
    PanelSize,
    draw_panel,
    fit_text,
    paste_panel,
    resize_mask,
    text_width,
    wrap_text,
)


@pytest.mark.parametrize(
    ("rows", "columns", "size"),
    [
        (48, 32, PanelSize(width=256, height=384)),  # 400 // 48 = 8 times
        (400, 100, PanelSize(100, 400)),
        (1024, 512, PanelSize(200, 400)),
        (3, 4000, PanelSize(400, 1)),  # 0.3 rows would vanish
    ],
)
def test_size(rows, columns, size):
    assert PanelSize.fit(rows, columns, longest=400) == size


def test_mask_enlarges_by_whole_pixels():
    mask = np.array([[0, 1], [2, 0]], np.int64)
    assert resize_mask(mask, PanelSize(4, 4)).tolist() == np.kron(mask, np.ones((2, 2), int)).tolist()


def test_mask_shrinks_to_the_class_that_covers_most():
    # Blocks of 2 x 2 from left to right: three of four are class 1; all class 2; all background.
    mask = np.array([[1, 1, 2, 2, 0, 0], [1, 0, 2, 2, 0, 0]], np.uint8)
    assert resize_mask(mask, PanelSize(3, 1)).tolist() == [[1, 2, 0]]


def test_pixels_without_annotation_become_background():
    mask = np.array([[255, 255, 1, 1], [255, 0, 1, 255]], np.uint8)
    assert resize_mask(mask, PanelSize(2, 1)).tolist() == [[0, 1]]
    assert resize_mask(mask, PanelSize(4, 2)).tolist() == [[0, 0, 1, 1], [0, 0, 1, 0]]


def test_a_tiny_class_does_not_vanish():
    mask = np.zeros((40, 40), np.uint8)
    mask[20, 30] = 3  # one of 16 pixels of the panel's pixel (5, 7)
    small = resize_mask(mask, PanelSize(10, 10))
    assert np.argwhere(small).tolist() == [[5, 7]]
    assert small[5, 7] == 3


def test_panel_without_mask_is_gray():
    gray = np.array([[0, 100], [200, 40]], np.uint8)
    panel = draw_panel(gray, None, PanelSize(2, 2))
    assert (panel == gray[..., None]).all()
    assert draw_panel(gray, None, PanelSize(1, 1)).tolist() == [[[85, 85, 85]]]  # the mean of the four


def test_panel_outline_is_thin_after_enlarging():
    panel = draw_panel(
        np.zeros((3, 3), np.uint8),
        np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        PanelSize(30, 30),
        class_colors=[(250, 0, 0)],
        alpha=0.2,
    )
    assert (panel[..., 0] == 250).sum() == 36  # the rim of 10 x 10 pixels
    assert (panel[..., 0] == 50).sum() == 64


def test_frame_lies_around_the_panel():
    canvas = Image.new("RGB", (6, 6), (255, 255, 255))
    paste_panel(canvas, np.full((2, 2, 3), 255, np.uint8), 2, 2)
    pixels = np.asarray(canvas)[..., 0]
    assert (pixels == 128).sum() == 12
    assert (pixels[2:4, 2:4] == 255).all()


def test_long_texts_are_shortened():
    assert fit_text("short", 1000, 12) == "short"
    cut = fit_text("a very long name of a network", 80, 12)
    assert cut.endswith("...")
    assert text_width(cut, 12) <= 80
    assert fit_text("abc", 1, 12) == "..."


def test_titles_wrap_at_spaces():
    lines = wrap_text("UNet & UNet++ fusion of two", 80, 12)
    assert len(lines) > 1
    assert " ".join(lines) == "UNet & UNet++ fusion of two"
    assert all(text_width(line, 12) <= 80 for line in lines)
    assert wrap_text("", 80, 12) == [""]
    assert wrap_text("Segmentation", 30, 12)[0].endswith("...")


def test_legend_breaks_lines_and_shows_each_color():
    names = [f"class {k}" for k in range(1, 9)]
    legend = Legend(names, size=12)
    assert legend.lines(10_000) == [list(range(8))]
    assert len(legend.lines(1)) == 8
    assert legend.height(1) == 8 * legend.height(10_000)
    canvas = Image.new("RGB", (200, legend.height(200)), (255, 255, 255))
    legend.draw(ImageDraw.Draw(canvas), 0, 0, 200)
    colors = {color for _, color in canvas.getcolors(100_000)}
    assert set(CLASS_COLORS) <= colors
