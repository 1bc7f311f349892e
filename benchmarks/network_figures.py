# SPDX-License-Identifier: Apache-2.0
"""Draws the structure of every bundle's network into its docs.

Networks are those of inference.json with its defaults. Parameters, shapes, operations and edges are measured
by running them on the meta device; the layouts below say only which modules make a box and where it stands.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from monai.bundle import ConfigParser

from tomobundles.visualize.network_figure import draw_network
from tomobundles.visualize.network_layout import Box, Layout
from tomobundles.visualize.network_trace import Trace, trace_network

ROOT = Path(__file__).resolve().parents[1]
SHAPES = {
    "oct_edema": (3, 1024, 512),
    "ich": (5, 512, 512),
    "kidney_vasculature": (3, 512, 512),
    "lung_nodule": (1, 96, 96, 96),
}


def unet_plus_plus(depth: int = 4) -> Layout:
    """The grid of UNet++: a level lower is a step to the right, a column of the decoder two."""
    boxes = {
        f"x{i}_0": Box((f"encoder.{i}",), "encoder", i, title=f"$X^{{{i},0}}$") for i in range(depth + 1)
    }
    for j in range(1, depth + 1):
        for i in range(depth - j, -1, -1):
            boxes[f"x{i}_{j}"] = Box((f"decoder.x{i}_{j}",), "decoder", i + 2 * j, title=f"$X^{{{i},{j}}}$")
    heads = tuple(f"heads.{j}" for j in range(depth))
    boxes["heads"] = Box(heads, "head", depth + 1, title="heads, averaged", row=-1.3, width=5.6)
    boxes["presence"] = Box(("presence",), "head", depth + 2.2, row=depth)
    outputs = {
        "segmentation": (2 * depth + 2, -1.3, "classes"),
        "presence": (depth + 4.2, depth, "presence"),
    }
    return Layout(boxes=boxes, outputs=outputs, image=(-1.8, 0, "three slices"))


def resnet_with_context() -> Layout:
    """A chain for every slice, and the kernel over the slices' logits."""
    names = ("stem", "layer1", "layer2", "layer3", "layer4")
    members = (("resnet.conv1", "resnet.bn1"), *((f"resnet.{name}",) for name in names[1:]))
    boxes = {
        name: Box(modules, "encoder", place, row=0, width=0.8, height=1.1)
        for place, (name, modules) in enumerate(zip(names, members, strict=True))
    }
    boxes["fc"] = Box(("resnet.fc",), "head", 5, title="mean, fc", row=0, width=0.8, height=1.1)
    boxes["head"] = Box(("head",), "head", 6, row=0, width=0.8, height=1.1)
    boxes["context"] = Box(("context",), "context", 6, title="kernel", row=1.1, width=0.8, height=0.8)
    return Layout(
        boxes=boxes,
        outputs={"slice_logits": (7.2, 0, "slice alone"), "logits": (7.2, 1.1, "with context")},
        image=(-1.2, 0, "five slices"),
        bands=False,
        frames={"every slice through the same weights": (*names, "fc", "head")},
    )


def attention_unet(depth: int = 5) -> Layout:
    """Encoder left, gates in the middle, decoder right; upsampling between two levels."""
    boxes = {f"Conv{level}": Box((f"Conv{level}",), "encoder", 0) for level in range(1, depth + 1)}
    for level in range(depth, 1, -1):
        boxes[f"Up{level}"] = Box((f"Up{level}",), "decoder", 3, row=level - 1.5)
        boxes[f"Att{level}"] = Box((f"Att{level}",), "gate", 1.6, row=level - 1.8, height=0.7)
        boxes[f"Up_conv{level}"] = Box((f"Up_conv{level}",), "decoder", 4.3)
    boxes["Conv_1x1"] = Box(("Conv_1x1",), "head", 5.7)
    return Layout(
        boxes=boxes, outputs={"output": (7, 0, "vessel")}, image=(-1.4, 0, "three slices"), pitch=1.22
    )


def nodule_detector() -> Layout:
    """Encoder down the left, decoder up the right to a quarter of the resolution."""
    boxes = {"stem": Box(("stem",), "encoder", 0)}
    for scale in (2, 4, 8, 16):
        boxes[f"encode{scale}"] = Box((f"encode{scale}",), "encoder", 1.2)
    for scale, row in ((8, 3.5), (4, 2.5)):
        boxes[f"up{scale}"] = Box((f"up{scale}",), "decoder", 2.6, row=row)
        boxes[f"decode{scale}"] = Box((f"decode{scale}",), "decoder", 4)
    boxes["decode4"] = Box(("decode4",), "decoder", 4, extra="position", height=1.1)
    boxes["head"] = Box(("head",), "head", 5.2)
    return Layout(boxes=boxes, outputs={"output": (6.6, 2, "three anchors")}, image=(0, 0, "1 mm voxels"))


LAYOUTS = {
    "oct_edema": unet_plus_plus,
    "ich": resnet_with_context,
    "kidney_vasculature": attention_unet,
    "lung_nodule": nodule_detector,
}


def figure_path(bundle: str) -> Path:
    """Where a bundle's figure lies."""
    return ROOT / "bundles" / bundle / "docs" / "network.png"


def trace_bundle(bundle: str) -> Trace:
    """The network of a bundle's inference.json as it runs on one image."""
    parser = ConfigParser()
    parser.read_config(ROOT / "bundles" / bundle / "configs" / "inference.json")
    with torch.device("meta"):
        network = parser.get_parsed_content("network_def")
    return trace_network(network, SHAPES[bundle], LAYOUTS[bundle]().modules())


def main() -> None:
    """Draw all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundles", nargs="+", choices=tuple(LAYOUTS), default=tuple(LAYOUTS))
    for bundle in parser.parse_args().bundles:
        print(draw_network(figure_path(bundle), trace_bundle(bundle), LAYOUTS[bundle]()))


if __name__ == "__main__":
    main()
