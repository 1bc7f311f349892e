# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.nodule_overview import (
    LUNG_COLORS,
    compose_lung_slices,
    compose_marked_slices,
    compose_projections,
    project,
)
from tomobundles.visualize.nodule_planes import ANNOTATED, CANDIDATE, NoduleMark

SHAPE = (20, 30, 40)
ONE = (1.0, 1.0, 1.0)


def lungs():
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:16, 2:28, 5:35] = 3
    labels[5:15, 3:13, 6:34], labels[5:15, 17:27, 6:34] = 1, 2
    return labels


def test_a_projection_is_the_mean_of_the_lungs_alone():
    image = np.full(SHAPE, 250, np.uint8)
    image[5:15] = 40
    image[5:15, 5, 8] = 90  # a vessel along the line of sight
    image[10, 20, 20] = 140  # 50 in the mean of ten voxels
    shown = project(image, 0, lungs())
    assert shown.shape == (30, 40)
    inside = (lungs() % 3 > 0).any(axis=0)
    assert (shown[~inside] == 40).all()  # neither the body nor the margin is seen
    assert shown[5, 8] == 255
    assert shown[20, 20] > shown[20, 21]
    assert len(np.unique(shown[inside])) == 3


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_without_lungs_it_is_the_mean_of_all(axis):
    image = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
    shown = project(image, axis, None).astype(float)
    mean = image.mean(axis=axis)
    assert shown.shape == mean.shape
    assert np.corrcoef(shown.ravel(), mean.ravel())[0, 1] > 0.95
    assert project(image, axis, lungs()).shape == mean.shape


def places(picture, color):
    return np.argwhere((np.asarray(picture) == color).all(axis=-1))


def test_candidates_are_circles_with_numbers():
    image = np.zeros(SHAPE, np.uint8)
    marks = [NoduleMark((10, 6, 30), 6.0, "1")]
    picture = compose_projections(image, marks, spacing=ONE, lungs=lungs(), height=400)
    # 10 pixels a mm: coronal 300 wide, a bar of 4, sagittal 200
    assert picture.size == (504, 400)
    found = places(picture, CANDIDATE)
    coronal, sagittal = found[found[:, 1] < 300], found[found[:, 1] >= 304]
    # row (39 - 30 + 0.5) * 10, columns (6 + 0.5) * 10 and 304 + (10 + 0.5) * 10; radius 30
    for ring, middle in ((coronal, 65), (sagittal, 409)):
        circle = ring[np.abs(ring - [94.5, middle - 0.5]).max(axis=1) < 32]
        assert circle.min(axis=0) == pytest.approx([64.5, middle - 30.5], abs=1.5)
        assert circle.max(axis=0) == pytest.approx([124.5, middle + 29.5], abs=1.5)
        assert len(ring) > len(circle)  # the number beside it


def test_annotated_nodules_are_blue():
    marks = [NoduleMark((10, 6, 30), 6.0)]
    picture = compose_projections(np.zeros(SHAPE, np.uint8), [], spacing=ONE, annotated=marks, height=400)
    assert len(places(picture, ANNOTATED)) > 100
    assert len(places(picture, CANDIDATE)) == 0


def test_millimetres_are_square():
    picture = compose_projections(np.zeros(SHAPE, np.uint8), [], spacing=(2.0, 1.0, 0.5), height=100)
    # 20 mm high, 30 and 40 mm wide
    assert picture.size == (150 + 4 + 200, 100)


def test_small_candidates_are_seen():
    picture = compose_projections(
        np.zeros(SHAPE, np.uint8), [NoduleMark((10, 6, 30), 0.1)], spacing=ONE, height=80
    )
    assert len(places(picture, CANDIDATE)) > 10


def test_slices_with_the_mask():
    image = np.full(SHAPE, 60, np.uint8)
    picture = compose_lung_slices(image, lungs(), spacing=ONE, height=200)
    # three axial (30 x 20 mm) and a coronal one (30 x 40 mm)
    assert picture.size == (3 * 300 + 150 + 3 * 4, 200)
    for left in (0, 304, 608, 912):
        part = np.asarray(picture)[:, left : left + 150]
        strongest = [np.abs(part.astype(int) - color).sum(axis=-1).min() for color in LUNG_COLORS]
        assert strongest[0] < 90  # the outline of the right lung, at the left


def test_an_empty_mask_is_shown_too():
    empty = np.zeros(SHAPE, np.uint8)
    assert compose_lung_slices(empty, empty, spacing=ONE, height=100).height == 100
    body = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
    np.testing.assert_array_equal(project(body, 0, np.full(SHAPE, 3, np.uint8)), project(body, 0, None))


@pytest.mark.parametrize(
    "image", [np.zeros(SHAPE), np.zeros((4, 5), np.uint8), np.zeros((0, 4, 5), np.uint8)]
)
def test_an_image_of_another_kind(image):
    with pytest.raises(InputError, match=r"where \(H, W, D\) uint8 is expected"):
        compose_projections(image, [], spacing=ONE)


def test_lungs_on_another_grid():
    with pytest.raises(InputError, match=r"lungs of shape \(4, 5, 6\) do not fit"):
        compose_lung_slices(np.zeros(SHAPE, np.uint8), np.zeros((4, 5, 6), np.uint8), spacing=ONE)


def test_slices_cut_spheres_in_circles():
    """10 pixels a mm: a sphere of 10 mm has a circle of 8 mm in a plane 3 mm off its centre."""
    image = np.zeros(SHAPE, np.uint8)
    nodule, candidate = NoduleMark((10, 15, 20), 10.0), NoduleMark((6, 8, 29), 4.0, "0.93")
    options = {"spacing": ONE, "annotated": [nodule], "height": 200}
    picture = compose_marked_slices(image, [20, 23, 29], [candidate], **options)
    assert picture.size == (3 * 300 + 8, 200)
    parts = [np.asarray(picture)[:, left : left + 300] for left in (0, 304, 608)]
    for part, diameter in zip(parts, (100, 80, None), strict=True):
        found = places(part, ANNOTATED)
        if diameter is None:
            assert not len(found)
        else:
            assert np.ptp(found, axis=0) == pytest.approx(diameter, abs=2)
            assert found.mean(axis=0) == pytest.approx((104.5, 154.5), abs=2)
    assert [len(places(part, CANDIDATE)) > 0 for part in parts] == [False, False, True]


def test_a_sphere_thinner_than_a_slice_is_drawn_in_the_nearest():
    image = np.zeros(SHAPE, np.uint8)
    marks = [NoduleMark((10, 15, 20.4), 2.0)]
    drawn = [
        len(places(compose_marked_slices(image, [index], marks, spacing=(1, 1, 5)), CANDIDATE))
        for index in (19, 20, 21)
    ]
    assert drawn[1] > 0
    assert drawn[0] == drawn[2] == 0


@pytest.mark.parametrize("slices", [[], [40], [-1]])
def test_slices_that_are_not_there(slices):
    with pytest.raises(InputError, match="0 to 39 are possible"):
        compose_marked_slices(np.zeros(SHAPE, np.uint8), slices, [], spacing=ONE)
