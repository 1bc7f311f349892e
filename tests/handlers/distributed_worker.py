# SPDX-License-Identifier: Apache-2.0
"""One rank of the test with two processes; run by test_segmentation_presence_score.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset, DistributedSampler, MetaTensor
from monai.engines import SupervisedEvaluator
from torch import nn

from tomobundles.handlers import CheckpointHandler, SegmentationPresenceScore


def volume(index):
    # four voxels of class 1; the "prediction" is the image itself: all four, none, or two in six -> 1, 0, 4/8
    label = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0], dtype=torch.uint8).reshape(1, 2, 4, 1)
    found = [[1, 1, 1, 1, 0, 0, 0, 0], [0] * 8, [1, 1, 0, 0, 1, 1, 0, 0]][index]
    image = torch.tensor(found, dtype=torch.uint8).reshape(1, 2, 4, 1)
    return {"image": MetaTensor(image, meta={"filename_or_obj": f"v{index}"}), "label": label}


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    volumes = Dataset([volume(index) for index in range(3)])
    sampler = DistributedSampler(volumes, shuffle=False, even_divisible=True)
    network = nn.parallel.DistributedDataParallel(nn.Conv2d(1, 1, 1))
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(volumes, sampler=sampler),
        network=network,
        inferer=lambda inputs, _network: {"label": inputs},
        key_val_metric={"score": SegmentationPresenceScore(["REA"])},
    )
    trainer = Engine(lambda _engine, _batch: None)
    save_dir = folder / f"checkpoints{rank}"
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    CheckpointHandler(save_dir, network=network, optimizer=optimizer, evaluator=evaluator).attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _engine: evaluator.run(1))
    trainer.run([0])
    files = sorted(path.name for path in save_dir.glob("*"))
    result = {
        "score": evaluator.state.metrics["score"],
        "names": evaluator.state.volume_names,
        "rows": evaluator.state.metric_details["dice"].tolist(),
        "files": files,
        "keys": sorted(torch.load(save_dir / "model.pt", weights_only=True)) if files else [],
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(result))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
