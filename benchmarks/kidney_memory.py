# SPDX-License-Identifier: Apache-2.0
"""Peak memory of vessel inference on volumes of 256, 1024 and 2279 slices of 1303 x 912.

    python benchmarks/kidney_memory.py --folder /some/disk

Each size runs in its own process: a volume of random 16-bit grays on disk, normalised, inferred by
VolumeInferer with a small network (attention U-Net of width 4 and depth 2), mask thresholded and its small
components removed, all out of core. Prints peak resident memory, seconds and slices a second.
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
import torch

from tomobundles.data.volumes import (
    NormalisedVolume,
    ProbabilityFolder,
    RawVolume,
    ThresholdVolume,
    measure_intensity,
)
from tomobundles.data.volumes.components import remove_small_components
from tomobundles.inferers import VolumeInferer
from tomobundles.networks import AttentionUNet
from tomobundles.utils import keep_freed_memory

ROWS, COLUMNS = 1303, 912
VESSELS = (
    0.995  # share of voxels that are none, as in a kidney; random weights have no threshold of their own
)


def write_volume(path: Path, *, slices: int) -> RawVolume:
    """Write random grays slab by slab."""
    rng = np.random.default_rng(0)
    volume = RawVolume.create(path, shape=(slices, ROWS, COLUMNS), dtype=np.uint16, spacing_um=50)
    coarse = rng.integers(8000, 16000, (-(-ROWS // 8), COLUMNS // 8)).astype(np.uint16)
    plane = np.kron(coarse, np.ones((8, 8), np.uint16))[:ROWS]
    for index in range(slices):
        box = (slice(index, index + 1), slice(0, ROWS), slice(0, COLUMNS))
        volume.write(box, np.roll(plane, index, axis=1)[None])
    return volume


def run_size(path: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """Infer one volume in this process."""
    keep_freed_memory()
    torch.manual_seed(0)
    network = AttentionUNet(in_channels=3, width=4, depth=2).eval().to(memory_format=torch.channels_last)
    begin = time.perf_counter()
    volume = RawVolume(path, spacing_um=50)
    found = measure_intensity(volume)
    inferer = VolumeInferer(
        store=ProbabilityFolder(path.parent / "work"),
        num_slices=3,
        axes=arguments.axes,
        channels_last=True,
        bf16=True,
        progress=False,
    )
    probability = inferer(NormalisedVolume(volume, low=found["low"], high=found["high"]), network)
    inferred = time.perf_counter() - begin
    first = probability.read((slice(0, 16), slice(None), slice(None)))
    mask = ThresholdVolume(probability, threshold=float(np.quantile(first, VESSELS)))
    remove_small_components(mask, min_voxels=100, store_path=path.parent / "mask.npy")
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"peak_gib": peak, "inference_seconds": inferred, "seconds": seconds}


def main() -> None:
    """Run each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where to put 16 GB for a while; default: the system's")
    parser.add_argument("--slices", type=int, nargs="+", default=[256, 1024, 2279])
    parser.add_argument("--axes", nargs="+", default=["z"])
    parser.add_argument("--volume", type=Path, help="internal: infer this volume and print JSON")
    arguments = parser.parse_args()
    if arguments.volume:
        print(json.dumps(run_size(arguments.volume, arguments)))
        return
    print("| slices | axes | peak GiB | inference s | with mask s | slices/s |\n|---|---|---|---|---|---|")
    for slices in arguments.slices:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            path = Path(folder) / "volume.npy"
            write_volume(path, slices=slices)
            command = [sys.executable, *sys.argv, "--volume", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        rate = len(arguments.axes) * slices / found["inference_seconds"]
        cells = [f"{found[key]:.{digits}f}" for key, digits in _CELLS.items()]
        print(f"| {slices} | {''.join(arguments.axes)} | {' | '.join(cells)} | {rate:.1f} |", flush=True)


_CELLS = {"peak_gib": 2, "inference_seconds": 0, "seconds": 0}

if __name__ == "__main__":
    main()
