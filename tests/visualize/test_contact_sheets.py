# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.contact_sheets import draw_contact_sheet

NAMES = ["SRF", "PED"]


@pytest.fixture
def volume():
    image = np.random.default_rng(0).normal(0, 1, (20, 10, 8))
    mask = np.zeros(image.shape, np.uint8)
    mask[5:9, 2:6, 3] = 1
    mask[5:9, 2:6, 6] = 2
    return image, mask


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_grid_grows_with_columns_and_rows(tmp_path, volume):
    image, mask = volume
    options = {"class_names": NAMES, "panel_pixels": 100}
    one = read(draw_contact_sheet(tmp_path / "1.png", image, {"Truth": mask}, [3], **options))
    wide = read(draw_contact_sheet(tmp_path / "2.png", image, {"Truth": mask, "Net": mask}, [3], **options))
    tall = read(draw_contact_sheet(tmp_path / "3.png", image, {"Truth": mask}, [3, 6], **options))
    # Panels are 50 x 100 pixels (5 times 10 x 20) with gaps of 6.
    assert wide.shape == (one.shape[0], one.shape[1] + 56, 3)
    assert tall.shape == (one.shape[0] + 106, one.shape[1], 3)


def test_default_slices_are_those_with_findings(tmp_path, volume):
    image, mask = volume
    options = {"class_names": NAMES, "panel_pixels": 100}
    chosen = read(draw_contact_sheet(tmp_path / "1.png", image, {"Truth": mask}, num_slices=2, **options))
    given = read(draw_contact_sheet(tmp_path / "2.png", image, {"Truth": mask}, [3, 6], **options))
    np.testing.assert_array_equal(chosen, given)


def test_reference_with_pixels_without_annotation(tmp_path, volume):
    image, mask = volume
    options = {"class_names": NAMES, "panel_pixels": 100, "num_slices": 2}
    whole = read(draw_contact_sheet(tmp_path / "1.png", image, {"Truth": mask}, **options))
    partly = np.where(mask == 0, 255, mask).astype(np.uint8)
    np.testing.assert_array_equal(
        read(draw_contact_sheet(tmp_path / "2.png", image, {"Truth": partly}, **options)), whole
    )


def test_first_column_is_the_bare_image(tmp_path, volume):
    image, mask = volume
    red = [(250, 0, 0), (0, 250, 0)]
    options = {"class_names": NAMES, "panel_pixels": 100, "class_colors": red}
    sheet = read(draw_contact_sheet(tmp_path / "1.png", image, {"Truth": mask}, [3], **options))
    above_legend = sheet[:-30]
    columns = np.flatnonzero((above_legend == red[0]).all(axis=2).any(axis=0))
    # The lesion's outline: columns 2-5 of the second panel, 5 pixels each, that is 10 to 29 of its 50 pixels.
    second = sheet.shape[1] - 6 - 50
    assert (columns.min(), columns.max()) == (second + 10, second + 29)


@pytest.mark.parametrize(
    ("columns", "slices", "message"),
    [
        ({}, [0], "needs at least one mask"),
        ({"a": np.zeros((20, 10, 7), np.uint8)}, [0], "does not fit the image"),
        ({"a": np.zeros((20, 10, 8), np.uint8)}, [8], r"slices \[8\] where 0 to 7"),
        ({"a": np.zeros((20, 10, 8), np.uint8)}, [-1], r"slices \[-1\]"),
        ({"a": np.zeros((20, 10, 8), np.uint8)}, [], r"slices \[\]"),
        ({"a": np.full((20, 10, 8), 3, np.uint8)}, None, "class 3 in slice 1"),
    ],
)
def test_wrong_input(tmp_path, volume, columns, slices, message):
    with pytest.raises(InputError, match=message):
        draw_contact_sheet(tmp_path / "a.png", volume[0], columns, slices, class_names=NAMES)
    assert not list(tmp_path.iterdir())
