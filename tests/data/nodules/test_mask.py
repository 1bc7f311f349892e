# SPDX-License-Identifier: Apache-2.0
import itertools

import nibabel as nib
import numpy as np
import pytest

from tomobundles.data.nodules.mask import (
    draw_spheres,
    labels_on_grid,
    write_labels,
    write_lung_mask,
    write_nodule_mask,
)
from tomobundles.utils import InputError
from tomobundles.utils.world import voxel_to_world

from .cases import GRID, GRID_SHAPE, NATIVE, NATIVE_SHAPE, VOXEL, WORLD, make_case, make_lungs, none_found


def rotation(degrees, axis):
    """Turn about one axis, (3, 3)."""
    angle = np.radians(degrees)
    turn = np.eye(3)
    others = [one for one in range(3) if one != axis]
    turn[np.ix_(others, others)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn


def oblique(spacing=(1.5, 0.75, 2.5)):
    affine = np.eye(4)
    affine[:3, :3] = rotation(25, 0) @ rotation(-40, 1) @ rotation(15, 2) @ np.diag(spacing)
    affine[:3, 3] = [-20, 7, 33]
    return affine


def by_distance(nodules, affine, shape):
    """The definition: the first sphere whose centre is no farther than its radius, in mm."""
    voxels = np.array(list(itertools.product(*map(range, shape))))
    world = voxel_to_world(voxels, affine)
    labels = np.zeros(shape, np.uint8)
    for index in reversed(range(len(nodules))):
        inside = np.linalg.norm(world - nodules[index, :3], axis=1) <= nodules[index, 3] / 2
        labels[tuple(voxels[inside].T)] = index + 1
    return labels


def test_a_sphere_of_hand_counted_voxels():
    # radius 1 mm on a 1 mm grid: the centre and its six neighbours
    labels = draw_spheres(np.array([[-2.0, -2, 2, 2]]), affine=np.eye(4), shape=(5, 5, 5))
    found = {tuple(voxel) for voxel in np.argwhere(labels).tolist()}
    assert found == {(2, 2, 2), (1, 2, 2), (3, 2, 2), (2, 1, 2), (2, 3, 2), (2, 2, 1), (2, 2, 3)}


def test_a_sphere_in_voxels_that_are_no_cubes():
    # radius 2 mm, voxels 1 x 2 x 4 mm, centre on voxel (3, 3, 3): 2 rows or 1 column off, no other slice
    centre = voxel_to_world(np.array([[3, 3, 3]]), np.diag([1.0, 2, 4, 1]))
    labels = draw_spheres(np.append(centre, [[4.0]], axis=1), affine=np.diag([1.0, 2, 4, 1]), shape=(7, 7, 7))
    found = {tuple(voxel) for voxel in np.argwhere(labels).tolist()}
    assert found == {(1, 3, 3), (2, 3, 3), (3, 3, 3), (4, 3, 3), (5, 3, 3), (3, 2, 3), (3, 4, 3)}


@pytest.mark.parametrize("shear", [0.0, 0.4])
def test_an_oblique_and_sheared_grid(shear):
    affine, shape = oblique(), (24, 30, 14)
    affine[:3, 2] += shear * affine[:3, 1]
    centres = voxel_to_world(np.array([[5.2, 7.9, 3.3], [16, 20, 9], [19.5, 23, 9.5], [0, 0, 0]]), affine)
    nodules = np.append(centres, [[9.1], [12.3], [14.2], [8.3]], axis=1)
    expected = by_distance(nodules, affine, shape)
    assert len(np.unique(expected)) == 5  # all four are seen, the third behind the second
    np.testing.assert_array_equal(draw_spheres(nodules, affine=affine, shape=shape), expected)


@pytest.mark.parametrize("signs", list(itertools.product([1, -1], repeat=3)))
def test_a_flipped_grid_has_the_same_places_in_the_world(signs):
    affine = np.diag([*(np.array(signs) * [1.5, 0.75, 2.5]), 1.0])
    nodules = np.append(voxel_to_world(np.array([[8, 11, 5]]), affine), [[9.0]], axis=1)
    labels = draw_spheres(nodules, affine=affine, shape=(17, 23, 11))
    world = voxel_to_world(np.argwhere(labels), affine)
    np.testing.assert_allclose(world.mean(axis=0), nodules[0, :3], atol=1e-9)
    assert np.count_nonzero(labels) == 129  # as many in every direction


def test_a_candidate_between_the_voxels_gets_the_nearest():
    labels = draw_spheres(np.array([[-2.4, -3.4, 4.4, 0.5]]), affine=np.eye(4), shape=(9, 9, 9))
    assert np.argwhere(labels).tolist() == [[2, 3, 4]]


def test_a_candidate_outside_the_scan_is_not_drawn():
    nodules = np.array([[40.0, 0, 0, 5], [-2, -2, 2, 1]])
    labels = draw_spheres(nodules, affine=np.eye(4), shape=(5, 5, 5))
    assert np.argwhere(labels == 2).tolist() == [[2, 2, 2]]
    assert not (labels == 1).any()


def test_a_sphere_larger_than_the_scan_fills_it():
    assert (draw_spheres(np.array([[0.0, 0, 0, 500]]), affine=np.eye(4), shape=(5, 6, 7)) == 1).all()


def test_slices_of_a_mask_are_contiguous():
    labels = draw_spheres(WORLD, affine=NATIVE, shape=NATIVE_SHAPE)
    assert labels[..., 3].flags.c_contiguous


def test_the_mask_file_has_ranks_on_the_scans_grid(tmp_path):
    path = write_nodule_mask(tmp_path / "mask.nii.gz", make_case(), probability=0.5)
    image = nib.load(path)
    stored = np.asanyarray(image.dataobj)
    assert stored.dtype == np.uint8
    assert stored.shape == (44, 32, 24)  # columns, rows, slices
    assert set(np.unique(stored)) == {0, 1, 2}  # the third candidate is below 0.5
    for rank in (1, 2):
        places = np.argwhere(stored == rank)
        world = nib.affines.apply_affine(image.affine, places) * [-1, -1, 1]
        distance = np.linalg.norm(world - WORLD[rank - 1, :3], axis=1)
        assert distance.max() <= WORLD[rank - 1, 3] / 2
    assert stored[24, 16, 9] == 1
    assert int(image.header["sform_code"]), int(image.header["qform_code"]) == (1, 0)
    assert set(np.unique(nib.load(write_nodule_mask(path, make_case(), probability=0)).dataobj)) == {
        0,
        1,
        2,
        3,
    }


def test_a_mask_without_candidates_is_empty(tmp_path):
    image = nib.load(write_nodule_mask(tmp_path / "mask.nii.gz", none_found()))
    assert not np.asanyarray(image.dataobj).any()
    image = nib.load(write_nodule_mask(tmp_path / "mask.nii.gz", none_found(mask=make_lungs())))
    assert not np.asanyarray(image.dataobj).any()


def test_axes_are_those_of_the_input(tmp_path):
    path = write_nodule_mask(tmp_path / "mask.nii", make_case(axes="ZYX"))
    image = nib.load(path)
    assert image.shape == (24, 32, 44)
    assert np.asanyarray(image.dataobj)[9, 16, 24] == 1
    np.testing.assert_allclose(image.affine[:, :3], NATIVE[:, [2, 0, 1]])


def test_more_candidates_than_a_mask_can_number(tmp_path):
    many = {"nodules": np.repeat(WORLD[:1], 256, 0), "voxel": np.repeat(VOXEL[:1], 256, 0)}
    scores = {"probability": np.full(256, 0.5, np.float32), "detector": np.full(256, 0.5, np.float32)}
    with pytest.raises(InputError, match="256 candidates of scan1 for a mask of 8 bit"):
        write_nodule_mask(tmp_path / "mask.nii.gz", make_case(**many, **scores))


def test_a_networks_own_mask_is_kept_and_ranked(tmp_path):
    # voxels of the lung grid at two candidates, 20 and 40 mm apart from the others
    mask = np.zeros(GRID_SHAPE, np.uint8)
    mask[20:26, 26:31, 33:39] = 1  # around (22, 28, 35): LPS (3, 2, -95)
    mask[14:18, 35:40, 9:14] = 1  # around (16, 37, 11): LPS (12, -4, -119), the third, 0.25
    case = make_case(mask=mask)
    stored = np.asanyarray(nib.load(write_nodule_mask(tmp_path / "a.nii.gz", case, probability=0.2)).dataobj)
    assert set(np.unique(stored)) == {0, 1, 3}
    # columns every 1.25 mm, rows every 1.5, slices every 3: 7.25 to 9.75 mm of 5 x 6 x 6 voxels
    assert 100 < np.count_nonzero(stored == 1) * 1.25 * 1.5 * 3 < 260
    stored = np.asanyarray(nib.load(write_nodule_mask(tmp_path / "a.nii.gz", case, probability=0.5)).dataobj)
    assert set(np.unique(stored)) == {0, 1}


def nearest_labels(labels, labels_affine, affine, shape):
    """The definition: through the world, voxel by voxel."""
    voxels = np.array(list(itertools.product(*map(range, shape))))
    world = nib.affines.apply_affine(affine, voxels)
    source = nib.affines.apply_affine(np.linalg.inv(labels_affine), world)
    nearest = np.rint(source).astype(int)
    inside = ((nearest >= 0) & (nearest < labels.shape)).all(axis=1)
    found = np.zeros(shape, np.uint8)
    found[tuple(voxels[inside].T)] = labels[tuple(nearest[inside].T)]
    return found


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
def test_labels_on_a_permuted_and_flipped_grid(order, signs):
    labels = np.random.default_rng(0).integers(0, 4, (7, 9, 11))
    affine = np.eye(4)
    affine[:3, :3] = (np.diag(np.array(signs) * [0.9, 1.3, 0.6]))[:, order]
    affine[:3, 3] = np.where(np.array(signs) > 0, -2.05, 9.13)
    got = labels_on_grid(labels, np.diag([1.1, 1.0, 0.8, 1]), affine=affine, shape=(10, 12, 14))
    expected = nearest_labels(labels, np.diag([1.1, 1.0, 0.8, 1]), affine, (10, 12, 14))
    assert expected.any()
    np.testing.assert_array_equal(got, expected)


def test_labels_on_an_oblique_grid():
    labels = np.random.default_rng(0).integers(0, 4, (20, 22, 24)).astype(np.uint8)
    affine = oblique((1, 1.2, 1.4))
    affine[:3, 3] = [2, 8, 5]
    expected = nearest_labels(labels, np.diag([1.5, 1.5, 1.5, 1]), affine, (12, 14, 10))
    got = labels_on_grid(labels, np.diag([1.5, 1.5, 1.5, 1]), affine=affine, shape=(12, 14, 10))
    assert np.count_nonzero(expected) > 200
    np.testing.assert_array_equal(got, expected)
    assert got[..., 0].flags.c_contiguous


def test_labels_beside_the_grid_are_none():
    far = np.eye(4)
    far[0, 3] = 100
    assert not labels_on_grid(np.ones((3, 3, 3), np.uint8), far, affine=np.eye(4), shape=(4, 5, 6)).any()


def test_the_lungs_on_the_scans_grid(tmp_path):
    image = nib.load(write_lung_mask(tmp_path / "lungs.nii.gz", make_case()))
    stored = np.asanyarray(image.dataobj)
    assert (stored.shape, stored.dtype) == ((44, 32, 24), np.uint8)
    assert set(np.unique(stored)) == {0, 1, 2}
    for label in (1, 2):  # ml of an ellipsoid of 17 x 11 x 27 mm half axes, sides touch at the middle
        volume = np.count_nonzero(stored == label) * 1.25 * 1.5 * 3
        assert volume == pytest.approx(np.count_nonzero(make_lungs() == label), rel=0.03)
    right = nib.affines.apply_affine(image.affine, np.argwhere(stored == 1))
    assert right[:, 0].mean() > 5  # RAS: the patient's right


def test_a_case_without_lungs(tmp_path):
    with pytest.raises(InputError, match="scan1 has no lung mask"):
        write_lung_mask(tmp_path / "lungs.nii.gz", make_case(lungs=None, lungs_affine=None))


def test_a_shear_is_kept(tmp_path):
    affine = oblique()
    affine[:3, 2] += 0.3 * affine[:3, 0]
    labels = np.zeros((4, 5, 6), np.uint8)
    image = nib.load(write_labels(tmp_path / "a.nii", labels, affine=affine))
    np.testing.assert_allclose(image.affine[:, [1, 0, 2, 3]], affine, atol=1e-5)


def test_the_same_mask_gives_the_same_file(tmp_path):
    first = write_nodule_mask(tmp_path / "a.nii.gz", make_case(affine=GRID))
    assert first.read_bytes() == write_nodule_mask(tmp_path / "b.nii.gz", make_case()).read_bytes()
