# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import ndimage

from tomobundles.data.phantoms import kidney_phantom, kidney_scene, sparse_label
from tomobundles.data.phantoms.kidney import annotated, draw_kidney
from tomobundles.data.phantoms.kidney_artefacts import draw_scanner
from tomobundles.data.phantoms.kidney_body import Grid
from tomobundles.utils import InputError

TOUCHING = np.ones((3, 3, 3))
SHAPE = (48, 64, 56)


@pytest.fixture(scope="module")
def phantom():
    return kidney_phantom(shape=SHAPE, seed=0)


def grays(phantom):
    return phantom.image / 257


def test_types_and_values(phantom):
    assert phantom.image.shape == phantom.label.shape == SHAPE
    assert (phantom.image.dtype, phantom.label.dtype) == (np.uint16, np.uint8)
    assert set(np.unique(phantom.label)) == {0, 1}
    assert phantom.spacing_um == (50.0, 50.0, 50.0)
    assert 5_000 < np.percentile(phantom.image, 1) < np.percentile(phantom.image, 99) < 50_000


@pytest.mark.parametrize("shape", [(24, 32, 28), (32, 32, 32), (64, 48, 40)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_vessels_are_as_rare_as_in_the_contest_and_one_tree(shape, seed):
    label = kidney_phantom(shape=shape, seed=seed).label
    assert 0.001 < label.mean() < 0.01
    assert ndimage.label(label, TOUCHING)[1] == 1


def test_lumens_are_darker_than_the_tissue_around_and_walls_brighter(phantom):
    distance = ndimage.distance_transform_edt(phantom.label == 0)
    deep = ndimage.binary_erosion(phantom.label)
    near, far = (np.median(grays(phantom)[(distance > low) & (distance <= low + 1)]) for low in (1, 6))
    lumen = np.median(grays(phantom)[deep])
    assert far - 35 < lumen < far - 10
    assert near > far


def test_noise_is_low_and_correlated(phantom):
    # the medium in the corners, its slow ripples taken off
    corner = grays(phantom)[:, :8, :8]
    rest = corner - ndimage.gaussian_filter(corner, 3)
    assert 1.5 < rest.std() < 5
    assert 0.3 < (rest[..., 1:] * rest[..., :-1]).mean() / rest.var() < 0.8


def test_same_seed_same_kidney_and_another_seed_another(phantom):
    again = kidney_phantom(shape=SHAPE, seed=0)
    np.testing.assert_array_equal(again.image, phantom.image)
    np.testing.assert_array_equal(again.label, phantom.label)
    assert (kidney_phantom(shape=SHAPE, seed=1).label != phantom.label).any()


def test_slabs_do_not_show(phantom, monkeypatch):
    monkeypatch.setattr(kidney_scene, "_SLAB", 7)
    again = kidney_phantom(shape=SHAPE, seed=0)
    np.testing.assert_array_equal(again.image, phantom.image)
    np.testing.assert_array_equal(again.label, phantom.label)


def test_another_voxel_size_shows_the_same_kidney_at_the_same_place(phantom):
    extent = [size * 50.0 for size in SHAPE]
    coarse = kidney_phantom(shape=(38, 50, 44), seed=0, spacing_um=63.08, extent_um=extent)
    centres = [(np.arange(size) + 0.5) * 63.08 / 50 - 0.5 for size in coarse.image.shape]
    grid = np.meshgrid(*centres, indexing="ij")

    def there(shift):
        moved = [grid[0], grid[1], grid[2] + shift]
        values = ndimage.map_coordinates(phantom.image.astype(float), moved, order=1, mode="nearest")
        return np.corrcoef(values.ravel(), coarse.image.ravel())[0, 1]

    assert there(0) > 0.85
    assert there(0) > max(there(-0.6), there(0.6))
    assert coarse.spacing_um == (63.08,) * 3
    np.testing.assert_allclose(coarse.tree.radius_um, phantom.tree.radius_um)


def test_a_thin_box_shows_the_middle_of_a_kidney():
    slab = kidney_phantom(shape=(4, 48, 48), seed=0)
    scene, grid = draw_kidney(shape=(4, 48, 48), seed=0, spacing_um=50)
    assert grid.corner_um == (0.3 * 2400 - 100, 0, 0)  # the kidney fills 0.6 * 48 voxels: 12.4 above the box
    assert scene.body.half_axes[0] > 400
    assert (np.median(slab.image[:, 20:28, 20:28], axis=(1, 2)) > np.median(slab.image[:, :6, :6])).all()


def test_voxels_and_segments_are_those_of_the_label(phantom):
    np.testing.assert_array_equal(np.flatnonzero(phantom.label), phantom.voxels)
    assert (phantom.tree.radius_um[phantom.segments] >= 0.7 * 50).all()


@pytest.mark.parametrize("fraction", [0.65, 0.85])
def test_sparse_labels_lack_whole_branches(phantom, fraction):
    label = sparse_label(phantom, fraction=fraction)
    np.testing.assert_allclose(label.sum() / phantom.label.sum(), fraction, atol=0.02)
    assert (label <= phantom.label).all()
    kept = annotated(phantom.tree, phantom.segments, fraction=fraction, seed=0)
    parents = phantom.tree.parent[1:]
    assert (kept[1:] <= kept[parents]).all()  # nothing is kept beyond what is left out
    assert 1 <= (~kept[1:] & kept[parents]).sum() < 60


def test_a_dense_label_and_another_choice_of_branches(phantom):
    np.testing.assert_array_equal(sparse_label(phantom, fraction=1.0), phantom.label)
    first, second = (sparse_label(phantom, seed=seed) for seed in (0, 1))
    assert (first != second).any()


def test_the_vessels_look_alikes_have_no_label():
    # balls are as dark as vessels, and there are at least half as many sections of them
    scene, _ = draw_kidney(shape=SHAPE, seed=0, spacing_um=50)
    assert len(scene.dark.radius_um) > 50
    assert len(scene.veins.radius_um) > 50
    assert [len(shapes.radius_um) > 5 for shapes, _ in scene.bright] == [True, True]


def test_rings_are_constant_along_circles():
    scanner = draw_scanner(np.random.default_rng(1))
    grid = Grid((4, 64, 64), 50.0)
    gray = np.zeros(grid.shape, np.float32)
    y, x = (np.arange(64)[:, None] - 64 * scanner.axis[0], np.arange(64) - 64 * scanner.axis[1])
    radius = np.hypot(y, x).astype(np.float32)
    scanner._add_rings(gray, radius, grid, slice(0, 4))
    means = ndimage.mean(gray[0], radius.astype(int), np.arange(1, 30))
    spread = ndimage.standard_deviation(gray[0], radius.astype(int), np.arange(1, 30))
    assert np.std(means) > 0.2
    assert np.median(spread) < np.std(means)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (0, 8, 8)}, r"shape \(0, 8, 8\)"),
        ({"shape": (8, 8)}, r"shape \(8, 8\)"),
        ({"seed": -1}, "seed -1"),
        ({"spacing_um": 0.0}, "voxels of 0.0 um"),
        ({"extent_um": (100.0, 100.0)}, "box of"),
        ({"extent_um": (100.0, 100.0, float("nan"))}, "box of"),
    ],
)
def test_what_is_no_phantom(options, message):
    with pytest.raises(InputError, match=message):
        kidney_phantom(**{"shape": (8, 8, 8), "seed": 0} | options)


@pytest.mark.parametrize("fraction", [0, 1.2, -1])
def test_what_is_no_fraction(phantom, fraction):
    with pytest.raises(InputError, match="annotated fraction"):
        sparse_label(phantom, fraction=fraction)
