# SPDX-License-Identifier: Apache-2.0
"""A head CT of 33 slices of 512 x 512 from DICOM files to tables, and what two choices are worth.

    python benchmarks/ich_inference.py

Prints, each arm in a process of its own, one after the other:

- tables, everything: ``monai.bundle``'s inference workflow on a simulated series, DICOM in, CSV out, and with
  all other outputs too: seconds, the share of the network, peak memory of the process;
- shared against naive: every slice through the ResNet once and the kernel over its logits, against stacks of
  five slices through the network;
- stem: the ResNet's first convolution with stride 2, as ImageNet's, against MONAI's default of 1.

Weights are random: speed does not depend on them. ``--slices`` below 33 measures a part of the study.
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

import torch
from monai.bundle import ConfigWorkflow
from monai.networks.nets import resnet34
from torch import nn

from tomobundles.data.phantoms import head_volume, write_dicom_series
from tomobundles.inferers import SliceContextInferer, SliceScores, SliceStackInferer
from tomobundles.metrics import Calibration
from tomobundles.networks import KernelContext, SliceClassifier
from tomobundles.transforms import SliceChannels

CONFIG = "bundles/ich/configs/inference.json"
CLASSES = ("IPH", "IVH", "SAH", "SDH", "EDH")
ARMS = ("tables", "everything", "shared", "naive", "stem2", "stem1")
EVERYTHING = ["csv", "heatmaps", "contact_sheet", "html", "structured_report", "secondary_capture"]


class Clock:
    """Add up the time that a network spends in forward passes."""

    def __init__(self, network: nn.Module) -> None:
        self.seconds = 0.0
        self._begin = 0.0
        network.register_forward_pre_hook(self._start)
        network.register_forward_hook(self._stop)

    def _start(self, *_: object) -> None:
        self._begin = time.perf_counter()

    def _stop(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._begin


def write_study(folder: Path, *, slices: int, size: int) -> None:
    """Write a simulated series and a model of random weights with an identity calibration."""
    phantom = head_volume(seed=0, bleeds=("SDH",), size=size, slices=slices)
    write_dicom_series(folder / "study", phantom.hu, spacing_mm=phantom.spacing)
    torch.manual_seed(0)
    (folder / "models").mkdir()
    torch.save(SliceClassifier(context=KernelContext()).state_dict(), folder / "models" / "model.pt")
    Calibration.identity(CLASSES, threshold=0.2).save(folder / "models" / "calibration.json")


def run_study(folder: Path, *, outputs: list[str], bf16: bool) -> tuple[float, float]:
    """Seconds from files to results, and of them in the network."""
    workflow = ConfigWorkflow(
        config_file=CONFIG,
        logging_file=False,
        workflow_type="infer",
        dataset_dir=str(folder / "study"),
        ckpt_dir=str(folder / "models"),
        output_dir=str(folder / "results"),
        outputs=outputs,
        bf16=bf16,
    )
    workflow.initialize()
    clock = Clock(workflow.parser.get_parsed_content("network"))
    begin = time.perf_counter()
    workflow.run()
    return time.perf_counter() - begin, clock.seconds


def run_inferer(*, naive: bool, slices: int, size: int, bf16: bool) -> tuple[float, float]:
    """Seconds of the logits with context of a study in memory."""
    network = SliceClassifier(context=KernelContext()).eval().to(memory_format=torch.channels_last)
    clock = Clock(network)
    walk = SliceStackInferer(
        num_slices=5 if naive else 1,
        normalize=SliceChannels(windows=["brain"]),
        finish=SliceScores(),
        batch_size=3 if naive else 15,
        channels_last=True,
        bf16=bf16,
    )
    inferer = walk if naive else SliceContextInferer(slices=walk)
    volume = torch.randint(-1000, 100, (1, 1, size, size, slices), dtype=torch.int16)
    begin = time.perf_counter()
    inferer(volume, network)
    return time.perf_counter() - begin, clock.seconds


def run_stem(*, stride: int, slices: int, size: int, bf16: bool) -> tuple[float, float]:
    """Seconds of the bare ResNet over the slices."""
    network = resnet34(spatial_dims=2, n_input_channels=3, num_classes=1000, conv1_t_stride=stride)
    network = network.eval().to(memory_format=torch.channels_last)
    images = torch.rand(1, 3, size, size).contiguous(memory_format=torch.channels_last)
    begin = time.perf_counter()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        for _ in range(slices):
            network(images)
    seconds = time.perf_counter() - begin
    return seconds, seconds


def run_arm(arguments: argparse.Namespace) -> dict[str, float]:
    """Measure one arm in this process."""
    torch.set_num_threads(arguments.threads)
    options = {"slices": arguments.slices, "size": arguments.size, "bf16": arguments.bf16}
    folder = Path(arguments.folder)
    if arguments.arm in ("tables", "everything"):
        outputs = ["csv"] if arguments.arm == "tables" else EVERYTHING
        seconds, network = run_study(folder, outputs=outputs, bf16=arguments.bf16)
    elif arguments.arm in ("shared", "naive"):
        seconds, network = run_inferer(naive=arguments.arm == "naive", **options)
    else:
        seconds, network = run_stem(stride=int(arguments.arm[-1]), **options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "network": network, "peak": peak}


def main() -> None:
    """Run all arms ``--repeats`` times, interleaved, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=33)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.arm:
        print(json.dumps(run_arm(arguments)))
        return
    found: dict[str, list[dict]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as folder:
        write_study(Path(folder), slices=arguments.slices, size=arguments.size)
        for _ in range(arguments.repeats):
            for arm in ARMS:
                command = [sys.executable, *sys.argv, "--arm", arm, "--folder", folder]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                found[arm].append(json.loads(done.stdout.splitlines()[-1]))
    print_results({arm: _medians(runs) for arm, runs in found.items()})


def _medians(runs: list[dict]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def print_results(medians: dict[str, dict[str, float]]) -> None:
    """Print a line an arm and the two ratios."""
    print("| arm | seconds | of them in the network | peak GB |")
    print("|---|---|---|---|")
    for arm, values in medians.items():
        share = values["network"] / values["seconds"]
        print(f"| {arm} | {values['seconds']:.1f} | {share:.1%} | {values['peak']:.2f} |")
    for slow, fast in (("naive", "shared"), ("stem1", "stem2")):
        print(f"{slow} / {fast}: {medians[slow]['seconds'] / medians[fast]['seconds']:.2f}")


if __name__ == "__main__":
    main()
