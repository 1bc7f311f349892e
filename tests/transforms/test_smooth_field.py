# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.transforms.smooth_field import (
    dense_field,
    field_at,
    knots,
    largest_elastic,
    slopes_at,
    solve,
)

SHAPE = (32, 50, 1)
RNG = np.random.default_rng(0)


def _controls(strength=1.0, shape=SHAPE):
    return RNG.uniform(-strength, strength, (*(len(knots(size)) for size in shape), 3))


def test_knots_reach_one_beyond_each_end():
    assert knots(49).tolist() == [-24, 0, 24, 48, 72]
    assert knots(10).tolist() == [-9, 0, 9, 18]
    assert knots(1).tolist() == [-24, 0, 24, 48]


def test_linear_functions_are_reproduced():
    lines = [knots(size) for size in SHAPE]
    places = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
    matrix = RNG.normal(size=(3, 3))
    dense = dense_field(places @ matrix.T + 5, SHAPE)
    voxels = np.stack(np.indices(SHAPE), axis=-1)
    assert np.allclose(dense, voxels @ matrix.T + 5, atol=1e-3)


def test_all_voxels_agree_with_single_places():
    controls = _controls()
    dense = dense_field(controls, SHAPE).numpy()
    places = np.array([[0, 0, 0], [31, 49, 0], [13, 7, 0], [30, 24, 0]], float)
    found = field_at(controls, SHAPE, places)
    assert np.allclose(found, [dense[tuple(place.astype(int))] for place in places], atol=1e-5)
    assert np.abs(dense).max() <= 1


def test_a_single_control_by_hand():
    # a cubic B-spline is 2/3 at its control, 1/6 one knot off
    controls = np.zeros((5, 4, 4, 3))
    controls[2, 1, 1, 0] = 1  # at 24, 0, 0 of (49, 10, 1)
    found = field_at(controls, (49, 10, 1), np.array([[24.0, 0, 0], [0, 0, 0], [24, 9, 0]]))
    assert np.allclose(found[:, 0], [8 / 27, 2 / 27, 2 / 27])
    assert np.allclose(found[:, 1:], 0)


def test_slopes_are_derivatives():
    shape = (40, 50, 60)
    controls = _controls(3.0, shape)
    places = RNG.uniform(2, 38, (6, 3))
    slopes = slopes_at(controls, shape, places)
    for axis in range(3):
        step = np.eye(3)[axis] * 1e-4
        numeric = (field_at(controls, shape, places + step) - field_at(controls, shape, places - step)) / 2e-4
        assert np.allclose(slopes[:, :, axis], numeric, atol=1e-6)


def test_beyond_the_crop_the_edge_repeats():
    controls = _controls()
    far = np.array([[-9.0, 60, 4]])
    assert np.allclose(field_at(controls, SHAPE, far), field_at(controls, SHAPE, np.array([[0.0, 49, 4]])))
    assert np.allclose(slopes_at(controls, SHAPE, far)[:, :, :2], 0)


@pytest.mark.parametrize("shape", [(64, 64, 64), (96, 96, 96), (32, 32, 32), (48, 48, 1)])
def test_the_largest_field_can_still_be_solved(shape):
    for _ in range(20):
        controls = np.sign(_controls(1.0, shape)) * largest_elastic(shape) * 0.999
        goals = RNG.uniform(-5, max(shape) + 5, (10, 3))
        places = solve(controls, shape, goals)
        assert np.allclose(places + field_at(controls, shape, places), goals, atol=1e-4)
        assert (np.linalg.det(np.eye(3) + slopes_at(controls, shape, places)) > 0).all()


def test_nothing_to_solve():
    assert solve(_controls(), SHAPE, np.zeros((0, 3))).shape == (0, 3)


def test_a_field_too_steep_to_solve_ends_too():
    controls = np.zeros((4, 4, 4, 3))
    controls[..., 0] = 2 * knots(10)[:, None, None]  # 5, then 5 - 10, where the edge repeats, then 5 again
    found = solve(controls, (10, 10, 10), np.array([[5.0, 4, 3]]))
    assert abs(found[0, 0]) == pytest.approx(5)
    assert found[0, 1:].tolist() == [4, 3]
