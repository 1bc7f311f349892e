# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from tomobundles.transforms import Regridder, patient_grid
from tomobundles.transforms.regrid import Grid
from tomobundles.utils import InputError
from tomobundles.utils.world import voxel_to_world

from .lung_scans import affine_of, stored

GRID = patient_grid((-10, -12, -9), (10, 12, 9), 1.0)
TURN = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]


def _ramp(points):
    return 3 * points[:, 0] - 5 * points[:, 1] + 2 * points[:, 2] + 40


def _on_grid(function, grid=GRID):
    places = np.indices(grid.shape).reshape(3, -1).T
    return function(voxel_to_world(places, grid.affine)).reshape(grid.shape)


def test_a_grid_lies_along_the_patient():
    grid = patient_grid((10, 20, 30), (14, 25, 33.2), 0.5)
    assert grid.shape == (10, 8, 7)  # back, left, head; 3.2 mm need a seventh slice
    first, back, left, head = voxel_to_world([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], grid.affine)
    assert first.tolist() == [10.25, 20.25, 30.25]
    assert (back - first).tolist() == [0, 0.5, 0]
    assert (left - first).tolist() == [0.5, 0, 0]
    assert (head - first).tolist() == [0, 0, 0.5]


HALF = np.array([[0.5**0.5, -(0.5**0.5), 0], [0.5**0.5, 0.5**0.5, 0], [0, 0, 1]])  # 45 degrees: either axis


@pytest.mark.parametrize(
    "direction",
    [np.eye(3), np.diag([-1, 1, -1]), np.eye(3)[[2, 0, 1]], np.eye(3)[[1, 0, 2]] * [1, -1, -1], TURN, HALF],
    ids=["straight", "flipped", "permuted", "both", "oblique", "half"],
)
@pytest.mark.parametrize("spacing", [(0.6, 0.7, 1.3), (1.0, 1.0, 1.0)])
def test_a_ramp_of_the_world_is_exact(direction, spacing):
    shape = tuple(np.ceil(56 / np.array(spacing)).astype(int))
    scan = stored(_ramp, affine_of(direction, spacing, shape, (1.3, -0.7, 2.1)), shape)
    read = Regridder(scan.as_tensor(), scan.affine.numpy(), GRID)
    for start, stop in ((0, 5), (5, 24)):
        values, inside = read.rows(start, stop)
        assert inside is None
        assert np.allclose(values, _on_grid(_ramp)[start:stop], atol=2e-3)
        assert values.is_contiguous()
        assert values.dtype == torch.float32


@pytest.mark.parametrize("direction", [np.eye(3), TURN], ids=["straight", "oblique"])
def test_the_nearest_voxel_keeps_its_type(direction):
    shape, spacing = (40, 44, 42), (1.1, 0.9, 1.0)
    affine = affine_of(direction, spacing, shape)
    scan = stored(lambda points: (np.abs(points) < 4).all(axis=1) * 3, affine, shape, dtype=torch.uint8)
    values, inside = Regridder(scan.as_tensor(), affine, GRID, nearest=True).rows(0, GRID.shape[0])
    assert inside is None
    assert values.dtype == torch.uint8
    places = np.indices(GRID.shape).reshape(3, -1).T
    world = voxel_to_world(places, GRID.affine)
    index = np.linalg.solve(affine[:3, :3], (world * [-1, -1, 1] - affine[:3, 3]).T).T
    near = np.abs(index % 1 - 0.5).min(axis=1) < 1e-4  # between two voxels: either is right
    expected = scan.as_tensor()[0].numpy()[tuple(np.rint(index).astype(int).T)]
    assert (values.numpy().ravel() == expected)[~near].all()


@pytest.mark.parametrize(
    "direction", [np.eye(3), np.array([[1, -0.02, 0], [0.02, 1, 0], [0, 0, 1]])], ids=["straight", "oblique"]
)
def test_beyond_the_volume_is_known_and_edges_repeat(direction):
    shape = (10, 10, 10)
    affine = affine_of(direction, (1, 1, 1), shape)
    values, inside = Regridder(torch.full((1, *shape), 7, dtype=torch.int16), affine, GRID).rows(
        0, GRID.shape[0]
    )
    assert torch.allclose(values, torch.tensor(7.0))
    world = voxel_to_world(np.indices(GRID.shape).reshape(3, -1).T, GRID.affine)
    offset = np.linalg.solve(np.asarray(direction, float), world.T).T
    expected = (np.abs(offset) < 5).all(axis=1)
    assert (inside.numpy().ravel() == expected).all()
    assert 900 < expected.sum() < 1100


def test_limits_hold_before_interpolation():
    volume = torch.tensor([-3000.0, 100.0]).reshape(1, 1, 1, 2)
    affine = np.diag([1.0, 1, 2, 1])
    grid = Grid(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]]), (1, 1, 1))
    values, _ = Regridder(volume, affine, grid, limits=(-1000, 600)).rows(0, 1)
    assert values.item() == pytest.approx(-450)  # halfway between -1000 and 100
    assert volume.min() == -3000


def test_a_slight_skew_is_taken_for_none_but_stays_small():
    shape = (30, 30, 30)
    direction = np.eye(3) + np.array([[0, 2e-4, 0], [-2e-4, 0, 0], [0, 0, 0]])
    scan = stored(_ramp, affine_of(direction, (1, 1, 1), shape), shape)
    read = Regridder(scan.as_tensor(), scan.affine.numpy(), GRID)
    assert read.axes is not None
    assert np.allclose(read.rows(0, 24)[0], _on_grid(_ramp), atol=0.1)


@pytest.mark.parametrize("broken", [np.diag([1.0, 0, 1, 1]), np.full((4, 4), np.nan)])
def test_refuses_an_affine_without_inverse(broken):
    with pytest.raises(InputError, match="without an inverse"):
        Regridder(torch.zeros(1, 2, 2, 2), broken, GRID)
