# SPDX-License-Identifier: Apache-2.0
"""A packed bundle that is small enough to be built, broken and checked many times."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.helpers import ROOT
from tomobundles.networks import AttentionUNet
from tomobundles.scripts.sharing.assemble import assemble
from tomobundles.scripts.sharing.manifest import write_manifest

WIDTH = 4
CONFIGS = (
    "train.json",
    "inference.json",
    "evaluate.json",
    "three_axes.json",
    "metadata.json",
    "logging.conf",
)


def build(folder: Path) -> Path:
    """Pack kidney_vasculature with a narrow, untrained network; the repository is only read."""
    source = ROOT / "bundles" / "kidney_vasculature"
    bundle = folder / "bundles" / "kidney_vasculature"
    (bundle / "configs").mkdir(parents=True)
    for name in CONFIGS:
        shutil.copy(source / "configs" / name, bundle / "configs" / name)
    shutil.copy(source / "LICENSE", bundle / "LICENSE")
    (bundle / "docs").mkdir()
    (bundle / "docs" / "README.md").write_text("# Model card\n")
    (bundle / "models").mkdir()
    for name in ("train.json", "inference.json"):
        edit_json(bundle / "configs" / name, lambda config: config.update(width=WIDTH))
    network = AttentionUNet(in_channels=3, out_channels=1, width=WIDTH)
    torch.save(network.state_dict(), bundle / "models" / "model.pt")
    root = folder / "kidney_vasculature"
    assemble(bundle, root, collection=[bundle], model_dir=bundle / "models")
    return root


def edit_json(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the content of a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def broken(root: Path, folder: Path, change: Callable[[Path], Any], *, sign: bool = True) -> Path:
    """A copy with one fault; with a manifest that fits it, or with the old one.

    The code's files are the same on disk as in the original: replace them, do not write into them.
    """
    copy = folder / root.name
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("tomobundles"))
    shutil.copytree(root / "tomobundles", copy / "tomobundles", copy_function=os.link)
    change(copy)
    if sign:
        write_manifest(copy)
    return copy
