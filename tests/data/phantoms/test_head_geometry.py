# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.head_geometry import Points, Pose, ball, blend, draw_pose, ellipsoid, tube


class Still:
    """A field that is the same everywhere."""

    def __init__(self, value=0.0):
        self.value = value

    def b_scan(self, rows, columns, z):
        return np.full((len(rows), len(columns)), self.value, np.float32)


def points(
    z=(0.0,),
    rows=(-10.0, 0.0, 10.0),
    columns=(-20.0, -10.0, 0.0, 10.0, 20.0),
    *,
    turn=None,
    shift=(0, 0, 0),
    warp=0.0,
):
    pose = Pose(np.eye(3) if turn is None else np.asarray(turn), np.asarray(shift, float), (Still(warp),) * 3)
    return Points(*(np.asarray(a, np.float32) for a in (z, rows, columns)), pose)


def test_a_straight_head_has_the_scanner_s_axes_less_the_shift():
    p = points(z=(1.0, 2.0), shift=(2, 3, 4))
    assert p.x.shape == (2, 3, 5)
    np.testing.assert_allclose(p.x[0, 0], [-22, -12, -2, 8, 18])
    np.testing.assert_allclose(p.y[0, :, 0], [-13, -3, 7])
    np.testing.assert_allclose(p.z[:, 0, 0], [-3, -2])
    np.testing.assert_allclose(p.across, np.abs(p.x))


def test_a_quarter_turn_swaps_the_axes():
    p = points(turn=[[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(p.x[0, :, 0], [-10, 0, 10])
    np.testing.assert_allclose(p.y[0, 0], [20, 10, 0, -10, -20])


def test_warping_moves_everything_but_the_midline():
    # fields of 1 move by 1.7 mm; x by nothing at 0, by all of it 18 mm away
    p = points(warp=1.0)
    np.testing.assert_allclose(p.y[0, :, 0], np.array([-10, 0, 10]) + 1.7, rtol=1e-6)
    np.testing.assert_allclose(p.x[0, 0, [0, 2, 4]], [-18.3, 0, 21.7], rtol=1e-6)
    np.testing.assert_allclose(p.plain[0][0, 0], [-20, -10, 0, 10, 20])


def test_soft_edges_are_a_pixel_wide():
    p = points()
    assert p.edge == 10
    np.testing.assert_allclose(p.soft(np.array([-9.0, -5, 0, 2.5, 5, 9])), [0, 0, 0.5, 0.75, 1, 1])


def test_points_know_which_heights_they_miss():
    p = points(z=(3.0, 5.0))
    assert p.misses(6, 9)
    assert p.misses(0, 2)
    assert not p.misses(5, 9)
    assert not p.misses(-90, 90)


def test_distance_inside_solids_by_hand():
    one = np.array([[0.0], [4.0], [5.0], [7.0]], np.float32).ravel()
    none = np.zeros_like(one)
    # sphere of radius 5: exact up to the regularisation
    np.testing.assert_allclose(ellipsoid(one, none, none, (5, 5, 5))[1:], [1, 0, -2], atol=0.03)
    # along an ellipsoid's axis of 10: first order, exact on the axis
    np.testing.assert_allclose(ellipsoid(none, one, none, (3, 10, 3))[1:], [6, 5, 3], atol=0.06)
    # tube of radius 2 from x = 0 to x = 6, tapering to 1: at x = 7 the end is 1 mm away
    path = np.array([(0, 0, 0, 2), (3, 0, 0, 1.5), (6, 0, 0, 1)])
    np.testing.assert_allclose(tube(one, none, none, path), [2, 2 - 4 / 6, 2 - 5 / 6, 0], atol=1e-5)
    np.testing.assert_allclose(tube(none + 3, one, none, path), [1.5, -2.5, -3.5, -5.5], atol=1e-5)


@pytest.mark.parametrize(("both", "left", "right"), [(True, True, True), (False, True, False)])
def test_a_ball_may_have_a_mirror_image(both, left, right):
    inside = ball(points(), (20, 0, 0), (3, 3, 3), both=both) > 0
    assert inside[0, 1, 4] == left
    assert inside[0, 1, 0] == right
    assert inside.sum() == left + right


def test_blend_paints_by_share():
    np.testing.assert_allclose(blend(np.array([10.0, 10, 10]), np.array([0, 0.25, 1]), 50), [10, 20, 50])


def test_heads_lie_nearly_straight():
    for seed in range(20):
        pose = draw_pose(np.random.default_rng(seed))
        scale = np.linalg.norm(pose.turn, axis=1)
        assert ((scale > 0.9) & (scale < 1.1)).all()
        assert np.linalg.det(pose.turn) > 0
        assert np.degrees(np.arccos(pose.turn[2, 2] / scale[2])) < 25
        assert np.abs(pose.shift).max() < 25
