# SPDX-License-Identifier: Apache-2.0
"""Outputs and batches of an evaluator of chest CTs, as the nodule handlers read them."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from torch import nn

from tomobundles.data.volumes.batch import collate_one

NODULE = [10.0, 20.0, 30.0, 8.0]


def chest(name="LKDS-00001", *, found=(), nodules=(NODULE,), excluded=(), quality=None, **more):
    """One scan: rows x, y, z, diameter, probability of candidates, and what is annotated."""
    rows = torch.tensor(found, dtype=torch.float64).reshape(-1, 5)
    image = MetaTensor(torch.zeros(1, 2, 2, 2), meta={"filename_or_obj": f"/scans/{name}.mhd"})
    return {
        "image": image,
        "patient": name,
        "nodules": torch.tensor(nodules, dtype=torch.float64).reshape(-1, 4),
        "excluded": torch.tensor(excluded, dtype=torch.float64).reshape(-1, 4),
        "lung_quality": quality or {},
        "pred": {"world": rows[:, :4], "probability": rows[:, 4].float()},
        **more,
    }


def hit(probability=0.5, offset=1.0, diameter=8.0):
    """A candidate ``offset`` mm from NODULE's centre."""
    return [NODULE[0] + offset, *NODULE[1:3], diameter, probability]


def false(probability=0.5, place=100.0):
    return [place, 0.0, 0.0, 5.0, probability]


def run(scans, *handlers, **metrics):
    """Run the scans through an engine with metrics by name; its state."""
    engine = Engine(lambda engine, batch: {"image": batch["image"], "pred": batch["pred"]})
    for name, metric in metrics.items():
        metric.attach(engine, name)
    for handler in handlers:
        handler.attach(engine)
    engine.run(scans)
    return engine.state


def evaluate(scans, handlers=(), **metrics):
    """The same by MONAI's evaluator, as the bundle has it."""
    found = iter([scan["pred"] for scan in scans])
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(scans), batch_size=1, collate_fn=collate_one),
        network=nn.Identity(),
        prepare_batch=lambda batch, *_, **__: (batch["image"], None),
        inferer=lambda image, network: next(found),
        key_val_metric=metrics,
        val_handlers=list(handlers),
        decollate=False,
    )
    evaluator.run()
    return evaluator.state
