# SPDX-License-Identifier: Apache-2.0
"""Vessel inference from files to mask: its time over the bare network's, and MONAI's beside it.

    python benchmarks/kidney_inference.py --slices 24

Each arm runs in its own process, one after the other:

- ours: a TIFF stack opened lazily, normalised, VolumeInferer along z, mask written as a TIFF stack;
- network: the same slices through the same network, nothing else (stacks prepared before the clock starts);
- monai: the whole volume in memory, MONAI's SlidingWindowInferer over the same stacks (neighbouring slices as
  channels), Gaussian weights, the mask written the same way.

Prints seconds, slices a second and peak memory of each arm, the ratio ours / network, and monai / ours.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import torch
from monai.inferers import SlidingWindowInferer

from tomobundles.data.volumes import (
    ArrayVolume,
    NormalisedVolume,
    ProbabilityFolder,
    ThresholdVolume,
    measure_intensity,
    open_volume,
)
from tomobundles.data.volumes.write_tiff import write_tiff_stack
from tomobundles.inferers import InPlaneWindows, VolumeInferer
from tomobundles.networks import AttentionUNet
from tomobundles.utils import keep_freed_memory

ARMS = ("network", "ours", "monai")
NUM_SLICES = 3


def write_volume(folder: Path, *, slices: int, rows: int, columns: int) -> None:
    """Write random 16-bit grays, smooth enough to compress like a scan: speed does not depend on them."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for index in range(slices):
        coarse = rng.integers(8000, 16000, (-(-rows // 8), -(-columns // 8)))
        plane = np.kron(coarse, np.ones((8, 8), np.int64))[:rows, :columns] + rng.integers(
            0, 256, (rows, columns)
        )
        tifffile.imwrite(folder / f"{index:04d}.tif", plane.astype(np.uint16), compression="deflate")


def build(arguments: argparse.Namespace) -> torch.nn.Module:
    """The network, with random weights."""
    torch.manual_seed(0)
    network = AttentionUNet(in_channels=NUM_SLICES, width=arguments.width).eval()
    return network.to(memory_format=torch.channels_last)


def padded_stacks(planes: np.ndarray, start: int, stop: int) -> torch.Tensor:
    """Stacks of centres [start, stop), padded to multiples of 16."""
    index = np.clip(np.arange(start, stop)[:, None] + np.arange(-1, 2), 0, len(planes) - 1)
    height, width = planes.shape[1:]
    padding = ((0, 0), (0, 0), (0, -height % 16), (0, -width % 16))
    stacks = torch.from_numpy(np.pad(planes[index], padding, mode="edge"))
    return stacks.contiguous(memory_format=torch.channels_last)


def run_network(source: Path, target: Path, arguments: argparse.Namespace) -> float:
    """Seconds of the forward passes alone."""
    network = build(arguments)
    planes = normalised(source).read_all()
    seconds = 0.0
    for start in range(0, len(planes), arguments.batch_size):
        stacks = padded_stacks(planes, start, min(start + arguments.batch_size, len(planes)))
        begin = time.perf_counter()
        network(stacks)
        seconds += time.perf_counter() - begin
    return seconds


def normalised(source: Path) -> NormalisedVolume:
    """A stack of files as the network takes it."""
    volume = open_volume(source, spacing_um=50)
    found = measure_intensity(volume)
    return NormalisedVolume(volume, low=found["low"], high=found["high"])


def run_ours(source: Path, target: Path, arguments: argparse.Namespace) -> float:
    """Seconds from opening the files to the written mask."""
    network = build(arguments)
    begin = time.perf_counter()
    inferer = VolumeInferer(
        store=ProbabilityFolder(target / "work"),
        num_slices=NUM_SLICES,
        batch_size=arguments.batch_size,
        windows=InPlaneWindows(),
        channels_last=True,
        progress=False,
    )
    probability = inferer(normalised(source), network)
    write_tiff_stack(ThresholdVolume(probability, threshold=0.5), target / "mask")
    return time.perf_counter() - begin


def run_monai(source: Path, target: Path, arguments: argparse.Namespace) -> float:
    """The same with MONAI's inferer: slices in the batch axis are windows of one slice each."""
    network = build(arguments)
    begin = time.perf_counter()
    planes = normalised(source).read_all()
    index = np.clip(np.arange(len(planes))[:, None] + np.arange(-1, 2), 0, len(planes) - 1)
    stacked = torch.from_numpy(planes[index]).movedim(0, 1)[None]  # (1, 3, Z, Y, X)
    size = [-(-extent // 16) * 16 for extent in planes.shape[1:]]
    inferer = SlidingWindowInferer(
        (1, *size), sw_batch_size=arguments.batch_size, overlap=0.0, mode="gaussian", progress=False
    )

    def flat(window: torch.Tensor) -> torch.Tensor:
        stacks = window[:, :, 0].contiguous(memory_format=torch.channels_last)
        return network(stacks).sigmoid()[:, :, None]

    probability = inferer(stacked, flat)[0, 0].numpy()
    write_tiff_stack(ThresholdVolume(ArrayVolume(probability), threshold=0.5), target / "mask")
    return time.perf_counter() - begin


def run_arm(arm: str, source: Path, target: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """Run one arm in this process, after a pass over one small slice that pays for start-up."""
    keep_freed_memory()
    with torch.no_grad():
        build(arguments)(torch.zeros(1, NUM_SLICES, 64, 64))
        seconds = {"network": run_network, "ours": run_ours, "monai": run_monai}[arm](
            source, target, arguments
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "peak_gib": peak}


def main() -> None:
    """Run the arms and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=24)
    parser.add_argument("--rows", type=int, default=1303)
    parser.add_argument("--columns", type=int, default=912)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch_size", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--arm", choices=ARMS, help="internal: run one arm and print JSON")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--target", type=Path)
    arguments = parser.parse_args()
    if arguments.arm:
        print(json.dumps(run_arm(arguments.arm, arguments.source, arguments.target, arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kidney"
        write_volume(source, slices=arguments.slices, rows=arguments.rows, columns=arguments.columns)
        found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
        for repeat in range(arguments.repeats):
            for arm in ARMS:
                found[arm].append(in_own_process(arm, source, Path(folder) / f"{arm}{repeat}"))
    print("| arm | seconds | slices/s | peak GiB |\n|---|---|---|---|")
    best = {arm: min(run["seconds"] for run in runs) for arm, runs in found.items()}
    for arm, runs in found.items():
        peak = max(run["peak_gib"] for run in runs)
        print(f"| {arm} | {best[arm]:.2f} | {arguments.slices / best[arm]:.2f} | {peak:.2f} |")
    over = best["ours"] / best["network"]
    print(f"ours / network {over:.3f}, monai / ours {best['monai'] / best['ours']:.3f}")


def in_own_process(arm: str, source: Path, target: Path) -> dict[str, float]:
    """Run one arm as a process of its own with this one's arguments."""
    target.mkdir(parents=True)
    command = [sys.executable, *sys.argv, "--arm", arm, "--source", str(source), "--target", str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
