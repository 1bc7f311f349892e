# SPDX-License-Identifier: Apache-2.0
"""Inference of one OCT volume from files to files: ours, exact and in bfloat16, against the plain way.

    python benchmarks/oct_inference.py --slices 32

Each arm runs in its own process, one after the other, since memory settings hold for a whole process:

- plain: every stack of the volume in one float32 tensor, batches of eight, results joined at the end;
- exact: LoadVolumed, SliceStackInferer (float32, channels last, one stack at a time), freed memory kept;
- bf16: the same with bf16=True.

Prints, for each arm and network: seconds from reading the slices to the written mask, the share of the bare
forward pass, peak memory of the process, and the ratio to plain. ``--slices`` below 128 takes a part of the
volume; seconds a volume are then scaled up.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tomobundles.data import LoadVolumed, collate_volumes
from tomobundles.inferers import ClassesAndPresence, SliceStackInferer
from tomobundles.networks import GridUNet
from tomobundles.transforms import NormalizeStack
from tomobundles.utils import keep_freed_memory

ARMS = ("plain", "exact", "bf16")
NETWORKS = {
    "unet": {"nested": False},
    "unetpp": {"nested": True},
    "dilated": {"nested": True, "dilations": (1, 2, 4, 8)},
}
VOLUME_SLICES = 128
MEAN, STD = 36.68, 25.01


class TimedNetwork(torch.nn.Module):
    """Add up the time of forward passes."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.seconds = 0.0

    def forward(self, stacks: torch.Tensor) -> dict[str, torch.Tensor]:
        begin = time.perf_counter()
        outputs = self.network(stacks)
        self.seconds += time.perf_counter() - begin
        return outputs


def write_volume(folder: Path, *, slices: int, rows: int, columns: int) -> None:
    """Write random grays, smooth enough to compress like a scan: speed does not depend on what they show."""
    rng = np.random.default_rng(0)
    for index in range(slices):
        coarse = rng.integers(0, 90, (rows // 8, columns // 8), dtype=np.uint8)
        Image.fromarray(np.kron(coarse, np.ones((8, 8), np.uint8))).save(folder / f"{index + 1}.bmp")


def write_mask(folder: Path, mask: np.ndarray) -> None:
    """Write (H, W, D) as slices; the same in all arms."""
    for index in range(mask.shape[-1]):
        Image.fromarray(np.ascontiguousarray(mask[..., index])).save(folder / f"{index + 1}.bmp")


def plain(source: Path, network: torch.nn.Module) -> np.ndarray:
    """Infer as one would write it first."""
    files = sorted(source.iterdir(), key=lambda file: int(file.stem))
    slices = [torch.from_numpy(np.array(Image.open(file))).float() for file in files]
    stacks = torch.stack(
        [
            torch.stack([slices[max(i - 1, 0)], slices[i], slices[min(i + 1, len(slices) - 1)]])
            for i in range(len(slices))
        ]
    )
    stacks = (stacks - MEAN) / STD
    labels, presence = [], []
    with torch.no_grad():
        for batch in stacks.split(8):
            outputs = network(batch)
            labels.append(outputs["segmentation"].softmax(1).argmax(1))
            presence.append(outputs["presence"].sigmoid())
    return torch.cat(labels).to(torch.uint8).movedim(0, -1).numpy()


def ours(source: Path, network: torch.nn.Module, *, bf16: bool) -> np.ndarray:
    """Infer as the bundle does."""
    batch = collate_volumes([LoadVolumed("image")({"image": str(source)})])
    inferer = SliceStackInferer(
        normalize=NormalizeStack(MEAN, STD), finish=ClassesAndPresence(), channels_last=True, bf16=bf16
    )
    return inferer(batch["image"], network)["label"][0, 0].numpy()


def run_arm(arm: str, name: str, source: Path, target: Path) -> dict[str, float]:
    """Time one arm in this process, after a pass over one slice that pays for start-up."""
    torch.manual_seed(0)
    network = TimedNetwork(GridUNet(**NETWORKS[name]).eval())
    if arm != "plain":
        keep_freed_memory()
        network = network.to(memory_format=torch.channels_last)
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    network.seconds = 0.0
    begin = time.perf_counter()
    mask = plain(source, network) if arm == "plain" else ours(source, network, bf16=arm == "bf16")
    write_mask(target, mask)
    seconds = time.perf_counter() - begin
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "forward": network.seconds,
        "peak_gb": kilobytes / 1e6,
        "crc": int(mask.sum()),
    }


def spawn(arm: str, name: str, source: Path) -> dict[str, float]:
    """Run one arm in a process of its own."""
    with tempfile.TemporaryDirectory() as target:
        command = [
            sys.executable,
            __file__,
            "--arm",
            arm,
            "--network",
            name,
            "--source",
            source,
            "--target",
            target,
        ]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Compare the arms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=32)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["unet", "unetpp"])
    for hidden in ("arm", "network", "source", "target"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.arm:
        source, target = Path(arguments.source), Path(arguments.target)
        print(json.dumps(run_arm(arguments.arm, arguments.network, source, target)))
        return
    print(
        f"{arguments.slices} slices of {arguments.rows} x {arguments.columns}, torch {torch.__version__}, ",
        end="",
    )
    print(f"{torch.get_num_threads()} threads, median of {arguments.repeats} interleaved runs")
    print(f"{'network':9}{'arm':7}{'s/volume':>10}{'total/forward':>15}{'peak GB':>9}{'plain/this':>12}")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        write_volume(source, slices=arguments.slices, rows=arguments.rows, columns=arguments.columns)
        for name in arguments.networks:
            report(name, source, arguments)


def report(name: str, source: Path, arguments: argparse.Namespace) -> None:
    """Run the arms in turn and print their medians."""
    results: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for _ in range(arguments.repeats):
        for arm in ARMS:
            results[arm].append(spawn(arm, name, source))
    scale = VOLUME_SLICES / arguments.slices
    for arm, runs in results.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        share = statistics.median(run["seconds"] / run["forward"] for run in runs)
        peak = max(run["peak_gb"] for run in runs)
        ratio = statistics.median(
            first["seconds"] / run["seconds"] for first, run in zip(results["plain"], runs, strict=True)
        )
        print(f"{name:9}{arm:7}{seconds * scale:10.1f}{share:15.3f}{peak:9.2f}{ratio:12.2f}")


if __name__ == "__main__":
    main()
