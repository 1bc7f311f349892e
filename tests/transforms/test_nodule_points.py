# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms import NodulesToGridd, NodulesToWorldd, patient_grid
from tomobundles.utils import InputError

GRID = patient_grid((100, 200, -50), (140, 230, 0), 1.0)  # first voxel centre at 100.5, 200.5, -49.5
IMAGE = MetaTensor(torch.zeros(1, *GRID.shape, dtype=torch.uint8), affine=torch.from_numpy(GRID.affine))
NODULES = np.array([[110.5, 205.5, -40.0, 6.0], [101.0, 229.0, -1.0, 12.5]])


def test_nodules_become_rows_of_the_grid():
    item = {
        "image": IMAGE,
        "nodules": NODULES,
        "excluded": np.array([[120.5, 210.5, -9.5, -1.0], [0, 0, 0, 4.0]]),
    }
    found = NodulesToGridd()(item)
    assert found["label"].dtype == torch.float32
    expected = [
        [5, 10, 9.5, 6, 1],
        [28.5, 0.5, 48.5, 12.5, 1],
        [10, 20, 40, 10, -1],
        [-200.5, -100.5, 49.5, 4, -1],
    ]
    assert torch.allclose(found["label"], torch.tensor(expected), atol=1e-4)
    assert "false_positive_points" not in found
    assert found["nodules"] is NODULES


def test_no_nodules_at_all():
    for item in ({"image": IMAGE}, {"image": IMAGE, "nodules": np.zeros((0, 4)), "excluded": ()}):
        assert NodulesToGridd()(item)["label"].shape == (0, 5)


def test_diameters_are_in_voxels():
    grid = patient_grid((100, 200, -50), (140, 230, 0), 2.0)
    image = MetaTensor(torch.zeros(1, *grid.shape), affine=torch.from_numpy(grid.affine))
    item = {"image": image, "nodules": NODULES, "excluded": [[101, 201, -49, -1]]}
    label = NodulesToGridd()(item)["label"]
    assert torch.allclose(label[:, 3], torch.tensor([3, 6.25, 5]))
    assert torch.allclose(label[2, :3], torch.zeros(3), atol=1e-4)


def test_false_positives_follow():
    item = {"image": IMAGE, "nodules": (), "excluded": (), "false_positives": [[100.5, 200.5, -49.5, 7]]}
    assert torch.allclose(
        NodulesToGridd()(item)["false_positive_points"], torch.tensor([[0.0, 0, 0, 7]]), atol=1e-4
    )
    item["false_positives"] = np.zeros((0, 4))
    assert NodulesToGridd()(item)["false_positive_points"].shape == (0, 4)


def test_nodules_outside_the_lungs_are_counted():
    labels = torch.ones(1, 20, 15, 25, dtype=torch.uint8)
    labels[0, :8] = 0  # right of x 116
    affine = np.diag([-2.0, -2, 2, 1])
    affine[:3, 3] = [-101, -201, -49]
    lungs = MetaTensor(labels, affine=torch.from_numpy(affine))
    item = {
        "image": IMAGE,
        "nodules": NODULES,
        "lungs": lungs,
        "lung_quality": {"warnings": ["old"], "level_hu": -600},
    }
    quality = NodulesToGridd()(item)["lung_quality"]
    assert quality == {"warnings": ["old", "2 of 2 nodules outside the lung mask"], "level_hu": -600}
    assert item["lung_quality"]["warnings"] == ["old"]
    labels[:] = 1
    beyond = np.array([[90.0, 210, -20, 5], [120, 210, -20, 5]])
    quality = NodulesToGridd()(item | {"nodules": beyond})["lung_quality"]
    assert quality["warnings"][1:] == ["1 of 2 nodules outside the lung mask"]
    assert NodulesToGridd()(item)["lung_quality"] == item["lung_quality"]


@pytest.mark.parametrize("spacing", [1.0, 1.5])
def test_there_and_back(spacing):
    grid = patient_grid((100, 200, -50), (140, 230, 0), spacing)
    native = torch.tensor([[0, -0.7, 0, -90], [-0.7, 0, 0, -190], [0, 0, -1.25, 10], [0, 0, 0, 1]])
    image = MetaTensor(
        torch.zeros(1, 2, 2, 2), affine=torch.from_numpy(grid.affine), meta={"native_affine": native}
    )
    label = NodulesToGridd()({"image": image, "nodules": NODULES})["label"]
    pred = {"points": label[:, :4], "probability": torch.tensor([0.9, 0.8])}
    found = NodulesToWorldd()({"image": image, "pred": pred})["pred"]
    assert found["world"].dtype == found["voxel"].dtype == torch.float64
    assert np.allclose(found["world"], NODULES, atol=1e-4)
    # columns grow with x from 90, rows with y from 190, slices run down from z 10
    expected = np.column_stack(
        [(NODULES[:, 1] - 190) / 0.7, (NODULES[:, 0] - 90) / 0.7, (10 - NODULES[:, 2]) / 1.25]
    )
    assert np.allclose(found["voxel"], expected, atol=1e-4)
    assert found["probability"] is pred["probability"]
    assert "world" not in pred


def test_no_detections():
    image = MetaTensor(torch.zeros(1, 2, 2, 2), meta={"native_affine": np.eye(4)})
    found = NodulesToWorldd(keys="pred")({"image": image, "pred": {"points": torch.zeros(0, 4)}})["pred"]
    assert found["world"].shape == (0, 4)
    assert found["voxel"].shape == (0, 3)


def test_refuses_an_image_on_another_grid():
    with pytest.raises(InputError, match="not on a lung grid"):
        NodulesToWorldd()({"image": IMAGE, "pred": {"points": torch.zeros(0, 4)}})
