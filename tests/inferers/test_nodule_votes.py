# SPDX-License-Identifier: Apache-2.0
"""Voters by hand, and what must not change."""

import pytest
import torch

from tomobundles.inferers.nodule_votes import vote_spheres

POINTS = torch.tensor([[10.0, 10, 10, 8], [12, 10, 10, 8], [40, 40, 40, 6], [41, 40, 40, 12]])
SCORES = torch.tensor([0.8, 0.4, 0.9, 0.5])


def test_a_voter_counts_by_score_and_overlap():
    # the cubes of the first two share 6 of 8 mm along one axis: 6 / (2 * 8 - 6) = 0.6
    found = vote_spheres(POINTS, SCORES, torch.tensor([0]), iou=0.1)
    share = 0.4 * 0.6 / (0.8 + 0.4 * 0.6)
    assert found[0].tolist() == pytest.approx([10 + 2 * share, 10, 10, 8], rel=1e-6)


def test_sizes_are_averaged_as_logs():
    # a cube of 6 mm inside one of 12 mm: 1 / 8
    found = vote_spheres(POINTS, SCORES, torch.tensor([2]), iou=0.1)
    share = 0.5 / 8 / (0.9 + 0.5 / 8)
    assert found[0].tolist() == pytest.approx([40 + share, 40, 40, 6 * 2**share], rel=1e-6)


def test_little_overlap_is_no_vote():
    assert torch.allclose(vote_spheres(POINTS, SCORES, torch.tensor([2, 0]), iou=0.7), POINTS[[2, 0]])


def test_order_and_shape_follow_the_candidates():
    found = vote_spheres(POINTS, SCORES, torch.tensor([2, 1]), iou=0.1)
    assert found.shape == (2, 4)
    assert found[0, 0] > 39
    assert found[1, 0] < 13
    assert vote_spheres(POINTS, SCORES, torch.tensor([], dtype=torch.long), iou=0.1).shape == (0, 4)


def test_noise_around_a_nodule_is_averaged_away():
    generator = torch.Generator().manual_seed(0)
    truth = torch.tensor([30.0, 30, 30, 10])
    points = truth + torch.randn(40, 4, generator=generator) * 1.5
    scores = torch.rand(40, generator=generator) * 0.1 + 0.9
    found = vote_spheres(points, scores, scores.argmax()[None], iou=0.1)
    alone = (points[scores.argmax(), :3] - 30).norm()
    assert (found[0, :3] - 30).norm() < 0.7 < 1.5 < alone


def test_scores_that_round_to_zero_give_no_nan():
    found = vote_spheres(POINTS, torch.zeros(4), torch.tensor([0]), iou=0.1)
    assert bool(found.isfinite().all())
