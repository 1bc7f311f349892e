# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.agreement import AGREEMENT_COLORS
from tomobundles.visualize.vessel_slices import count_voxels, draw_slices, read_plane

from .volumes import Boxes

SHAPE = (12, 20, 30)
IMAGE = np.random.default_rng(0).integers(5000, 20000, SHAPE).astype(np.uint16)
MASK = np.zeros(SHAPE, np.uint8)
MASK[4:7, 5:12, 10:20] = 1


def draw(path, *, mask=MASK, reference=None, spacing_um=None, **options):
    volumes = Boxes(IMAGE, spacing_um=spacing_um), Boxes(mask)
    other = None if reference is None else Boxes(reference)
    with Image.open(draw_slices(path, *volumes, reference=other, panel_pixels=120, **options)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def has(picture, color):
    return (picture == np.array(color)).all(axis=2).sum()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_counts_and_planes(axis):
    others = tuple(one for one in range(3) if one != axis)
    np.testing.assert_array_equal(count_voxels(Boxes(MASK), axis=axis), MASK.sum(axis=others))
    np.testing.assert_array_equal(read_plane(Boxes(IMAGE), 3, axis=axis), IMAGE.take(3, axis=axis))


def test_slices_with_vessels_come_first(tmp_path):
    picture = draw(tmp_path / "a.png", count=1)
    assert has(picture, AGREEMENT_COLORS[0]) > 100
    without = draw(tmp_path / "b.png", slices=[0])
    # the legend's box is left
    assert 0 < has(without, AGREEMENT_COLORS[0]) < has(picture, AGREEMENT_COLORS[0])
    assert has(picture, AGREEMENT_COLORS[1]) == 0


def test_prediction_against_reference(tmp_path):
    picture = draw(tmp_path / "a.png", reference=np.roll(MASK, 4, axis=2) * 255, slices=[5])
    assert all(has(picture, color) > 200 for color in AGREEMENT_COLORS)


def test_the_reference_chooses(tmp_path):
    reference = np.zeros(SHAPE, np.uint8)
    reference[11, 3:9, 3:9] = 255
    picture = draw(tmp_path / "a.png", reference=reference, count=1)
    expected = draw(tmp_path / "b.png", reference=reference, slices=[11])
    np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 1), (3, 2), (6, 3), (40, 6)])
def test_two_slices_a_row(tmp_path, count, rows):
    # panels of 120 x 80, title of 16 pixels and gaps; the legend is one line
    height = draw(tmp_path / "a.png", count=count).shape[0]
    assert rows * 80 < height < rows * 115 + 40


def test_larger_voxels_are_drawn_longer(tmp_path):
    flat = draw(tmp_path / "a.png", slices=[0], spacing_um=(1, 1, 1))
    tall = draw(tmp_path / "b.png", slices=[0], spacing_um=(1, 3, 1))  # 60 x 30 in space: 120 x 60 pixels
    assert (flat.shape[1] - tall.shape[1], tall.shape[0] - flat.shape[0]) == (120, 40)
    across = draw(tmp_path / "c.png", slices=[0], axis=2, spacing_um=(10, 1, 1))
    assert across.shape[0] > across.shape[1]


@pytest.mark.parametrize("options", [{"axis": 3}, {"count": 0}])
def test_wrong_options(tmp_path, options):
    with pytest.raises(InputError, match="give axis 0, 1 or 2"):
        draw(tmp_path / "a.png", **options)


@pytest.mark.parametrize("slices", [[], [12], [-1]])
def test_wrong_slices(tmp_path, slices):
    with pytest.raises(InputError, match="where 0 to 11 are possible"):
        draw(tmp_path / "a.png", slices=slices)
    assert not list(tmp_path.iterdir())


def test_wrong_shape(tmp_path):
    with pytest.raises(InputError, match="do not fit"):
        draw(tmp_path / "a.png", mask=MASK[1:])
