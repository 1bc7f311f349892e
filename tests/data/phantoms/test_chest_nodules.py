# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from tomobundles.data.phantoms.chest_findings import Finding, draw_findings, paint_finding
from tomobundles.data.phantoms.chest_geometry import Build, Grid
from tomobundles.data.phantoms.chest_lungs import draw_lungs
from tomobundles.data.phantoms.chest_nodule_shape import draw_outline, samples, sphere
from tomobundles.data.phantoms.chest_nodules import _lesion, draw_diameters, draw_nodules, paint_lesion
from tomobundles.data.phantoms.chest_scene import draw_chest
from tomobundles.data.phantoms.chest_vessels import draw_vessels


@pytest.fixture(scope="module")
def chest():
    lungs = draw_lungs(np.random.default_rng(0), Build((0.6, 0.6, 0.6), 0.6))
    return lungs, draw_vessels(np.random.default_rng(1), lungs)


@pytest.fixture(scope="module")
def lesions(chest):
    return draw_nodules(np.random.default_rng(3), *chest, draw_diameters(np.random.default_rng(2), 20))


def test_directions_are_unit_vectors_all_round():
    vectors = sphere(500)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.abs(vectors.mean(0)).max() < 0.01


@pytest.mark.parametrize("spiculated", [False, True])
def test_outlines_have_the_volume_of_their_sphere(spiculated):
    for seed in range(6):
        outline = draw_outline(np.random.default_rng(seed), 6.0, spiculated=spiculated)
        points, volume = samples(outline)
        assert len(points) * volume == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.03)
        assert 6 <= outline.reach < 16
        assert outline.depth(sphere(4000) * outline.reach).max() < 0
        assert outline.depth(np.zeros((1, 3)))[0] > 2


def test_spicules_stand_out_and_small_nodules_are_smooth():
    rough = draw_outline(np.random.default_rng(0), 6.0, spiculated=True)
    smooth = draw_outline(np.random.default_rng(0), 2.0)
    directions = sphere(3000)
    assert rough.factor(directions).max() > 1.25
    assert len(smooth.bumps) == 0
    assert smooth.factor(directions).std() < 0.15
    assert rough.of_radius(3.0).reach == pytest.approx(rough.reach / 2)


def test_diameters_follow_the_table():
    diameters = draw_diameters(np.random.default_rng(0), 1000)
    assert (diameters.min() >= 3, diameters.max() <= 30) == (True, True)
    shares = np.histogram(diameters, (3, 4, 6, 10, 20, 30))[0] / 1000
    np.testing.assert_allclose(shares, (0.04, 0.26, 0.3, 0.3, 0.1), atol=0.002)
    assert len(draw_diameters(np.random.default_rng(0), 0)) == 0
    few = draw_diameters(np.random.default_rng(1), 5)
    assert (few < 10).sum() == 3  # 60 %, also of five


def test_nodules_keep_apart_and_inside(chest, lesions):
    lungs, vessels = chest
    assert len(lesions) == 20
    for i, lesion in enumerate(lesions):
        for other in lesions[:i]:
            gap = np.linalg.norm(lesion.centre - other.centre)
            assert gap > (lesion.diameter_mm + other.diameter_mm) / 2 + 2
        points, _ = samples(lesion.outline)
        share = (lungs.depth_mm(points + lesion.centre) >= 0).mean()
        assert share > 0.5
        if lesion.attachment == "pleura":
            assert share < 1
        if lesion.attachment == "vessel":
            assert vessels.tubes.clearance(lesion.centre[None])[0] < lesion.diameter_mm / 2


def test_the_part_inside_the_lung_has_the_diameter(chest, lesions):
    lungs, _ = chest
    for lesion in lesions:
        points, volume = samples(lesion.outline)
        kept = points[lungs.depth_mm(points + lesion.centre) >= 0]
        assert (len(kept) * volume * 6 / np.pi) ** (1 / 3) == pytest.approx(lesion.diameter_mm, rel=1e-6)
        np.testing.assert_allclose(kept.mean(0) + lesion.centre, lesion.centroid)


def test_a_lung_that_is_full_takes_no_more(chest):
    lesions = draw_nodules(np.random.default_rng(0), *chest, np.full(60, 29.0))
    assert 3 < len(lesions) < 60


def test_a_nodule_larger_than_the_lung_keeps_the_size_that_there_is_room_for(chest):
    lungs, _ = chest
    outline = draw_outline(np.random.default_rng(0), 120.0)
    centre = np.array([40.0, 0.0, 10.0])
    lesion = _lesion(np.random.default_rng(0), lungs, centre, outline, "solid", "isolated")
    assert 60 < lesion.diameter_mm < 200
    points, volume = samples(lesion.outline)
    kept = (lungs.depth_mm(points + centre) >= 0).sum() * volume
    assert (kept * 6 / np.pi) ** (1 / 3) == pytest.approx(lesion.diameter_mm)


def test_painting_is_by_share_and_outside_planes_nothing(chest, lesions):
    lungs, _ = chest
    lesion = next(m for m in lesions if m.kind == "part_solid")
    axes = [lesion.centre[a] + np.arange(-20, 21) for a in range(3)]
    grid = Grid(axes[1], axes[0], axes[2], (1.0, 1.0, 1.0))
    hu = np.full((41, 41, 41), -850.0, np.float32)
    box, share = paint_lesion(hu, lesion, grid, axes[2], lungs)
    assert share.sum() == pytest.approx(np.pi / 6 * lesion.diameter_mm**3, rel=0.1)
    assert hu[20, 20, 20] == pytest.approx(lesion.hu, abs=1e-3)
    halo = np.abs(hu[box] - lesion.halo_hu) < 1
    assert halo.sum() > 0.2 * share.sum()
    assert (hu[box][share == 0] == -850).all()
    solid = replace(lesion, kind="solid", core=1.0)
    again = np.full((41, 41, 41), -850.0, np.float32)
    paint_lesion(again, solid, grid, axes[2], lungs)
    assert (np.abs(again[box] - lesion.hu) < 1).sum() > halo.sum()
    assert paint_lesion(hu, lesion, grid, axes[2] + 500, lungs) is None


def test_a_plaque_is_flat_and_far_planes_stay_as_they_are():
    axis = np.arange(-12, 13, 1.0)
    grid = Grid(axis, axis, axis, (1.0, 1.0, 1.0))
    hu = np.zeros((25, 25, 25), np.float32)
    finding = Finding(np.zeros(3), (2.0, 8.0), np.array([0.0, 1.0, 0.0]), 200.0, "plaque", 16.0)
    paint_finding(hu, finding, grid, axis)
    extent = [(hu > 100).any(tuple(a for a in range(3) if a != n)).sum() for n in range(3)]
    assert extent[0] == extent[2] > 12  # planes, columns
    assert extent[1] <= 5  # rows: across the plaque
    paint_finding(hu, finding, grid, axis + 100)
    assert hu.max() <= 200


def test_findings_keep_clear_of_nodules_or_are_left_out(chest, lesions):
    lungs, _ = chest
    for seed in range(8):
        for finding in draw_findings(np.random.default_rng(seed), lungs, lesions[:4]):
            for lesion in lesions[:4]:
                assert np.linalg.norm(finding.centre - lesion.centre) > lesion.outline.reach + 12
    everywhere = [replace(lesions[0], outline=lesions[0].outline.of_radius(500.0))]
    assert all(draw_findings(np.random.default_rng(s), lungs, everywhere) == [] for s in range(6))


def test_half_of_many_nodules_lie_free():
    found = [m.attachment for s in range(3) for m in draw_chest(s, scale=0.7, nodules=24, fault=None).lesions]
    shares = [found.count(a) / len(found) for a in ("isolated", "vessel", "pleura")]
    np.testing.assert_allclose(shares, (0.5, 0.25, 0.25), atol=0.13)
