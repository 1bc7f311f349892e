# SPDX-License-Identifier: Apache-2.0
"""One rank of test_distributed.py: what the helpers do in a group of three processes; argument: a folder."""

from __future__ import annotations

import json
import logging
import math
import random
import sys
from pathlib import Path

import torch
from torch import distributed, nn

from tomobundles.data import ShardSampler, training_shards
from tomobundles.networks import summed_data_parallel
from tomobundles.utils import (
    InputError,
    end_process_group,
    gather_in_order,
    gather_json,
    local_device,
    rank0_first,
    start_process_group,
)


def written_once(folder: Path, rank: int) -> list[int]:
    """Who is there before each rank: rank 0 before all, and who made the file."""
    with rank0_first():
        before = sorted(int(path.name) for path in folder.iterdir())
        (folder / str(rank)).touch()
    return before


def gradient(rank: int) -> float:
    """d/dw of a sum over two samples of each rank, whose inputs are rank and rank + 1, with w = 1."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 1.0)
    wrapped = summed_data_parallel(network, device=local_device())
    wrapped(torch.tensor([[float(rank)], [rank + 1.0]])).sum().backward()
    return float(network.weight.grad)


def uneven(rank: int) -> str:
    try:
        training_shards(range(7), batch_size=4)
    except InputError as error:
        return str(error)
    return ""


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    logging.getLogger().setLevel(logging.INFO)
    start_process_group(seed=5)
    rank = distributed.get_rank()
    (folder / "turns").mkdir(exist_ok=True)
    shards = training_shards(range(7), batch_size=3, seed=1)
    found = {
        "random": [random.random(), float(torch.rand(()))],
        "level": logging.getLogger().level,
        "before": written_once(folder / "turns", rank),
        "gathered": gather_json([rank, "ä\t", math.inf, 0.1 + 0.2] * rank),
        "plain": gather_json(
            [{1 + 2j}] if rank else [], default=lambda values: str(sorted(map(str, values)))
        ),
        "order": gather_in_order([item * 10 for item in ShardSampler(range(4))], key=lambda value: None),
        "packed": gather_in_order([str(rank)], pack=int, unpack=str, key=lambda value: value),
        "shards": list(shards),
        "uneven": uneven(rank),
        "gradient": gradient(rank),
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(found))
    end_process_group()
    end_process_group()  # a second time does nothing


if __name__ == "__main__":
    main(Path(sys.argv[1]))
