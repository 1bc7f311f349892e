# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.chest_airways import draw_airways, wall_mm
from tomobundles.data.phantoms.chest_body import Table
from tomobundles.data.phantoms.chest_bones import Bones
from tomobundles.data.phantoms.chest_faults import FAULTS, extent_mm, spoil_lungs
from tomobundles.data.phantoms.chest_geometry import Build, Grid, block, rounded_min, soft, superellipse
from tomobundles.data.phantoms.chest_lungs import LEFT, RIGHT, Fluid, Shrunken, draw_lungs
from tomobundles.data.phantoms.chest_organs import draw_organs
from tomobundles.data.phantoms.chest_physics import Scanner
from tomobundles.data.phantoms.chest_raster import Tubes, paint_tubes
from tomobundles.data.phantoms.chest_tree import grow_tree
from tomobundles.data.phantoms.chest_vessels import draw_points, draw_vessels, great_vessels, lung_volume_ml

ADULT = Build((1.0, 1.0, 1.0), 1.0)


def grid(spacing=(1.0, 1.0, 1.0), size=(21, 21, 21)):
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(size, spacing, strict=True)]
    return Grid(*axes, spacing)


@pytest.fixture(scope="module")
def lungs():
    return draw_lungs(np.random.default_rng(0), ADULT)


def test_a_build_stretches_the_template():
    build = Build((0.5, 2.0, 1.0), 1.0)
    np.testing.assert_allclose(build.body([10, 10, 10]), [5, 20, 10])
    x, y, z = build.template(np.array([5.0]), np.array([20.0]), 10.0)
    assert (x[0], y[0], z) == (10, 10, 10)
    assert x.dtype == np.float32


def test_thick_slices_are_made_of_thin_planes():
    thick = grid((1.0, 1.0, 5.0), (3, 3, 2))  # slices at -2.5 and 2.5
    assert thick.planes_per_slice == 3
    third = 5 / 3
    np.testing.assert_allclose(thick.planes(0, 1), [-2.5 - third, -2.5, -2.5 + third])
    assert thick.edge == pytest.approx(third ** (1 / 3))
    assert grid().planes_per_slice == 1


def test_solids_by_hand():
    np.testing.assert_allclose(soft(np.array([-2.0, -0.5, 0, 0.5, 2]), 2.0), [0, 0.25, 0.5, 0.75, 1])
    # |x/4|**2 + |y/2|**2: at (5, 0), 1 - 25/16 over the slope 2 * 5 / 16
    assert superellipse(np.array([5.0]), 0.0, (4.0, 2.0))[0] == pytest.approx(-(9 / 16) / (10 / 16), rel=1e-4)
    np.testing.assert_allclose(block(np.array([0.0, 2.5]), 0.0, (3.0, 2.0)), [2, 0.5])
    np.testing.assert_allclose(rounded_min(np.array([2.0, 0.0]), np.array([2.0, 9.0]), 4.0), [1, 0])


def test_tubes_are_painted_with_their_volume():
    tubes = Tubes.along(np.array([[-6.0, 0, 0, 2.0], [6.0, 0, 0, 2.0]]))
    g = grid()
    canvas = paint_tubes(tubes, g, g.slices)
    assert canvas.shape == (21, 21, 21)
    volume = np.pi * 4 * 12 + 4 / 3 * np.pi * 8  # a cylinder and two half balls
    assert canvas.sum() == pytest.approx(volume, rel=0.05)
    assert canvas[10, 10, 10] == 1  # planes, rows, columns
    assert canvas[10, 10, 19] == 0
    assert canvas[10, 12, 10] == 0.5  # the border runs through the middle of this voxel
    np.testing.assert_array_equal(paint_tubes(tubes, g, g.slices[8:]), canvas[8:])


def test_tubes_know_how_far_points_are():
    tubes = Tubes.along(np.array([[0.0, 0, 0, 2.0], [8.0, 0, 0, 2.0]]))
    np.testing.assert_allclose(tubes.clearance(np.array([[4.0, 5, 0], [0, 0, 1]])), [3, -1])
    assert Tubes.joined([tubes, tubes]).radius.tolist() == [2, 2]
    assert len(Tubes.joined([]).radius) == 0


def test_a_tree_reaches_every_end_and_obeys_murray():
    rng = np.random.default_rng(0)
    ends = rng.uniform(-40, 40, (64, 3))
    tree = grow_tree(rng, ends, root=np.zeros(3), heading=np.array([1.0, 0, 0]), tip_mm=0.7)
    assert tree.tubes.radius.max() == pytest.approx(0.7 * 4)  # 64 ** (1 / 3)
    tips = tree.tubes.end[np.isclose(tree.tubes.radius, 0.7)]
    assert np.sqrt(((ends[:, None] - tips) ** 2).sum(2)).min(1).max() < 1e-9
    assert len(tree.forks) == 63  # a binary tree of 64 leaves
    for fork, radius in zip(tree.forks, tree.fork_radius, strict=True):
        meets = np.isclose(tree.tubes.start, fork).all(1)
        assert (tree.tubes.radius[meets] ** 3).sum() == pytest.approx(radius**3)


def test_lungs_are_parted_by_the_mediastinum_and_end_at_diaphragm_and_apex(lungs):
    points = np.array([[-70, 0, 20], [70, 0, 20], [0, -60, 40], [70, 0, 140], [-65, -18, -90], [150, 0, 0]])
    inside = lungs.depth_mm(points) > 0
    assert inside.tolist() == [True, True, False, False, False, False]
    assert lungs.depth_mm([[-70, 75, -90]])[0] > 0  # behind the dome the lung reaches further down
    low, high = lungs.box()
    around = np.random.default_rng(1).uniform(low - 20, high + 20, (20000, 3))
    found = around[lungs.depth_mm(around) > 0]
    assert (found > low).all()
    assert (found < high).all()


def test_volumes_by_random_points_and_points_inside(lungs):
    rng = np.random.default_rng(0)
    assert 2000 < lung_volume_ml(rng, lungs, RIGHT) < 3500
    points = draw_points(rng, lungs, 50, side=LEFT, depth_mm=5.0)
    assert points.shape == (50, 3)
    assert (points[:, 0] > 0).all()
    assert (lungs.depth_mm(points) > 5).all()
    assert len(draw_points(rng, lungs, 5, side=LEFT, depth_mm=1e4)) == 0


def test_faults_change_one_lung_only(lungs):
    rng = np.random.default_rng(0)
    dense = spoil_lungs(rng, lungs, "dense_lung")
    changed = [a != b for a, b in zip(dense.base_hu, lungs.base_hu, strict=True)]
    assert sorted(changed) == [False, True]
    assert isinstance(spoil_lungs(rng, lungs, "small_lung").shrunken, Shrunken)
    assert isinstance(spoil_lungs(rng, lungs, "effusion").fluid, Fluid)
    for fault in (None, "thick", "from_head"):
        assert spoil_lungs(rng, lungs, fault) is lungs
    assert extent_mm("from_head")[1] > extent_mm(None)[1] + 100
    assert len(set(FAULTS)) == 8


def test_vessels_fill_the_lungs_and_bifurcate_at_the_size_of_small_nodules(lungs):
    vessels = draw_vessels(np.random.default_rng(0), lungs)
    assert 0.6 < vessels.tubes.radius.min() < 1
    assert 5 < vessels.tubes.radius.max() < 9
    like_nodules = (vessels.fork_radius > 1.2) & (vessels.fork_radius < 3)
    assert like_nodules.sum() > 200
    assert (lungs.depth_mm(vessels.forks) > 0).mean() > 0.9
    assert great_vessels(ADULT).radius.max() == 15


def test_vessels_of_a_lung_without_room_are_left_out(lungs):
    gone = spoil_lungs(np.random.default_rng(0), lungs, "small_lung")
    side = gone.shrunken.side
    gone.shrunken = Shrunken(side, gone.shrunken.centre, (1.0, 1.0, 1.0))
    vessels = draw_vessels(np.random.default_rng(0), gone)
    assert (np.sign(vessels.forks.mean(0)[0]) > 0) == (side == RIGHT)
    assert len(draw_airways(np.random.default_rng(0), gone).radius) > 10


def test_airways_run_from_the_trachea_and_to_the_mouth(lungs):
    usual = draw_airways(np.random.default_rng(0), lungs)
    open_ = draw_airways(np.random.default_rng(0), lungs, to_mouth=True)
    assert usual.radius.max() == 8.5
    assert usual.start[:, 1].min() > open_.end[:, 1].min() == -130
    wall = wall_mm(usual).radius - usual.radius
    assert (wall.min(), wall.max()) == (pytest.approx(0.7), pytest.approx(1.5))


def test_a_table_is_a_hollow_slab():
    table = Table(50.0, 0.0, 0.0)
    y = np.arange(-10, 60, 1.0)[:, None]
    hu = np.full((len(y), 3), -1000.0)
    table.paint(hu, np.array([[-60.0, 0, 10]]), y, edge=0.5)
    assert hu[:, 0].max() == -1000  # beyond its end
    np.testing.assert_allclose(hu[[9, 11, 20, 31, 40], 1], [-1000, -60, -930, -60, -1000])


def test_bones_above_the_chest_are_those_of_the_neck_only():
    plane = (
        np.arange(-60, 61, 1.0)[None].astype(np.float32),
        np.arange(-60, 121, 1.0)[:, None].astype(np.float32),
        180.0,
    )
    outside = np.full((181, 121), 99.0, np.float32)
    for neck in (False, True):
        hu = np.zeros((181, 121), np.float32)
        Bones(0.0, 700.0, 200.0, 5.0, neck).paint(hu, plane, outside, edge=1.0)
        assert (hu.max() > 300) == neck


def test_belly_has_gas_in_front_of_food(lungs):
    organs = draw_organs(np.random.default_rng(0), lungs)
    (a, b, c), _ = organs.stomach
    x, y = np.array([[a]], np.float32), np.array([[b - 34], [b + 25]], np.float32)
    above = lungs.above_diaphragm(x, y, np.float32(c))
    inside = np.full((2, 1), 50.0, np.float32)
    hu = organs.paint(np.zeros((2, 1), np.float32), (x, y, np.float32(c)), inside, above, edge=1.0)
    assert hu[0, 0] < -900
    assert abs(hu[1, 0] - 30) < 5


def test_a_scanner_keeps_means_and_cuts_a_circle():
    g = grid(size=(41, 41, 2))
    flat = np.full((2, 41, 41), 40.0, np.float32)
    out = Scanner(20.0, 0.5, 0.5).expose(flat, g, np.random.default_rng(0))
    assert out.dtype == np.int16
    middle = out[:, 10:30, 10:30]
    assert abs(middle.mean() - 40) < 4
    # 20 HU at 1.25 mm are 22.4 at 1 mm, a factor of 1.02 at 40 HU
    assert 19 < middle.std() < 26
    assert out[0, 0, 0] == -1024
    assert out[0, 20, 0] > -500
    assert Scanner(20.0, 0.5, 0.5, -2000).expose(flat, g, np.random.default_rng(0))[0, 0, 0] == -2000
