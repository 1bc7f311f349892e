# SPDX-License-Identifier: Apache-2.0
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_fill_holes, label

from tomobundles.data.phantoms.chest import ChestPhantom, chest_phantom
from tomobundles.data.phantoms.chest_scene import draw_chest
from tomobundles.utils import InputError
from tomobundles.utils.world import voxel_to_world, world_to_voxel

COARSE = {"scale": 0.5, "spacing_mm": (2.0, 2.0, 2.0)}
SMOOTH = {"scale": 0.55, "spacing_mm": (1.2, 1.2, 1.5)}


@pytest.fixture(scope="module")
def scan() -> ChestPhantom:
    return chest_phantom(5, nodules=8, **SMOOTH)


@cache
def made(fault=None, seed=1, **changes):
    return chest_phantom(seed, fault=fault, nodules=2, **{**COARSE, **changes})


def litres(scan, side):
    return float((scan.lungs == side).sum() * np.prod(scan.spacing) / 1e6)


def middle_slice(scan):
    return int(np.argmax((scan.lungs > 0).sum((0, 1))))


def test_arrays_are_slice_contiguous_and_of_one_shape(scan):
    assert scan.hu.dtype == np.int16
    assert scan.lungs.dtype == scan.nodule_labels.dtype == np.uint8
    assert scan.hu.shape == scan.lungs.shape == scan.nodule_labels.shape
    for array in (scan.hu, scan.lungs, scan.nodule_labels):
        assert np.moveaxis(array, -1, 0).flags.c_contiguous
    assert scan.hu.min() >= -1024
    assert scan.hu.max() <= 3071


def test_rows_run_to_the_back_columns_to_the_left_slices_to_the_head(scan):
    origin, row, column, higher = voxel_to_world(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]), scan.affine
    )
    np.testing.assert_allclose(
        [row - origin, column - origin, higher - origin], [[0, 1.2, 0], [1.2, 0, 0], [0, 0, 1.5]], atol=1e-9
    )
    assert origin[2] < -100
    assert scan.spacing == (1.2, 1.2, 1.5)


def test_an_adult_has_lungs_of_four_to_seven_litres_and_a_wide_body():
    scan = chest_phantom(2, nodules=0, spacing_mm=(4.0, 4.0, 4.0))
    right, left = litres(scan, 1), litres(scan, 2)
    assert 4 < right + left < 7
    assert 0.8 < left / right < 1.2
    body = scan.hu[: scan.hu.shape[0] * 3 // 4, :, middle_slice(scan)] > -300
    assert 310 < body.any(0).sum() * 4 < 400
    assert 250 < (scan.lungs > 0).any((0, 1)).sum() * 4 < 300
    assert (scan.nodules, scan.points.shape, scan.nodule_labels.max()) == ([], (0, 4), 0)


def test_the_right_lung_is_at_negative_x(scan):
    for side, sign in ((1, -1), (2, 1)):
        mean = voxel_to_world(np.argwhere(scan.lungs == side).mean(0)[None], scan.affine)[0]
        middle = voxel_to_world(np.argwhere(scan.lungs > 0).mean(0)[None], scan.affine)[0]
        assert np.sign(mean[0] - middle[0]) == sign


def test_tissues_have_their_hu(scan):
    k = middle_slice(scan)
    lung = scan.hu[..., k][scan.lungs[..., k] > 0]
    assert -900 < np.median(lung) < -760
    assert scan.hu[..., k][:4].mean() < -960  # air
    assert (scan.hu > 500).mean() > 0.002  # cortical bone
    assert (scan.lungs[scan.nodule_labels > 0] > 0).all()


def test_the_lungs_are_denser_where_they_lie_lower(scan):
    lung = scan.lungs > 0
    rows = np.nonzero(lung)[0]
    low, high = np.quantile(rows, [0.25, 0.75])
    values = scan.hu[lung]
    assert np.median(values[rows > high]) > np.median(values[rows < low]) + 15


def test_nodules_lie_at_their_points_and_have_their_size(scan):
    assert len(scan.nodules) == 8
    voxel = np.prod(scan.spacing)
    centres = world_to_voxel(scan.points[:, :3], scan.affine)
    for number, (nodule, centre) in enumerate(zip(scan.nodules, centres, strict=True), start=1):
        mask = scan.nodule_labels == number
        assert np.abs(np.argwhere(mask).mean(0) - centre).max() < 0.5
        size = (mask.sum() * voxel * 6 / np.pi) ** (1 / 3)
        assert abs(size / nodule.diameter_mm - 1) < 0.12
        assert 2.9 < nodule.diameter_mm < 31
        around = binary_dilation(mask, iterations=2) & ~mask & (scan.lungs > 0)
        assert scan.hu[mask].mean() > np.median(scan.hu[around]) + 100


def test_kinds_differ_in_density_and_attachments_touch_what_they_should():
    seen = {}
    for seed in range(2):
        scan = chest_phantom(seed, nodules=14, scale=0.6, spacing_mm=(1.5, 1.5, 1.5))
        for number, nodule in enumerate(scan.nodules, start=1):
            mask = scan.nodule_labels == number
            border = binary_dilation(mask) & ~mask
            at_pleura = bool((scan.lungs[border] == 0).any())
            if nodule.attachment == "pleura":
                assert at_pleura
            if nodule.diameter_mm > 6:
                seen.setdefault(nodule.kind, []).append(float(np.median(scan.hu[mask])))
    assert np.median(seen["solid"]) > -60
    assert -640 < np.median(seen["ground_glass"]) < -440
    assert set(seen) == {"solid", "part_solid", "ground_glass"}


def test_the_same_seed_is_the_same_patient_on_every_grid():
    one, other = made(), chest_phantom(1, nodules=2, **COARSE)
    np.testing.assert_array_equal(one.hu, other.hu)
    finer = made(spacing_mm=(1.6, 1.6, 1.6))
    np.testing.assert_array_equal(finer.points, one.points)
    assert abs(litres(finer, 1) / litres(one, 1) - 1) < 0.02
    assert not np.array_equal(
        chest_phantom(2, nodules=2, scale=0.35, spacing_mm=(4, 4, 4)).points, one.points
    )


def test_the_number_of_nodules_is_drawn_where_it_is_not_given():
    counts = [len(draw_chest(seed, scale=0.35, nodules=None, fault=None).lesions) for seed in range(8)]
    assert len(set(counts)) > 2


def test_excluded_findings_are_no_nodules():
    scans = [chest_phantom(seed, scale=0.35, spacing_mm=(4, 4, 4), nodules=1) for seed in range(6)]
    found = [finding for scan in scans for finding in scan.excluded]
    assert {finding.kind for finding in found} == {"granuloma", "plaque"}
    assert {f.diameter_mm for f in found if f.kind == "granuloma"} == {-1.0}
    assert all(f.diameter_mm > 10 for f in found if f.kind == "plaque")
    assert all(scan.excluded_points.shape == (len(scan.excluded), 4) for scan in scans)
    for scan in scans:
        for finding in scan.excluded:
            for nodule in scan.nodules:
                assert np.linalg.norm(np.subtract(finding.row[:3], nodule.row[:3])) > nodule.diameter_mm / 2


def test_from_the_head_air_of_the_mouth_is_open_to_the_outside():
    scan = made("from_head")
    usual = made()
    assert scan.hu.shape[2] > usual.hu.shape[2] * 1.4
    assert litres(scan, 1) == pytest.approx(litres(usual, 1), rel=0.02)
    # no air of a usual scan's lungs is in touch with the outside but through the trachea's cut end
    parts, _ = label(scan.hu < -600)
    lung = np.bincount(parts[(scan.lungs > 0) & (parts > 0)]).argmax()
    assert lung == parts[0, scan.hu.shape[1] // 2, middle_slice(scan)] > 0
    inside = [binary_fill_holes(s > -500) & (s < -600) for s in np.moveaxis(usual.hu, -1, 0)]
    parts, _ = label(np.stack(inside))
    assert set(parts[:, 0].ravel()) == {0}
    assert (scan.hu[..., -1] > 500).any()  # the skull


def test_one_dense_lung():
    scan = made("dense_lung")
    medians = sorted(float(np.median(scan.hu[scan.lungs == side])) for side in (1, 2))
    assert medians[0] < -760
    assert -450 < medians[1] < -250
    assert litres(scan, 1) == pytest.approx(litres(made(), 1), rel=0.01)


def test_one_small_lung():
    small, large = sorted(litres(made("small_lung"), side) for side in (1, 2))
    assert 0.05 < small / large < 0.25


def test_an_effusion_is_water_in_the_lower_part_of_one_side():
    scan, usual = made("effusion"), made()
    lost = (usual.lungs > 0) & (scan.lungs == 0) & (usual.nodule_labels == 0)
    sides = np.array([(lost & (usual.lungs == side)).sum() / (usual.lungs == side).sum() for side in (1, 2)])
    assert sides.min() == 0
    assert 0.2 < sides.max() < 0.7
    assert abs(np.median(scan.hu[lost]) - 10) < 10
    kept = scan.lungs == 1 + sides.argmax()
    assert np.argwhere(lost)[:, 0].mean() > np.argwhere(kept)[:, 0].mean() + 5  # at the back
    assert np.argwhere(lost)[:, 2].mean() < np.argwhere(kept)[:, 2].mean() - 5  # and low


def test_a_wide_table_with_arms_beside_the_body():
    scan, usual = made("wide_table"), made()
    assert scan.hu.shape[1] > usual.hu.shape[1] * 1.2
    k = middle_slice(scan)
    parts, count = label(scan.hu[..., k] > -300)
    sizes = np.bincount(parts.ravel())[1:] * 4.0
    assert (sizes > 200).sum() >= 4  # body, two arms, table
    sheet = np.nonzero((scan.hu[-60:, :, k] > -700).sum(1) > 0.6 * scan.hu.shape[1])[0]
    assert len(np.split(sheet, np.flatnonzero(np.diff(sheet) > 1) + 1)) >= 2  # air between the sheets
    assert count >= 4


def test_feet_first_is_the_same_patient_stored_the_other_way():
    scan, usual = made("feet_first"), made()
    np.testing.assert_array_equal(scan.hu, usual.hu[:, ::-1, ::-1])
    np.testing.assert_array_equal(scan.lungs, usual.lungs[:, ::-1, ::-1])
    np.testing.assert_array_equal(scan.points, usual.points)
    assert np.moveaxis(scan.hu, -1, 0).flags.c_contiguous
    last = np.array(usual.hu.shape) - 1
    np.testing.assert_allclose(
        voxel_to_world(np.array([[0, last[1], last[2]]]), scan.affine),
        voxel_to_world(np.zeros((1, 3)), usual.affine),
    )
    assert np.linalg.det(scan.affine) == pytest.approx(np.linalg.det(usual.affine))


def test_padding_and_thick_slices():
    scan, usual = made("padding"), made()
    assert scan.hu[0, 0, 0] == -2000
    assert usual.hu[0, 0, 0] == -1024
    np.testing.assert_array_equal(
        scan.hu == -2000, np.broadcast_to((scan.hu == -2000)[..., :1], scan.hu.shape)
    )
    np.testing.assert_array_equal(scan.hu[scan.hu != -2000], usual.hu[scan.hu != -2000])
    thick = made("thick")
    assert thick.spacing == (2.0, 2.0, 5.0)
    np.testing.assert_array_equal(thick.points, usual.points)
    assert litres(thick, 2) == pytest.approx(litres(usual, 2), rel=0.03)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"fault": "broken_leg"}, "unknown fault 'broken_leg'"),
        ({"seed": -1}, "seed of a chest phantom is -1"),
        ({"scale": 3.0}, "scale of a chest phantom is 3.0"),
        ({"nodules": 61}, "nodules of a chest phantom is 61"),
        ({"spacing_mm": (0.0, 1, 1)}, "spacing_mm"),
        ({"spacing_mm": (1.0, 1)}, "spacing_mm"),
    ],
)
def test_numbers_that_make_no_chest_are_refused(changes, match):
    with pytest.raises(InputError, match=match):
        chest_phantom(**{"seed": 0, **changes})
