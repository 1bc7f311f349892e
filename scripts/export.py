# SPDX-License-Identifier: Apache-2.0
"""Export a trained network as ONNX, torch.export or TorchScript, each checked against the Python network."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..data.sample import SAMPLES
from ..utils import InputError
from .sharing.export_formats import FORMATS, write_export
from .sharing.export_source import open_bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("task", choices=sorted(SAMPLES), help="the bundle")
    parser.add_argument("--bundle_dir", type=Path, help="the bundle's folder (default: bundles/TASK)")
    parser.add_argument("--model_dir", type=Path, help="folder of model.pt (default: where inference looks)")
    parser.add_argument("--output_dir", type=Path, help="where the files go (default: beside model.pt)")
    parser.add_argument(
        "--format", nargs="+", choices=list(FORMATS), default=["onnx"], help="one or more (default: onnx)"
    )
    parser.add_argument(
        "--overlay", nargs="+", type=Path, default=[], help="configs laid on inference.json, as in training"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="ID=VALUE",
        help="ids of the config that the model was trained with, such as width=32",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write each format and print its file and how far it is from the Python network."""
    export, folder = open_bundle(
        arguments.bundle_dir or Path("bundles") / arguments.task,
        model_dir=arguments.model_dir,
        overlays=arguments.overlay,
        overrides=dict(_override(text) for text in arguments.set),
    )
    for kind in arguments.format:
        path, worst = write_export(export, kind, arguments.output_dir or folder)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, differs by {worst:.1e} at most")


def _override(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError(f"--set {text}", remedy="write ID=VALUE, such as width=32")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    from .cli import run_verb

    run_verb("export")
