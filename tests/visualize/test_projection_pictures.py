# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.agreement import AGREEMENT_COLORS
from tomobundles.visualize.projection_pictures import draw_projections, picture_size, resize_plane

from .volumes import Boxes


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize(
    ("shape", "spacing", "size"),
    [
        ((300, 500), (1, 1), (300, 500)),
        ((4000, 1000), (1, 1), (2000, 500)),
        ((300, 500), (2, 1), (600, 500)),  # rows twice as far apart
        ((30, 50), (1, 1), (360, 600)),  # enlarged by 12
        ((100, 3000), (50, 10), (333, 2000)),
        ((1, 5000), (1, 1), (1, 2000)),
    ],
)
def test_sizes(shape, spacing, size):
    assert picture_size(shape, spacing, longest=2000) == size


def test_resize_pools_and_repeats():
    plane = np.array([[1, 2, 3, 4, 5], [9, 8, 7, 6, 5]])
    assert resize_plane(plane, (1, 2), pool=np.maximum).tolist() == [[9, 7]]
    assert resize_plane(plane, (2, 2), pool=np.minimum).tolist() == [[1, 3], [8, 5]]
    np.testing.assert_array_equal(resize_plane(plane, (4, 5), pool=np.maximum), plane.repeat(2, axis=0))


def test_thin_vessels_stay():
    plane = np.zeros((4000, 4000), bool)
    plane[1234, 777] = True
    assert resize_plane(plane, (2000, 2000), pool=np.logical_or).sum() == 1


def test_files(tmp_path):
    shape = (20, 30, 40)
    image = np.random.default_rng(0).integers(100, 200, shape, np.uint16)
    mask, reference = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    mask[5, 10:12, 20], reference[5, 11:13, 20] = 1, 255
    written = draw_projections(
        tmp_path / "mip", Boxes(image), Boxes(mask, spacing_um=(50, 50, 50)), reference=Boxes(reference)
    )
    names = {f"{kind}_{axis}" for kind in ("image", "vessels", "agreement") for axis in "zyx"}
    assert set(written) == names
    assert {path.name for path in (tmp_path / "mip").iterdir()} == {f"{name}.png" for name in names}
    gray = read(written["image_z"])
    assert gray.shape == (450, 600, 3)  # 15 pixels a voxel
    assert read(written["image_y"]).shape == (300, 600, 3)
    assert read(written["image_x"]).shape[1] == 600
    picture = read(written["agreement_z"])[:450, :600]
    centres = picture[7 + 15 * 10 : 7 + 15 * 13 : 15, 7 + 15 * 20]
    assert [tuple(one) for one in centres.tolist()] == [AGREEMENT_COLORS[place] for place in (1, 0, 2)]
    assert (picture.reshape(-1, 3).any(axis=1).sum()) == 3 * 15 * 15


def test_near_vessels_are_brighter(tmp_path):
    mask = np.zeros((50, 20, 20), np.uint8)
    mask[0, 3, 3] = mask[49, 10, 10] = 1
    written = draw_projections(tmp_path, Boxes(mask), Boxes(mask))
    assert set(written) == {f"{kind}_{axis}" for kind in ("image", "vessels") for axis in "zyx"}
    picture = read(written["vessels_z"]).sum(axis=2)
    assert picture[3 * 30 + 5, 3 * 30 + 5] > picture[10 * 30 + 5, 10 * 30 + 5] > 100
    assert picture[5 * 30, 5 * 30] == 0


def test_large_volumes_are_reduced(tmp_path):
    mask = np.zeros((3, 900, 40), np.uint8)
    mask[1, 700, 20] = 1
    written = draw_projections(tmp_path, Boxes(mask), Boxes(mask), max_pixels=90)
    assert read(written["image_z"]).shape[0] == 90
    assert (read(written["vessels_z"])[:90, :4].any(axis=2)).sum() == 1


def test_wrong_shape_writes_nothing(tmp_path):
    with pytest.raises(InputError, match="do not fit"):
        draw_projections(tmp_path / "a", Boxes(np.zeros((2, 2, 2))), Boxes(np.zeros((2, 2, 3))))
    assert not list(tmp_path.iterdir())
