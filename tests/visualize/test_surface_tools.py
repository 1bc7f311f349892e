# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.surface_tools import (
    color_by_component,
    color_by_radius,
    simplify_surface,
    smooth_surface,
)
from tomobundles.visualize.surfaces import Surface, extract_surface

from .volumes import Boxes, ball, tube

NOTHING = Surface(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))


def test_smoothing_takes_the_steps_and_keeps_the_volume():
    rough = extract_surface(Boxes(ball(15)))
    smooth = smooth_surface(rough)
    exact = 4 * np.pi * 15**2
    assert abs(smooth.area / exact - 1) < 0.02 < 0.08 < rough.area / exact - 1
    assert smooth.volume == pytest.approx(rough.volume, rel=0.01)
    assert np.array_equal(smooth.faces, rough.faces)
    assert smooth.vertices.dtype == np.float32


def test_nothing_to_smooth():
    assert smooth_surface(NOTHING) is NOTHING
    rough = extract_surface(Boxes(ball(3)))
    assert smooth_surface(rough, iterations=0) is rough


@pytest.mark.parametrize("limit", [4000, 500, 60])
def test_simplified_keeps_the_shape(limit):
    surface = color_by_component(smooth_surface(extract_surface(Boxes(ball(15)))))
    light = simplify_surface(surface, max_faces=limit)
    assert limit / 8 < len(light.faces) <= limit
    assert light.volume == pytest.approx(surface.volume, rel=0.1 if limit >= 500 else 0.4)
    assert light.faces.max() < len(light.vertices) == len(light.values)
    assert (light.values == 1).all()


def test_light_enough_already():
    surface = extract_surface(Boxes(ball(3)))
    assert simplify_surface(surface, max_faces=len(surface.faces)) is surface
    without = simplify_surface(surface, max_faces=20)
    assert without.values is None


def test_no_faces_asked():
    with pytest.raises(InputError, match="max_faces is 0"):
        simplify_surface(NOTHING, max_faces=0)


def test_parts_are_numbered_by_size():
    mask = ball(3, centre=(8, 8, 8)) | ball(9, centre=(25, 25, 25)) | ball(5, centre=(8, 30, 8))
    surface = color_by_component(extract_surface(Boxes(mask)))
    for rank, centre in enumerate([(25, 25, 25), (8, 30, 8), (8, 8, 8)], 1):
        near = np.linalg.norm(surface.vertices - (np.array(centre)[::-1] + 0.5), axis=1) < 10
        assert (surface.values[near] == rank).all()
    assert color_by_component(NOTHING).values.shape == (0,)


@pytest.mark.parametrize("radius", [1.5, 3, 6])
def test_radius_of_a_tube(radius):
    mask = tube(radius)
    volume = Boxes(mask, spacing_um=(10, 10, 10))
    surface = color_by_radius(extract_surface(volume), volume)
    side = np.abs(surface.vertices[:, 2] - 200) < 80  # the ends are closed
    assert surface.value_name == "radius (um)"
    # between voxels, and half a voxel less for the way to the background's centre
    assert np.median(surface.values[side]) / 10 == pytest.approx(radius, rel=0.3)
    assert surface.values.max() / 10 <= radius + 0.5


def test_radii_tell_thick_from_thin():
    mask = np.concatenate([tube(2), tube(7)], axis=2)
    surface = color_by_radius(extract_surface(Boxes(mask)), Boxes(mask))
    thin = surface.vertices[:, 0] < 40
    assert surface.values[thin].max() < 2.6
    assert np.median(surface.values[~thin]) > 5
    assert surface.value_name == "radius (voxels)"


def test_radius_on_a_pooled_grid():
    mask = tube(6)
    surface = color_by_radius(extract_surface(Boxes(mask)), Boxes(mask), max_voxels=10_000)
    side = np.abs(surface.vertices[:, 2] - 20) < 8
    assert 3.5 < np.median(surface.values[side]) < 7


def test_radius_of_nothing():
    assert color_by_radius(NOTHING, Boxes(np.zeros((2, 2, 2)))).values.shape == (0,)
