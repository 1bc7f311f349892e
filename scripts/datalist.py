# SPDX-License-Identifier: Apache-2.0
"""Write a datalist JSON from a folder of volumes and a folder of labels, paired by name, split by patient."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data.datalist import save_datalist
from ..data.pairing import pair_by_name
from ..data.splits import split_by_patient


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--images", type=Path, required=True, help="folder of volumes (slice folders or files)"
    )
    parser.add_argument("--labels", type=Path, required=True, help="folder of labels, named as the volumes")
    parser.add_argument("--output", type=Path, required=True, help="the datalist JSON to write")
    parser.add_argument(
        "--label_suffix", default="", help="what a label's name has after its volume's, e.g. _label"
    )
    parser.add_argument(
        "--patient", default=r"^[^_]+", help="regular expression that finds the patient in a volume's name"
    )
    parser.add_argument("--validation", type=float, default=0.2, help="share of patients for validation")
    parser.add_argument("--test", type=float, default=0.0, help="share of patients held out for a final test")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split")


def run(arguments: argparse.Namespace) -> None:
    """Pair, split, write, and print what went where."""
    items = pair_by_name(
        images=arguments.images,
        labels=arguments.labels,
        label_suffix=arguments.label_suffix,
        patient=arguments.patient,
    )
    data = {"training": items, "validation": [], "test": []}
    if arguments.test > 0:
        data["training"], data["test"] = split_by_patient(items, fraction=arguments.test, seed=arguments.seed)
    data["training"], data["validation"] = split_by_patient(
        data["training"], fraction=arguments.validation, seed=arguments.seed
    )
    save_datalist(arguments.output, data, dataset_dir=arguments.output.parent)
    for section, found in data.items():
        patients = len({item["patient"] for item in found})
        print(f"{section}: {len(found)} volumes of {patients} patients")
    print(f"wrote {arguments.output}; its paths are relative to {arguments.output.parent}")


if __name__ == "__main__":
    from .cli import run_verb

    run_verb("datalist")
