# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.kidney_body import Grid, draw_body
from tomobundles.data.phantoms.kidney_scene import centre_line, draw_scene
from tomobundles.data.phantoms.kidney_tree import Tree, grow_tree

EXTENT = (4800.0, 6400.0, 5600.0)


@pytest.fixture(scope="module", params=[0, 1, 2])
def scene(request):
    return draw_scene(request.param, EXTENT)


def test_murray_s_law_holds_at_every_bifurcation(scene):
    tree = scene.arteries
    children = [np.flatnonzero(tree.parent == index) for index in range(len(tree.parent))]
    assert {len(found) for found in children} == {0, 2}
    for index, found in enumerate(children):
        if len(found):
            np.testing.assert_allclose(
                (tree.radius_um[found] ** 3).sum(), tree.radius_um[index] ** 3, rtol=1e-9
            )


def test_radii_go_from_several_voxels_to_less_than_one(scene):
    radius = scene.arteries.radius_um / 50
    assert 4 < radius[0] < 5
    assert radius.min() < 0.3
    assert np.median(radius) < 0.7


def test_segments_begin_where_their_parents_end(scene):
    tree = scene.arteries
    assert (tree.parent[0], tree.parent[1:].min()) == (-1, 0)
    assert (tree.parent < np.arange(len(tree.parent))).all()
    np.testing.assert_allclose(tree.curve_um[1:, 0], tree.curve_um[tree.parent[1:], -1], atol=1e-6)


def test_segments_are_gently_curved(scene):
    curve = scene.arteries.curve_um
    length = np.linalg.norm(np.diff(curve, axis=1), axis=2).sum(axis=1)
    tortuosity = length / np.linalg.norm(curve[:, -1] - curve[:, 0], axis=1)
    assert 1.005 < np.median(tortuosity) < 1.2
    assert np.quantile(tortuosity, 0.95) < 1.6


def test_the_tree_enters_at_the_hilum_and_stays_inside(scene):
    tree, body = scene.arteries, scene.body
    inside = np.linalg.norm(body.to_ball(tree.curve_um[1:].reshape(-1, 3)), axis=1)
    assert inside.max() < 0.97
    start = body.to_ball(tree.curve_um[0, :1])[0]
    np.testing.assert_allclose(start, (0.03, 0.08, 1.25), atol=1e-9)
    assert np.sign(tree.curve_um[0, 0, 2] - body.centre[2]) == body.side


def test_every_vessel_that_is_labelled_has_a_26_connected_centre_line(scene):
    grid = Grid((96, 128, 112), 50.0)
    voxels, segments = centre_line(scene.arteries, grid)
    assert set(segments) <= set(np.flatnonzero(scene.arteries.radius_um >= 35))
    for segment in np.unique(segments)[:40]:
        steps = np.diff(voxels[segments == segment], axis=0)
        assert np.abs(steps).max(initial=0) <= 1


def test_ball_and_world_are_each_other_s_reverse(scene):
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    np.testing.assert_allclose(scene.body.to_ball(scene.body.to_world(points)), points, atol=1e-9)


def test_depth_is_a_distance_near_the_surface(scene):
    # a step of one voxel across the surface changes the depth by about a voxel at most
    grid = Grid((24, 32, 28), 200.0)
    ball, depth = scene.body.sample(grid, slice(8, 16))
    assert ball.shape == (3, 8, 32, 28)
    assert depth.shape == (8, 32, 28)
    near = np.abs(depth) < 400
    steep = np.sqrt(sum(step**2 for step in np.gradient(depth, 200.0)))[near]
    assert 0.8 < np.median(steep) < 1.2
    np.testing.assert_allclose(np.sign(depth[~near]), np.sign(1 - np.linalg.norm(ball, axis=0))[~near])


def test_sums_and_masks_of_subtrees():
    # 0 -> (1, 2), 2 -> (3, 4)
    tree = Tree(np.array([-1, 0, 0, 2, 2]), np.ones(5), np.zeros((5, 2, 3)))
    assert tree.subtree_sums(np.array([1, 2, 3, 4, 5])).tolist() == [15, 2, 12, 4, 5]
    assert tree.below(2).tolist() == [False, False, True, True, True]
    assert tree.below(1).tolist() == [False, True, False, False, False]
    assert tree.below(0).all()


def test_even_the_smallest_tree_branches():
    rng = np.random.default_rng(0)
    tree = grow_tree(rng, draw_body(rng, EXTENT), root_um=20, terminal_um=20, entry=np.array([0, 0, 1.2]))
    assert tree.parent.tolist() == [-1, 0, 0]
