# SPDX-License-Identifier: Apache-2.0
"""One rank of the tests of a training step; torchrun runs two: step_worker.py CASES.json RESULTS.json.

A case is a step of a bundle's own trainer. Both ranks take it together, each on its half of a batch, by
train.json and multi_gpu_train.json; rank 0 also takes it alone on the whole, by train.json. The result is the
greatest difference between the two networks, and between the start and the end.

Networks are of float64: batch norm over the few values of a tiny batch makes much of float32's rounding.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import torch
from monai.bundle import ConfigWorkflow
from torch import distributed

from tomobundles.utils import gather_json


def trainer_of(case: dict, *overlays: str, output_dir: Path, **more: object):
    folder = Path("bundles") / case["bundle"] / "configs"
    made = ConfigWorkflow(
        config_file=[str(folder / name) for name in ("train.json", *overlays)],
        meta_file=None,
        logging_file=False,
        workflow_type="train",
        output_dir=str(output_dir),
        **case["overrides"],
        **more,
    )
    made.initialize()
    assert not made.check_properties()
    return made.parser, made.parser.get_parsed_content("train#trainer")


def first_batch(parser) -> dict[str, torch.Tensor]:
    loader = parser.get_parsed_content("train#dataloader")
    torch.set_default_dtype(torch.float32)  # transforms compute in it
    batch = next(iter(loader))
    torch.set_default_dtype(torch.float64)
    tensors = {key: value.as_subclass(torch.Tensor) for key, value in batch.items() if torch.is_tensor(value)}
    return tensors | {"image": tensors["image"].double()}


def halves(batch: dict[str, torch.Tensor], *, equal: bool) -> list[dict[str, torch.Tensor]]:
    size = len(batch["image"]) // 2
    parts = [{key: value[at : at + size] for key, value in batch.items()} for at in (0, size)]
    return [parts[0], parts[0]] if equal else parts


def step(trainer, batch: dict[str, torch.Tensor], *, statistics: bool) -> dict[str, torch.Tensor]:
    """Parameters after a step on a batch; without ``statistics`` batch norm takes its running ones."""
    train = trainer.network.train

    def without_batch_norm(mode: bool = True):
        train(mode)
        for module in trainer.network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()

    if not statistics:
        trainer.network.train = without_batch_norm
    trainer._iteration(trainer, batch)
    network = getattr(trainer.network, "module", trainer.network)
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def greatest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def run(case: dict, folder: Path) -> dict[str, float]:
    parser, trainer = trainer_of(case, "multi_gpu_train.json", output_dir=folder, **case["overlay"])
    rank = distributed.get_rank()
    start = {name: value.clone() for name, value in parser.get_parsed_content("network").state_dict().items()}
    alone_parser, alone = trainer_of(case, output_dir=folder)  # as train.json starts it: with rank 0's seed
    alone.network.load_state_dict(start)
    # the shapes of the loader's own batch, in numbers that both ranks have: the seed is the same now
    shares = halves(first_batch(alone_parser), equal=case["equal"])
    sums = [float(part["image"].double().sum()) for part in shares]
    assert gather_json(sums) == [sums, sums], "the ranks have different batches"
    after = step(trainer, shares[rank], statistics=case["equal"])
    whole = {key: torch.cat([part[key] for part in shares]) for key in shares[0]}
    reference = step(alone, whole, statistics=case["equal"])
    return {
        "difference": greatest(after, reference),
        "change": greatest(after, start),
        "wrapper": type(trainer.network).__name__,
        "between_ranks": max(abs(a - b) for a, b in zip(*gather_json(_norms(after)), strict=True)),
    }


def _norms(parameters: dict[str, torch.Tensor]) -> list[float]:
    return [float(value.double().sum()) for value in parameters.values()]


def main(cases: str, results: str) -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    logging.getLogger().setLevel(logging.WARNING)
    found = []
    for number, case in enumerate(json.loads(Path(cases).read_text())):
        found.append(run(case, Path(results).with_name(f"case{number}")))
    if distributed.get_rank() == 0:
        Path(results).write_text(json.dumps(found))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
