# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from tomobundles.transforms.axis_weights import AxisWeights


def _matrix(positions, size, step):
    weights, box = AxisWeights(np.array(positions, float), size, step, nearest=False).weights(0, None)
    whole = torch.zeros(len(positions), size)
    whole[:, box] = weights
    return whole


def test_linear_interpolation():
    found = _matrix([0.0, 0.25, 1.5], 3, 1.0)
    assert torch.allclose(found, torch.tensor([[1, 0, 0], [0.75, 0.25, 0], [0, 0.5, 0.5]]))


def test_a_coarser_grid_averages():
    # steps of sqrt(2): the interpolant is averaged over 1 voxel; a quarter triangle on each side is 1/8
    found = _matrix([2.0], 5, 2**0.5)
    assert torch.allclose(found, torch.tensor([[0, 0.125, 0.75, 0.125, 0]]), atol=1e-6)


@pytest.mark.parametrize("step", [0.4, 1.0, 1.43, 2.0, 3.7])
def test_a_ramp_stays_exact_and_weights_sum_to_one(step):
    positions = np.arange(6, 30, step)
    found = _matrix(positions, 40, step)
    assert torch.allclose(found.sum(dim=1), torch.ones(len(positions)), atol=1e-5)
    ramp = torch.arange(40, dtype=torch.float32)
    assert np.allclose(found @ ramp, positions, atol=1e-4)


def test_edges_repeat_and_beyond_is_known():
    axis = AxisWeights(np.array([-0.6, -0.5, 0.0, 2.5, 2.6]), 3, 1.0, nearest=False)
    assert axis.inside.tolist() == [False, True, True, True, False]
    assert torch.allclose(_matrix([-3, 7], 3, 1.0), torch.tensor([[1.0, 0, 0], [0, 0, 1]]))


def test_only_the_stored_voxels_that_count_are_named():
    weights, box = AxisWeights(np.array([0.0, 3.5, 9.0]), 20, 1.0, nearest=False).weights(1, 2)
    assert (box.start, box.stop) == (3, 5)
    assert torch.allclose(weights, torch.tensor([[0.5, 0.5]]))


def test_nearest_voxels():
    axis = AxisWeights(np.array([-2.0, 0.4, 0.6, 9.0]), 3, 1.0, nearest=True)
    assert axis.nearest.tolist() == [0, 0, 1, 2]
