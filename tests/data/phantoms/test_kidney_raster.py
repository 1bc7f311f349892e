# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.kidney_body import Grid
from tomobundles.data.phantoms.kidney_raster import Canvas, Shapes, ball_coverage, disc_coverage, paint

GRID = Grid((9, 21, 21), 50.0)
MIDDLE = 50.0 * np.array([4.5, 10.5, 10.5])  # centre of voxel (4, 10, 10)


def at(z, y, x):
    return MIDDLE + np.array([z, y, x])


def painted(shapes, part=slice(0, 9), grid=GRID):
    canvas = Canvas.blank((part.stop - part.start, *grid.shape[1:]))
    paint(shapes, grid, part, canvas)
    return canvas


def one(start, end, radius, *, wall=0.0, balls=False):
    return Shapes(
        np.atleast_2d(start), np.atleast_2d(end), np.array([radius]), np.array([wall]), np.array([7]), balls
    )


def along_z(radius, **options):
    return one(at(-2000, 0, 0), at(2000, 0, 0), radius, **options)


@pytest.mark.parametrize("radius", [0.2, 0.5, 0.5641896, 0.8, 3.0])
def test_a_tube_at_the_centre_covers_its_area_up_to_a_pixel(radius):
    covered = disc_coverage(np.array([0.0]), radius)[0]
    np.testing.assert_allclose(covered, min(np.pi * radius**2, 1), rtol=1e-5)
    volume = ball_coverage(np.array([0.0]), radius)[0]
    np.testing.assert_allclose(volume, min(4 / 3 * np.pi * radius**3, 1), rtol=1e-5)


@pytest.mark.parametrize("coverage", [disc_coverage, ball_coverage])
@pytest.mark.parametrize("radius", [0.3, 1.0, 2.5])
def test_coverage_falls_smoothly_to_nothing(coverage, radius):
    covered = coverage(np.linspace(0, radius + 2, 400), radius)
    assert (np.diff(covered) <= 1e-5).all()
    assert np.abs(np.diff(covered)).max() < 0.05
    assert 0 <= covered.min() == covered[-1]
    assert covered.dtype == np.float32


def test_at_a_wide_tube_s_edge_half_a_pixel_is_covered():
    np.testing.assert_allclose(disc_coverage(np.array([8.0]), 8.0)[0], 0.5, atol=0.02)
    np.testing.assert_allclose(ball_coverage(np.array([8.0]), 8.0)[0], 0.5, atol=0.03)


@pytest.mark.parametrize("radius_um", [15.0, 40.0, 130.0])
def test_coverage_adds_up_to_the_tube_s_cross_section(radius_um):
    area = np.pi * (radius_um / 50) ** 2
    np.testing.assert_allclose(painted(along_z(radius_um)).core[4].sum(), area, rtol=0.08)


def test_a_wall_lies_around_the_core():
    canvas = painted(along_z(100.0, wall=50.0))
    line = (canvas.outer - canvas.core)[4, 10, 10:15]
    # lumen to 2 voxels, wall to 3: half of the voxel at 2 is wall, half of that at 3, none beyond
    np.testing.assert_allclose(line[[0, 1, 4]], 0, atol=1e-6)
    np.testing.assert_allclose(line[2:4], 0.5, atol=0.06)
    assert set(np.unique(canvas.owner)) == {-1, 7}


def test_slabs_hold_what_the_whole_holds_and_nothing_outside_is_painted():
    shapes = one(at(-300, -900, -100), at(500, 900, 200), 60.0, wall=30.0)
    whole = painted(shapes)
    for part in (slice(0, 2), slice(2, 9)):
        slab = painted(shapes, part)
        for name in ("core", "outer", "owner"):
            np.testing.assert_array_equal(getattr(slab, name), getattr(whole, name)[part])
    assert not painted(one(MIDDLE + 5000, MIDDLE + 6000, 60.0)).outer.any()
    assert not painted(Shapes(*np.zeros((2, 0, 3)), *np.zeros((3, 0)))).outer.any()


def test_a_ball_looks_like_a_tube_in_its_middle_slice_and_ends_in_the_next_ones():
    # radius 60 um = 1.2 voxels of 50 um; 2 slices away the ball is over (1.2 + 0.62 < 2)
    tube, ball = painted(along_z(60.0)).core, painted(one(MIDDLE, MIDDLE, 60.0, balls=True)).core
    np.testing.assert_allclose(ball[4], tube[4], atol=0.12)
    assert not ball[[0, 1, 2, 6, 7, 8]].any()
    np.testing.assert_allclose(tube[2], tube[4], atol=1e-6)


def test_the_corner_of_the_grid_moves_the_picture():
    shifted = Grid(GRID.shape, 50.0, (0.0, 50.0, 0.0))
    np.testing.assert_allclose(
        painted(along_z(60.0), grid=shifted).core[:, :-1], painted(along_z(60.0)).core[:, 1:], atol=1e-5
    )


def test_the_shape_that_covers_most_owns_the_voxel():
    shapes = Shapes(
        np.stack([at(-2000, 0, 0), at(-2000, -60, 0)]),
        np.stack([at(2000, 0, 0), at(2000, -60, 0)]),
        np.array([30.0, 10.0]),
        np.zeros(2),
        np.array([3, 5]),
    )
    assert painted(shapes).owner[4, 10, 10] == 3
