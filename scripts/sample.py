# SPDX-License-Identifier: Apache-2.0
"""Write the embedded sample of a bundle: simulated scans in the contest's own layout."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data.sample import SAMPLES, make_sample


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("task", choices=sorted(SAMPLES), help="the bundle")
    parser.add_argument(
        "--output_dir",
        type=Path,
        help="folder to write to (default: bundles/TASK/sample, where it is looked for)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the sample and print its folder."""
    folder = arguments.output_dir or Path("bundles") / arguments.task / "sample"
    print(make_sample(arguments.task, folder))


if __name__ == "__main__":
    from .cli import run_verb

    run_verb("sample")
