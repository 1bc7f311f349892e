# SPDX-License-Identifier: Apache-2.0
"""What bfloat16 changes in a trained oct_edema's answers, on the sample's test volumes.

    python benchmarks/oct_bf16.py --ckpt_dir bundles/oct_edema/output/table/unetpp_1/models

Prints the share of pixels with the same class (of all, and of those that float32 calls a lesion), and the
largest and mean difference of presence probabilities, all against float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from tomobundles.data import AIChallengerLayout, LoadVolumed, collate_volumes, load_intensity
from tomobundles.inferers import ClassesAndPresence, SliceStackInferer
from tomobundles.networks import GridUNet, load_weights
from tomobundles.transforms import NormalizeStack


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ckpt_dir", type=Path, required=True)
    parser.add_argument("--dataset_dir", type=Path, default=Path("bundles/oct_edema/sample"))
    arguments = parser.parse_args()
    intensity = load_intensity(arguments.ckpt_dir / "intensity.json")
    network = load_weights(GridUNet(), arguments.ckpt_dir / "model.pt").eval()
    network = network.to(memory_format=torch.channels_last)
    options = {
        "normalize": NormalizeStack(intensity["mean"], intensity["std"]),
        "finish": ClassesAndPresence(),
        "channels_last": True,
    }
    same, differences = [], []
    for item in AIChallengerLayout()(arguments.dataset_dir)["test"]:
        image = collate_volumes([LoadVolumed("image")({"image": item["image"]})])["image"]
        exact, rounded = (SliceStackInferer(bf16=bf16, **options)(image, network) for bf16 in (False, True))
        agree = exact["label"] == rounded["label"]
        lesion = exact["label"] > 0
        same.append((agree.sum(), agree.numel(), (agree & lesion).sum(), lesion.sum()))
        differences.append((exact["presence"] - rounded["presence"]).abs().flatten())
    agreed, pixels, agreed_lesion, lesions = (int(sum(column)) for column in zip(*same, strict=True))
    difference = torch.cat(differences)
    print(f"same class: {agreed / pixels:.5f} of all pixels, {agreed_lesion / lesions:.5f} of lesion pixels")
    print(f"presence probability: largest difference {difference.max():.4f}, mean {difference.mean():.5f}")


if __name__ == "__main__":
    main()
