# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.surfaces import Surface, extract_surface, pooled_shape, read_pooled

from .volumes import Boxes, ball


def edges(surface):
    """How often each edge occurs with its direction, and without."""
    faces = surface.faces
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = np.unique(ends, axis=0, return_counts=True)[1]
    return directed, np.unique(np.sort(ends, axis=1), axis=0, return_counts=True)[1]


def triangles(surface):
    """The set of triangles by place, whatever the vertices' order."""
    corners = surface.vertices[surface.faces]
    turned = [np.roll(one, -int(np.lexsort(one.T)[0]), axis=0).ravel() for one in corners]
    return {tuple(one.tolist()) for one in turned}


def test_one_voxel():
    # Marching cubes at 0.5 cuts halfway to each neighbour: an octahedron with axes of 1, volume 1/6,
    # 8 equilateral triangles of side 1/sqrt(2), area sqrt(3)/8 each.
    mask = np.zeros((3, 4, 5), np.uint8)
    mask[1, 2, 3] = 255
    surface = extract_surface(Boxes(mask))
    assert (len(surface.vertices), len(surface.faces)) == (6, 8)
    assert (surface.unit, surface.step) == ("voxel", 1)
    assert surface.volume == pytest.approx(1 / 6)
    assert surface.area == pytest.approx(np.sqrt(3))
    np.testing.assert_allclose(
        surface.vertices.mean(axis=0), [3.5, 2.5, 1.5]
    )  # x, y, z of the voxel's centre
    np.testing.assert_allclose(np.ptp(surface.vertices, axis=0), [1, 1, 1])


def test_micrometres():
    mask = np.zeros((3, 3, 3), np.uint8)
    mask[1, 1, 1] = 1
    surface = extract_surface(Boxes(mask, spacing_um=(50, 20, 10)))
    assert surface.unit == "um"
    np.testing.assert_allclose(surface.vertices.mean(axis=0), [15, 30, 75])
    assert surface.volume == pytest.approx(50 * 20 * 10 / 6)
    assert extract_surface(Boxes(mask), spacing_um=(2, 2, 2)).volume == pytest.approx(8 / 6)


def test_ball():
    mask = ball(15)
    surface = extract_surface(Boxes(mask))
    assert surface.volume == pytest.approx(mask.sum(), rel=0.005)
    assert surface.volume == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.005)
    assert surface.area == pytest.approx(4 * np.pi * 15**2, rel=0.1)  # the voxels' steps add 9 %
    outward = surface.vertices[surface.faces].mean(axis=1) - 20.5
    assert ((outward * surface.normals()).sum(axis=1) > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_closed_whatever_the_mask(seed):
    # noise holds every one of the 256 cubes, the ambiguous ones too, and touches all borders
    mask = np.random.default_rng(seed).random((11, 9, 10)) < (0.2, 0.4, 0.6, 1)[seed]
    directed, undirected = edges(extract_surface(Boxes(mask), block=4))
    assert (directed == 1).all()
    assert (undirected == 2).all()


@pytest.mark.parametrize("block", [1, 3, 7, 64])
def test_blocks_equal_the_whole(block):
    mask = np.random.default_rng(0).random((9, 14, 8)) < 0.3
    whole = extract_surface(Boxes(mask), block=1000)
    cut = extract_surface(Boxes(mask), block=block)
    assert len(cut.vertices) == len(whole.vertices)
    assert triangles(cut) == triangles(whole)


def test_slabs_are_read():
    volume = Boxes(ball(4, shape=(200, 10, 12), centre=(100, 5, 6)))
    extract_surface(volume, block=8)
    assert volume.largest <= 10 * 12


def test_pooling_takes_the_maximum():
    mask = np.zeros((5, 4, 3), np.uint8)
    mask[4, 3, 2] = 1
    assert pooled_shape(mask.shape, 2) == (3, 2, 2)
    pooled = read_pooled(Boxes(mask), 0, 3, 2)
    assert np.argwhere(pooled).tolist() == [[2, 1, 1]]
    assert read_pooled(Boxes(mask), 1, 2, 2).shape == (1, 2, 2)
    np.testing.assert_array_equal(read_pooled(Boxes(mask), 0, 5, 1), mask != 0)


def test_pooled_surface_keeps_its_place():
    surface = extract_surface(Boxes(ball(12)), downsample=2)
    assert surface.step == 2
    np.testing.assert_allclose(surface.vertices.mean(axis=0), [20.5, 20.5, 20.5], atol=0.6)
    assert 1.0 < surface.volume / ball(12).sum() < 1.3  # half a voxel thicker on the whole


def test_faces_are_limited():
    fine = extract_surface(Boxes(ball(15)))
    coarse = extract_surface(Boxes(ball(15)), max_faces=1000)
    assert len(fine.faces) > 1000 >= len(coarse.faces)
    assert coarse.step > 1
    assert extract_surface(Boxes(ball(15)), max_faces=len(fine.faces)).step == 1
    assert len(extract_surface(Boxes(ball(15)), downsample=1, max_faces=1).faces) == len(fine.faces)


def test_empty_mask():
    surface = extract_surface(Boxes(np.zeros((4, 4, 4), np.uint8)))
    assert surface.vertices.shape == surface.faces.shape == (0, 3)
    assert surface.area == surface.volume == 0


def test_full_mask_is_closed_at_the_borders():
    surface = extract_surface(Boxes(np.ones((4, 4, 4), bool)), block=2)
    # a box of 4 with its edges and corners cut: 3 x 3 x 3 within, 6 plates of 3 x 3 x 1/2, 12 half edges of
    # 3 x 1/8, 8 corners of 1/48
    assert surface.volume == pytest.approx(27 + 27 + 12 * 3 / 8 + 8 / 48)


@pytest.mark.parametrize("options", [{"downsample": 0}, {"block": 0}, {"max_faces": 0}])
def test_wrong_options(options):
    with pytest.raises(InputError, match="give 1 or more"):
        extract_surface(Boxes(np.ones((2, 2, 2))), **options)


def test_too_few_faces_asked():
    with pytest.raises(InputError, match="no surface has as few as 7 faces"):
        extract_surface(Boxes(np.ones((4, 4, 4))), max_faces=7)


def test_area_of_a_triangle():
    corners = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0]], np.float32)
    assert Surface(corners, np.array([[0, 1, 2]], np.int32)).area == 6
