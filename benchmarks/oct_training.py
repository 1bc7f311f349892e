# SPDX-License-Identifier: Apache-2.0
"""Training step of oct_edema with its real loader against the same step on one fixed batch.

    python benchmarks/oct_training.py

Steps of both kinds alternate in one process (loader, fixed, loader, fixed, ...), so that a change of the
machine's speed meets both; the network, loss and optimiser are those of train.json. Prints the median ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from monai.bundle import ConfigParser

from tomobundles.data.phantoms import write_oct_sample
from tomobundles.utils import start_run

CONFIG = Path(__file__).resolve().parent.parent / "bundles/oct_edema/configs/train.json"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 128, 16), help="rows, columns, slices")
    arguments = parser.parse_args()
    start_run(seed=0)
    with tempfile.TemporaryDirectory() as folder:
        write_oct_sample(Path(folder) / "data", shape=tuple(arguments.shape), volumes=(8, 1, 1))
        config = ConfigParser()
        config.read_config(CONFIG)
        config["dataset_dir"] = f"{folder}/data"
        config["output_dir"] = f"{folder}/output"
        config["device"] = "$torch.device('cpu')"
        pairs = measure(config, arguments.steps)
    ratios = [with_loader / fixed for with_loader, fixed in pairs]
    print(f"stacks of {arguments.shape[0]} x {arguments.shape[1]}, {arguments.steps} pairs of steps")
    print(f"step with real loading: median {statistics.median(pair[0] for pair in pairs):.3f} s")
    print(f"step on a fixed batch:  median {statistics.median(pair[1] for pair in pairs):.3f} s")
    print(f"ratio: median {statistics.median(ratios):.3f}")


def measure(config: ConfigParser, steps: int) -> list[tuple[float, float]]:
    """Seconds of ``steps`` pairs of training steps: one that loads its batch, one that has it."""
    get = config.get_parsed_content
    network, loss, optimizer = get("network"), get("loss"), get("optimizer")
    inferer, loader = get("train#inferer"), get("train#dataloader")
    batches = endless(loader)

    def step(batch: dict) -> None:
        optimizer.zero_grad()
        loss(inferer(batch["image"], network), batch["label"]).backward()
        optimizer.step()

    fixed = next(batches)
    step(fixed)
    pairs = []
    for _ in range(steps):
        begin = time.perf_counter()
        step(next(batches))
        middle = time.perf_counter()
        step(fixed)
        pairs.append((middle - begin, time.perf_counter() - middle))
    return pairs


def endless(loader):
    """Batches of one epoch after the other."""
    while True:
        yield from loader


if __name__ == "__main__":
    main()
