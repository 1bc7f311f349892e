# SPDX-License-Identifier: Apache-2.0
"""All handlers together, wired by a configuration as a bundle does."""

from __future__ import annotations

import json

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import nn

from tomobundles.handlers.checkpoint_content import load_checkpoint


class Network(nn.Module):
    """Slices (B, 1, H, W) to a map and a score; a volume (B, 1, H, W, D) to class map and presence."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1)

    def forward(self, inputs):
        if inputs.ndim == 4:
            return self.layer(inputs)
        return {"label": (inputs > 0.5).byte(), "presence": inputs.mean(dim=(2, 3))}


class Loss(nn.Module):
    def forward(self, prediction, target):
        self.terms = {"mse": nn.functional.mse_loss(prediction.detach(), target)}
        return nn.functional.mse_loss(prediction, target)


def volume(name):
    label = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    label[:, :2, :, 0] = 1
    return {"image": MetaTensor(label.float(), meta={"filename_or_obj": name}), "label": label}


def parts():
    return {
        "network": Network(),
        "loss": Loss(),
        "train_data": [{"image": torch.ones(1, 4, 4), "label": torch.ones(1, 4, 4)}] * 4,
        "val_data": [volume("/a.nii"), volume("/b.nii")],
    }


def configuration(folder, *, epochs, resume):
    ours, loader = "tomobundles.handlers.", {"_target_": "DataLoader", "batch_size": 1}
    state = {"network": "@network", "optimizer": "@optimizer", "lr_scheduler": "@lr_scheduler"}
    evaluator = {"evaluator": "@validate#evaluator"}
    return {
        "names": ["REA"],
        "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network.parameters()", "lr": 0.01},
        "lr_scheduler": {
            "_target_": "torch.optim.lr_scheduler.PolynomialLR",
            "optimizer": "@optimizer",
            "total_iters": epochs,
        },
        "validate": {
            "handlers": [
                {"_target_": ours + "ProgressHandler"},
                {"_target_": "StatsHandler", "iteration_log": False},
                {"_target_": ours + "SummaryHandler", "output_dir": str(folder), "class_names": "@names"},
            ],
            "evaluator": {
                "_target_": "SupervisedEvaluator",
                "device": "$torch.device('cpu')",
                "val_data_loader": loader | {"dataset": "@val_data"},
                "network": "@network",
                "key_val_metric": {
                    "score": {"_target_": ours + "SegmentationPresenceScore", "class_names": "@names"}
                },
                "metric_cmp_fn": {"_target_": "tomobundles.metrics.is_better", "_mode_": "callable"},
                "val_handlers": "@validate#handlers",
            },
        },
        "train": {
            "handlers": [
                {
                    "_target_": ours + "ResumeHandler",
                    "_disabled_": not resume,
                    "path": str(folder / "last.pt"),
                    **state,
                    **evaluator,
                },
                {"_target_": ours + "CheckpointHandler", "save_dir": str(folder), **state, **evaluator},
                {"_target_": ours + "ProgressHandler", **evaluator},
                {"_target_": ours + "CurvesHandler", "output_dir": str(folder), **evaluator},
                {"_target_": "LrScheduleHandler", "lr_scheduler": "@lr_scheduler", "print_lr": False},
                {"_target_": "ValidationHandler", "interval": 1, "validator": "@validate#evaluator"},
                {"_target_": "TensorBoardStatsHandler", "log_dir": str(folder), "iteration_log": False},
                {"_target_": ours + "LossTermsHandler"},
            ],
            "trainer": {
                "_target_": "SupervisedTrainer",
                "device": "$torch.device('cpu')",
                "max_epochs": epochs,
                "train_data_loader": loader | {"dataset": "@train_data"},
                "network": "@network",
                "optimizer": "@optimizer",
                "loss_function": "@loss",
                "decollate": False,
                "train_handlers": "@train#handlers",
            },
        },
    }


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*:UserWarning")
def test_train_stop_and_resume(tmp_path):
    for epochs in (2, 3):
        parser = ConfigParser(configuration(tmp_path, epochs=epochs, resume=epochs > 2) | parts())
        parser.get_parsed_content("train#trainer").run()
        assert load_checkpoint(tmp_path / "last.pt")["epoch"] == epochs
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert (
        lines[0]
        == "epoch,lr,loss,loss_mse,dice_REA,dice,auc_pooled_REA,auc_pooled,auc_volume_REA,auc_volume,score"
    )
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]
    assert json.loads((tmp_path / "metrics.json").read_text())["score"] == 1.0
    names = {path.name.split(".out")[0] for path in tmp_path.iterdir()}
    expected = {"model.pt", "last.pt", "history.csv", "curves.png", "metrics.json", "volumes.csv", "events"}
    assert names == expected
