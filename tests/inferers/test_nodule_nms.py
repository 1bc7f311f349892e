# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from monai.data.box_utils import non_max_suppression

from tomobundles.inferers.nodule_nms import nms_cubes

# cubes of 10: shifted by 5 along one axis they share 500 of 1500, 1/3; by 8, 200 of 1800, 1/9
POINTS = torch.tensor([[0.0, 0, 0, 10], [5, 0, 0, 10], [13, 0, 0, 10], [100, 0, 0, 10]])


def test_the_better_of_two_stays():
    assert nms_cubes(POINTS, torch.tensor([0.5, 0.9, 0.4, 0.3]), 0.1).tolist() == [1, 3]
    assert nms_cubes(POINTS, torch.tensor([0.9, 0.5, 0.4, 0.3]), 0.1).tolist() == [
        0,
        2,
        3,
    ]  # 1 no longer drops 2
    assert nms_cubes(POINTS, torch.tensor([0.5, 0.9, 0.4, 0.3]), 0.2).tolist() == [1, 2, 3]
    assert nms_cubes(POINTS, torch.tensor([0.1, 0.2, 0.3, 0.4]), 0.34).tolist() == [3, 2, 1, 0]


def test_equal_scores_and_limits():
    same = torch.full((4,), 0.5)
    assert nms_cubes(POINTS, same, 0.1).tolist() == [0, 2, 3]
    assert nms_cubes(POINTS, same, 0.1, most=2).tolist() == [0, 2]
    assert nms_cubes(POINTS, same, 0.1, most=0).tolist() == []
    nothing = nms_cubes(torch.empty(0, 4), torch.empty(0), 0.1)
    assert nothing.dtype == torch.int64
    assert len(nothing) == 0


@pytest.mark.parametrize("iou", [0.05, 0.1, 0.3])
def test_equals_monai(iou):
    torch.manual_seed(0)
    points = torch.cat([torch.rand(300, 3) * 60, torch.rand(300, 1) * 20 + 3], dim=1)
    scores = (torch.rand(300) * 50).round() / 50  # many are equal
    half = points[:, 3:] / 2
    boxes = torch.cat([points[:, :3] - half, points[:, :3] + half], dim=1)
    expected = non_max_suppression(boxes, scores, iou)
    assert 10 < len(expected) < 290
    assert torch.equal(nms_cubes(points, scores, iou), expected)
    assert torch.equal(nms_cubes(points, scores, iou, most=9), expected[:9])
