# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms.lungs.shrink import shrink, small_grid
from tomobundles.utils import InputError

PLS = np.array(
    [[0, -1.0, 0, 0], [-1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1]]
)  # rows back, columns left, slices up


def test_block_means_by_hand():
    hu = np.arange(16, dtype=np.int16).reshape(4, 4, 1)
    affine = PLS @ np.diag([1, 1, 5, 1])
    grid = small_grid(hu.shape, affine, spacing_mm=2)
    assert grid.factors == (2, 2, 1)
    assert shrink(hu, grid)[..., 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert grid.spacing == (2, 2, 5)
    assert grid.zyx == (5, 2, 2)
    # the first block's centre lies between the first two voxels
    assert (grid.affine @ [0, 0, 0, 1]).tolist() == (affine @ [0.5, 0.5, 0, 1]).tolist()


def test_an_incomplete_block_is_filled_with_its_last_voxel():
    hu = np.array([0, 10, 40], np.int16).reshape(3, 1, 1)
    assert shrink(hu, small_grid(hu.shape, PLS)).ravel().tolist() == [5, 40]


def test_a_thicker_axis_is_kept():
    assert small_grid((10, 10, 10), PLS @ np.diag([0.7, 1.4, 5, 1])).factors == (3, 1, 1)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint16, np.float32, np.float64])
def test_types_agree(dtype):
    hu = np.random.default_rng(0).integers(0, 3000, (9, 8, 7)).astype(dtype)
    grid = small_grid(hu.shape, PLS * 0.7)
    np.testing.assert_allclose(shrink(hu, grid), shrink(hu.astype(np.int32), grid), rtol=1e-6)


def test_fills_are_cut_and_nan_is_air():
    hu = np.array([-3024, -2000, 9000], np.int16).reshape(3, 1, 1)
    grid = small_grid(hu.shape, PLS * [[2], [2], [2], [1]])
    assert shrink(hu, grid).ravel().tolist() == [-1024, -1024, 3071]
    hu = np.array([np.nan, -np.inf, np.inf], np.float32).reshape(3, 1, 1)
    assert shrink(hu, grid).ravel().tolist() == [-1024, -1024, 3071]


def test_many_voxels_in_a_block_do_not_overflow():
    hu = np.full((12, 12, 12), 3071, np.int16)
    assert (
        shrink(hu, small_grid(hu.shape, PLS * 0.1 + np.diag([0, 0, 0, 0.9]), spacing_mm=0.6)) == 3071
    ).all()


def test_a_scan_of_several_slabs(monkeypatch):
    hu = np.random.default_rng(1).integers(-1000, 1000, (7, 8, 9)).astype(np.int16)
    grid = small_grid(hu.shape, PLS)
    whole = shrink(hu, grid)
    monkeypatch.setattr("tomobundles.transforms.lungs.shrink._SLAB_BYTES", 1)
    np.testing.assert_array_equal(shrink(hu, grid), whole)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_any_stored_direction_gives_the_patients_axes(axes, flips):
    hu = np.random.default_rng(2).integers(-1000, 1000, (8, 6, 4)).astype(np.int16)
    affine = PLS @ np.diag([1, 1, 1, 1])
    affine[:3, 3] = [3, -5, 7]
    straight = shrink(hu, small_grid(hu.shape, affine))
    turned, turned_affine = hu.transpose(axes), affine[:, [*axes, 3]]
    for axis in flips:
        turned = np.flip(turned, axis)
        turned_affine = turned_affine @ _flip(axis, turned.shape[axis])
    grid = small_grid(turned.shape, turned_affine)
    assert shrink(turned, grid).shape == grid.shape
    np.testing.assert_allclose(shrink(turned, grid), straight)
    np.testing.assert_allclose(grid.affine, small_grid(hu.shape, affine).affine)


def _flip(axis, size):
    matrix = np.eye(4)
    matrix[axis, axis], matrix[axis, 3] = -1, size - 1
    return matrix


def test_oblique_directions_stay_in_the_affine():
    angle = np.deg2rad(10)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    grid = small_grid((10, 10, 10), turn @ PLS)
    np.testing.assert_allclose(grid.affine[:3, :3], 2 * (turn @ PLS)[:3, :3])


@pytest.mark.parametrize("shape", [(3, 3), (0, 3, 3), (1, 3, 3, 3)])
def test_refuses_shapes(shape):
    with pytest.raises(InputError, match="volume of shape"):
        small_grid(shape, PLS)


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.nan)])
def test_refuses_affines(affine):
    with pytest.raises(InputError, match="spans no volume"):
        small_grid((3, 3, 3), affine)


def test_refuses_a_spacing_that_is_not_positive():
    with pytest.raises(InputError, match="spacing of 0 mm"):
        small_grid((3, 3, 3), PLS, spacing_mm=0)
