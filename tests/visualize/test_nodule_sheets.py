# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.nodule_planes import ANNOTATED, CANDIDATE, NoduleMark
from tomobundles.visualize.nodule_sheets import (
    compose_nodule_card,
    compose_nodule_sheet,
    nodule_panels,
    write_png,
)

SHAPE = (40, 50, 60)
CENTRE = (22, 28, 35)
ONE = (1.0, 1.0, 1.0)


def dark():
    return np.zeros(SHAPE, np.uint8)


def extent(panel, color):
    """Rows and columns of a colour: first, last."""
    there = np.argwhere((panel == color).all(axis=-1))
    return there.min(axis=0).tolist(), there.max(axis=0).tolist()


def test_a_circle_has_its_diameter_in_all_planes():
    panels = nodule_panels(dark(), NoduleMark(CENTRE, 10.0), spacing=ONE, width_mm=31, pixels_per_mm=4)
    assert [panel.shape for panel in panels] == [(124, 124, 3)] * 3
    for panel in panels:
        low, high = extent(panel, CANDIDATE)
        # 10 mm are 40 pixels about the middle, 61.5
        assert low == pytest.approx([41.5, 41.5], abs=1)
        assert high == pytest.approx([81.5, 81.5], abs=1)


def test_voxels_that_are_no_cubes_are_drawn_in_mm():
    volume = dark()
    volume[18:27, 23:34, 33:38] = 200
    options = {"spacing": (1.0, 0.5, 2.0), "width_mm": 30.0, "pixels_per_mm": 4.0}
    for panel, size in zip(
        nodule_panels(volume, NoduleMark((22, 28, 35), 10.0), **options),
        [(9, 5.5), (10, 5.5), (10, 9)],
        strict=True,
    ):
        bright = panel.min(axis=-1) > 120
        bright[:20], bright[-8:], bright[40:80, :12], bright[40:80, -12:] = False, False, False, False
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        assert (np.ptp(rows) / 4, np.ptp(columns) / 4) == pytest.approx(size, abs=1)
        low, high = extent(panel, CANDIDATE)
        assert np.subtract(high, low) / 4 == pytest.approx([10, 10], abs=0.5)


def test_a_fraction_of_a_voxel_moves_the_circle():
    options = {"spacing": ONE, "width_mm": 31.0, "pixels_per_mm": 4.0}
    one = extent(nodule_panels(dark(), NoduleMark(CENTRE, 10.0), **options)[0], CANDIDATE)
    mark = NoduleMark((CENTRE[0] + 0.25, CENTRE[1] - 0.25, CENTRE[2]), 10.0)
    other = extent(nodule_panels(dark(), mark, **options)[0], CANDIDATE)
    assert np.subtract(other, one).tolist() == [[1, -1], [1, -1]]


def test_annotated_nodules_are_cut_by_the_plane():
    # the plane is 3 mm above the annotated centre: of a radius of 5, 4 are left
    other = NoduleMark((CENTRE[0], CENTRE[1], CENTRE[2] - 3), 10.0)
    far = NoduleMark((CENTRE[0], CENTRE[1], CENTRE[2] - 9), 10.0)
    options = {"spacing": ONE, "width_mm": 31.0, "pixels_per_mm": 4.0, "annotated": [other, far]}
    axial, *_ = nodule_panels(dark(), NoduleMark(CENTRE, 4.0), **options)
    low, high = extent(axial, ANNOTATED)
    assert np.subtract(high, low) / 4 == pytest.approx([8, 8], abs=0.5)


@pytest.mark.parametrize("centre", [(0, 0, 0), (39, 49, 59), (-3.0, 49.9, 70.0), (500, 500, 500)])
def test_beyond_the_image_it_is_black(centre):
    volume = np.full(SHAPE, 120, np.uint8)
    panels = nodule_panels(volume, NoduleMark(centre, 5.0), spacing=ONE)
    assert [panel.shape for panel in panels] == [(168, 168, 3)] * 3
    assert all((panel == 0).all(axis=-1).mean() > 0.4 for panel in panels)


def test_a_card_has_its_lines_below():
    panels = nodule_panels(dark(), NoduleMark(CENTRE, 5.0), spacing=ONE, width_mm=40)
    plain, with_lines = compose_nodule_card(panels), compose_nodule_card(panels, ["one", "two " * 100])
    assert plain.size == (3 * 120 + 4, 120)
    assert with_lines.width == plain.width
    assert 20 < with_lines.height - plain.height < 40
    assert (np.asarray(with_lines)[122:].min(axis=-1) < 100).any()


@pytest.mark.parametrize(
    ("count", "across", "rows"), [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 3, 2), (12, 3, 4)]
)
def test_a_sheet_has_three_cards_a_row(count, across, rows):
    marks = [NoduleMark(CENTRE, 5.0, str(one), ["a", "b"]) for one in range(count)]
    sheet = compose_nodule_sheet(dark(), marks, spacing=ONE, title="scan", notes=["note"], width_mm=40)
    orange = (np.asarray(sheet) == CANDIDATE).all(axis=-1)
    card = 3 * 120 + 4 + 18
    found = [
        orange[:, column * card + 12 : (column + 1) * card + 12].any()
        for column in range(sheet.width // card)
    ]
    assert found == [True] * across
    starts = np.flatnonzero(np.diff(orange.any(axis=1).astype(int)) == 1)
    assert len(starts) == rows


def test_a_sheet_without_candidates_has_its_title():
    sheet = compose_nodule_sheet(dark(), [], spacing=ONE, title="none", notes=["note"])
    assert sheet.height < 80
    assert (np.asarray(sheet).min(axis=-1) < 100).any()
    assert (np.asarray(compose_nodule_sheet(dark(), [], spacing=ONE)) == 255).all()


@pytest.mark.parametrize(
    "image", [np.zeros(SHAPE), np.zeros((4, 5), np.uint8), np.zeros((0, 4, 5), np.uint8)]
)
def test_an_image_of_another_kind(image):
    with pytest.raises(InputError, match=r"where \(H, W, D\) uint8 is expected"):
        nodule_panels(image, NoduleMark(CENTRE, 5.0), spacing=ONE)


def test_a_png(tmp_path):
    path = write_png(tmp_path / "a" / "b.png", Image.new("RGB", (4, 3), (1, 2, 3)))
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (4, 3))
