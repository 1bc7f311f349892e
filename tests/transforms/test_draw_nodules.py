# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch

from tomobundles.transforms import draw_spheres


def test_a_small_ball_by_hand():
    mask = draw_spheres(torch.tensor([[2.0, 3, 4, 2]]), (5, 6, 7))
    assert mask.shape == (1, 5, 6, 7)
    assert mask.dtype == torch.uint8
    expected = [[1, 3, 4], [2, 2, 4], [2, 3, 3], [2, 3, 4], [2, 3, 5], [2, 4, 4], [3, 3, 4]]
    assert mask[0].nonzero().tolist() == expected


def test_the_tiniest_keeps_a_voxel():
    mask = draw_spheres(torch.tensor([[1.3, 1.4, 1.2, 0.1]]), (3, 3, 3))
    assert mask[0].nonzero().tolist() == [[1, 1, 1]]


def test_volume_and_centre():
    mask = draw_spheres(torch.tensor([[20.3, 19.6, 21.1, 24.0]]), (42, 42, 42))[0]
    assert mask.sum().item() == pytest.approx(math.pi / 6 * 24**3, rel=0.01)
    assert torch.allclose(
        mask.nonzero().double().mean(dim=0), torch.tensor([20.3, 19.6, 21.1]).double(), atol=0.05
    )


def test_only_nodules_are_drawn():
    rows = torch.tensor([[2.0, 2, 2, 1, 1], [4, 4, 4, 1, -1], [0, 0, 0, 0, 0]])
    assert draw_spheres(rows, (6, 6, 6))[0].nonzero().tolist() == [[2, 2, 2]]


def test_parts_outside_are_cut_and_balls_may_touch():
    mask = draw_spheres(torch.tensor([[-1.0, 2, 2, 4], [9, 2, 2, 4], [2, 2, 2, 2]]), (4, 5, 5))[0]
    assert mask[0, 2, 2] == 1
    assert mask.max() == 1
    assert mask[3].sum() == 1  # of the third ball only
    assert draw_spheres(torch.zeros(0, 5), (2, 2, 2)).sum() == 0


def test_a_single_plane():
    mask = draw_spheres(torch.tensor([[4.0, 4, 0.5, 5, 1]]), (9, 9, 1))
    distance = (torch.arange(9) - 4.0) ** 2
    assert torch.equal(mask[0, :, :, 0] > 0, distance[:, None] + distance + 0.25 <= 6.25)
