# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms import read_oblique, read_patch, rotation_matrix

from .volumes import Boxes

RNG = np.random.default_rng(0)
ARRAY = RNG.random((9, 11, 13)).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_patch_inside_is_a_slab_of_the_turned_array(axis):
    patch, inside = read_patch(Boxes(ARRAY), axis=axis, start=(2, 1, 3), size=(3, 5, 4))
    assert np.array_equal(patch, np.moveaxis(ARRAY, axis, 0)[2:5, 1:6, 3:7])
    assert inside.all()
    assert inside.shape == patch.shape == (3, 5, 4)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("start", [(-1, -3, 2), (7, 8, 9), (-2, -9, -9)])
def test_outside_the_edge_repeats(axis, start):
    size = (5, 20, 21)
    patch, inside = read_patch(Boxes(ARRAY), axis=axis, start=start, size=size)
    padded = np.pad(np.moveaxis(ARRAY, axis, 0), 40, mode="edge")
    known = np.pad(np.moveaxis(np.ones(ARRAY.shape, bool), axis, 0), 40)
    box = tuple(slice(40 + first, 40 + first + count) for first, count in zip(start, size, strict=True))
    assert np.array_equal(patch, padded[box])
    assert np.array_equal(inside, known[box])


def test_only_the_patch_is_read():
    volume = Boxes(ARRAY)
    read_patch(volume, axis=2, start=(4, 1, 2), size=(3, 2, 20))
    assert volume.boxes == [(slice(1, 3), slice(2, 11), slice(4, 7))]


def test_rotations():
    assert np.allclose(rotation_matrix((0, 0, 0)), np.eye(3))
    # about z a quarter turn takes y to x, about y it takes z to x, about x z to y
    assert np.allclose(rotation_matrix((90, 0, 0)) @ [0, 1, 0], [0, 0, 1])
    assert np.allclose(rotation_matrix((0, 90, 0)) @ [1, 0, 0], [0, 0, 1])
    assert np.allclose(rotation_matrix((0, 0, 90)) @ [1, 0, 0], [0, 1, 0])
    turn = rotation_matrix((10, -20, 30))
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_no_turn_gives_the_straight_patch(axis):
    # slice 4 of 3, row 5 of 5, column 6 of 4 lie at 1, 2, 2 of the patch: it starts at 3, 3, 4
    centre = [0, 0, 0]
    for other, place in zip((axis, *(o for o in range(3) if o != axis)), (4, 5, 6), strict=True):
        centre[other] = place
    size = (3, 5, 4)
    patch, inside = read_oblique(Boxes(ARRAY), axis=axis, centre=centre, size=size, rotation=np.eye(3))
    straight, _ = read_patch(Boxes(ARRAY), axis=axis, start=(3, 3, 4), size=size)
    assert np.allclose(patch, straight, atol=1e-6)
    assert inside.all()


def test_a_ramp_is_read_exactly_on_any_plane():
    z, y, x = np.indices((30, 30, 30))
    ramp = (2.0 * z + 3.0 * y - x).astype(np.float32)
    turn = rotation_matrix((20, -25, 15))
    patch, inside = read_oblique(Boxes(ramp), axis=0, centre=(15, 14, 16), size=(3, 9, 8), rotation=turn)
    assert inside.all()
    offset = turn @ np.array([1, 4, -4])  # the last slice, last row, first column
    assert patch[2, 8, 0] == pytest.approx(56 + 2 * offset[0] + 3 * offset[1] - offset[2], abs=1e-4)
    assert patch[1, 4, 4] == pytest.approx(56)  # 2 * 15 + 3 * 14 - 16


def test_a_quarter_turn_moves_rows_to_columns():
    patch, _ = read_oblique(
        Boxes(ARRAY), axis=0, centre=(4, 5, 6), size=(1, 3, 3), rotation=rotation_matrix((90, 0, 0))
    )
    # row offset +1 becomes column offset +1, column offset +1 becomes row offset -1
    assert patch[0, 2, 1] == pytest.approx(ARRAY[4, 5, 7])
    assert patch[0, 1, 2] == pytest.approx(ARRAY[4, 4, 6])


def test_an_oblique_patch_beyond_the_volume():
    patch, inside = read_oblique(Boxes(ARRAY), axis=0, centre=(0, 0, 0), size=(3, 5, 5), rotation=np.eye(3))
    assert inside[1, 2:, 2:].all()
    assert not inside[0].any()
    assert not inside[:, :2].any()
    assert np.allclose(patch[0, :3, :3], ARRAY[0, 0, 0])
    far, away = read_oblique(Boxes(ARRAY), axis=0, centre=(4, 5, 90), size=(1, 3, 3), rotation=np.eye(3))
    assert not away.any()
    assert np.allclose(far[0], ARRAY[4, 4:7, 12:])
