# SPDX-License-Identifier: Apache-2.0
"""Detections outside the lung mask go, with all that belongs to them."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms.candidates_in_lungs import CandidatesInLungsd, labels_at


@pytest.fixture
def sample():
    # lungs on a grid of 2 mm whose first voxel is the image's voxel (4, 4, 4)
    labels = torch.zeros(1, 3, 3, 3, dtype=torch.uint8)
    labels[0, 1, 1, 1], labels[0, 2, 1, 1] = 1, 3
    image_affine = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0], dtype=torch.float64))
    lungs_affine = torch.diag(torch.tensor([-2.0, -2.0, 2.0, 1.0], dtype=torch.float64))
    lungs_affine[:3, 3] = torch.tensor([-4.0, -4.0, 4.0])
    points = torch.tensor([[6.0, 6, 6, 5], [8, 6, 6, 5], [4, 6, 6, 5], [30, 6, 6, 5]])
    found = {
        "points": points,
        "probability": torch.tensor([0.9, 0.8, 0.7, 0.6]),
        "classifier": torch.tensor([0.1, 0.2, 0.3, 0.4]),
        "mask": torch.zeros(4, 2),
    }
    image = MetaTensor(torch.zeros(1, 9, 9, 9), affine=image_affine)
    return {"image": image, "lungs": MetaTensor(labels, affine=lungs_affine), "pred": found}


def test_lung_and_margin_stay(sample):
    found = CandidatesInLungsd()(sample)["pred"]
    assert found["points"][:, 0].tolist() == [6, 8]
    assert found["probability"].tolist() == pytest.approx([0.9, 0.8])
    assert found["classifier"].tolist() == pytest.approx([0.1, 0.2])
    assert found["mask"].shape == (4, 2)  # no rows, though there are as many


def test_the_sample_itself_is_not_changed(sample):
    CandidatesInLungsd()(sample)
    assert len(sample["pred"]["points"]) == 4


def test_without_lungs_all_stay(sample):
    del sample["lungs"]
    assert len(CandidatesInLungsd()(sample)["pred"]["points"]) == 4


def test_no_candidates_stay_none(sample):
    sample["pred"] = {"points": torch.zeros(0, 4), "probability": torch.zeros(0)}
    assert CandidatesInLungsd()(sample)["pred"]["points"].shape == (0, 4)


def test_labels_at_points_of_the_world(sample):
    # LPS of the lungs' voxel (1, 1, 1): (6, 6, 6), see the affines
    points = np.array([[6.0, 6, 6], [6.9, 6, 6], [8, 6, 6], [100, 0, 0]])
    assert labels_at(sample["lungs"], points).tolist() == [1, 1, 3, 0]
