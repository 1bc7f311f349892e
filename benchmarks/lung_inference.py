# SPDX-License-Identifier: Apache-2.0
"""A chest CT of 300 slices of 512 x 512 from file to ranked list: seconds by stage, memory, FLOPs a voxel.

    python benchmarks/lung_inference.py

Each arm runs in a process of its own: ``small`` (the default network) and ``full`` (full_network.json), each
in bfloat16 where the CPU has it and in float32. Weights are random and every result form is written; the
scan is a simulated adult chest of 0.7 x 0.7 x 1 mm. Then FLOPs a voxel (2 a multiply-add) of both networks
and of a RetinaNet as in MONAI's zoo bundle lung_nodule_ct_detection (ResNet-50, feature pyramid, two heads
of four 3 x 3 x 3 convolutions), counted here on the same kind of input.
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
from monai.bundle import ConfigWorkflow
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool
from monai.networks.nets import resnet50
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tomobundles.data.phantoms import chest_phantom, file_affine, write_metaimage
from tomobundles.networks import NoduleDetector

CONFIGS = Path("bundles/lung_nodule/configs")
ARMS = {"small bf16": ((), "auto"), "small": ((), False), "full bf16": (("full_network",), "auto")}
STAGES = ("find and try", "read", "check", "lung mask", "lung grid", "network and decoding", "results")


def write_scan(folder: Path, slices: int) -> None:
    """Write the scan, an adult chest."""
    phantom = chest_phantom(0, spacing_mm=(0.7, 0.7, 300 / slices))
    hu = pad_to(phantom.hu, (512, 512, slices))
    write_metaimage(folder / "scan.mhd", hu.transpose(2, 0, 1), file_affine(phantom.affine), compressed=False)


def pad_to(hu: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Centre a scan in rows and columns of air, and cut or repeat slices at its upper end."""
    result = np.full(shape, -1024, np.int16)
    rows, columns, depth = (min(a, b) for a, b in zip(hu.shape, shape, strict=True))
    low = [(shape[axis] - size) // 2 for axis, size in ((0, rows), (1, columns))]
    result[low[0] : low[0] + rows, low[1] : low[1] + columns, :depth] = hu[:rows, :columns, :depth]
    result[..., depth:] = result[..., depth - 1 : depth]
    return result


def run_arm(name: str, folder: Path, threads: int) -> dict[str, float]:
    """Seconds of each stage and the peak of this process."""
    torch.set_num_threads(threads)
    overlays, bf16 = ARMS[name]
    options = {"dataset_dir": str(folder / "scan.mhd"), "output_dir": str(folder / "results")}
    options |= {"bf16_inference": bf16, "min_probability": 0.005, "ckpt_dir": str(folder / name)}
    workflow = ConfigWorkflow(
        config_file=[str(CONFIGS / f"{one}.json") for one in ("inference", *overlays)],
        logging_file=False,
        workflow_type="infer",
        **options,
    )
    (folder / name).mkdir()
    torch.manual_seed(0)
    torch.save(workflow.parser.get_parsed_content("network_def").state_dict(), folder / name / "model.pt")
    workflow.initialize()
    content = workflow.parser.get_parsed_content
    begin = time.perf_counter()
    content("studies")  # reads, checks and masks every scan, so that a bad one does not stop the others later
    seconds, sample = {"find and try": time.perf_counter() - begin}, content("dataset").data[0]
    for stage, transform in zip(STAGES[1:], content("preprocessing").transforms, strict=False):
        begin = time.perf_counter()
        sample = transform(sample)
        seconds[stage] = time.perf_counter() - begin
    begin = time.perf_counter()
    content("inferer")(sample["image"][None], content("network"))
    seconds["network and decoding"] = time.perf_counter() - begin
    voxels = sample["image"].numel()
    del sample
    begin = time.perf_counter()
    workflow.run()
    run = time.perf_counter() - begin
    seconds["results"] = run - sum(seconds[stage] for stage in STAGES[1:-1])
    seconds["whole run"] = seconds["find and try"] + run
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return seconds | {"peak GiB": peak, "Mvox": voxels / 1e6}


class RetinaNet(nn.Module):
    """The zoo bundle's network: ResNet-50 to 1/8, pyramid of 256 channels, two heads on two levels."""

    def __init__(self) -> None:
        super().__init__()
        self.body = resnet50(
            spatial_dims=3, n_input_channels=1, conv1_t_stride=(2, 2, 1), conv1_t_size=(7, 7, 7)
        )
        self.pyramid = FeaturePyramidNetwork(3, [256, 512], 256, LastLevelMaxPool(3))
        self.heads = nn.ModuleList(self._head(outputs) for outputs in (3, 18))

    @staticmethod
    def _head(outputs: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for _ in range(4):
            layers += [nn.Conv3d(256, 256, 3, padding=1), nn.GroupNorm(8, 256), nn.ReLU()]
        return nn.Sequential(*layers, nn.Conv3d(256, outputs, 3, padding=1))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Maps of both heads on all levels."""
        body = self.body
        stem = body.maxpool(body.act(body.bn1(body.conv1(image))))
        first = body.layer1(stem)
        levels = self.pyramid({"0": first, "1": body.layer2(first)})
        return [head(level) for level in levels.values() for head in self.heads]


def flops_a_voxel(network: nn.Module, size: int = 96) -> float:
    """FLOPs of a forward pass, per input voxel; shapes alone are computed."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta")(torch.empty(1, 1, size, size, size))
    return counter.get_total_flops() / size**3


def main() -> None:
    """Run the arms and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--arm", choices=list(ARMS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.arm:
        print(json.dumps(run_arm(arguments.arm, arguments.folder, arguments.threads)))
        return
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        write_scan(Path(folder), arguments.slices)
        for arm in ARMS:
            command = [sys.executable, *sys.argv, "--arm", arm, "--folder", folder]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows[arm] = json.loads(done.stdout.splitlines()[-1])
    columns = [*STAGES, "whole run", "peak GiB", "Mvox"]
    print("| arm | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for arm, values in rows.items():
        print(f"| {arm} | " + " | ".join(f"{values[column]:.1f}" for column in columns) + " |")
    small = NoduleDetector(**network_arguments())
    counts = {"small": flops_a_voxel(small), "full": flops_a_voxel(NoduleDetector())}
    counts["RetinaNet"] = flops_a_voxel(RetinaNet())
    for name, count in counts.items():
        print(f"{name}: {count / 1000:.1f} kFLOP a voxel, RetinaNet / it {counts['RetinaNet'] / count:.1f}")


def network_arguments() -> dict:
    """The default network's arguments, from train.json."""
    config = json.loads((CONFIGS / "train.json").read_text())
    arguments = {key: value for key, value in config["detector_def"].items() if key != "_target_"}
    known = {key: config[value[1:]] for key, value in arguments.items() if value.startswith("@")}
    return known | {"num_anchors": len(config["anchors"])}


if __name__ == "__main__":
    main()
