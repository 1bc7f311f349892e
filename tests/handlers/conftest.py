# SPDX-License-Identifier: Apache-2.0
"""Tiny MONAI trainers and evaluators that the handlers are tried on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from ignite.metrics import Metric
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from torch import nn

CPU = torch.device("cpu")


class TwoTermLoss(nn.Module):
    """The k-th call gives the terms a = k and b = 10 k, and a sum that can be trained."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.terms = {}

    def forward(self, prediction, _target):
        self.calls += 1
        self.terms = {"a": torch.tensor(1.0 * self.calls), "b": torch.tensor(10.0 * self.calls)}
        return prediction.mean() * 0 + 11.0 * self.calls


class ScriptedMetric(Metric):
    """Gives one value after the other, one for each evaluation; a None leaves the metric out."""

    def __init__(self, values):
        self.values = list(values)
        super().__init__()

    def reset(self):
        pass

    def update(self, output):
        pass

    def iteration_completed(self, engine):
        pass

    def compute(self):
        return self.values.pop(0)


def make_trainer(
    handlers=(), *, epochs=2, length=2, network=None, optimizer=None, loss=None, decollate=False
):
    network = network or nn.Conv2d(1, 1, 1)
    optimizer = optimizer or torch.optim.SGD(network.parameters(), lr=0.1)
    samples = [{"image": torch.ones(1, 4, 4), "label": torch.ones(1, 4, 4)} for _ in range(length)]
    return SupervisedTrainer(
        device=CPU,
        max_epochs=epochs,
        train_data_loader=DataLoader(Dataset(samples), batch_size=1),
        network=network,
        optimizer=optimizer,
        loss_function=loss or TwoTermLoss(),
        train_handlers=list(handlers),
        decollate=decollate,
    )


def make_evaluator(
    values=(), *, metric=None, volumes=2, inferer=None, handlers=(), name="score", decollate=True
):
    samples = [
        {"image": MetaTensor(torch.zeros(1, 2, 2, 3), meta={"filename_or_obj": f"/scans/v{index}.nii"})}
        if volume is None
        else volume
        for index, volume in enumerate([None] * volumes if isinstance(volumes, int) else volumes)
    ]
    return SupervisedEvaluator(
        device=CPU,
        val_data_loader=DataLoader(Dataset(samples), batch_size=1),
        network=nn.Identity(),
        inferer=inferer or (lambda inputs, _network: {"label": inputs}),
        key_val_metric={name: metric or ScriptedMetric(values)},
        val_handlers=list(handlers),
        decollate=decollate,
    )


@pytest.fixture
def engines():
    return SimpleNamespace(trainer=make_trainer, evaluator=make_evaluator, TwoTermLoss=TwoTermLoss)
