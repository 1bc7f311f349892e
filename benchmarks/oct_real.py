# SPDX-License-Identifier: Apache-2.0
"""Patient-level cross-validation of oct_edema on published scans, against a classical baseline.

    python benchmarks/oct_real.py duke --output_dir bundles/oct_edema/output/duke
    python benchmarks/oct_real.py bogota --output_dir bundles/oct_edema/output/bogota

``duke``: seven patients with one class (fluid), each held out once. ``bogota``: fully annotated B-scans of
eight groups of patients (intraretinal and subretinal fluid) in folds; scans where one class alone was
annotated are added to the training side with their background ignored, when their group is not held out. The
last epoch's weights are scored, so that nothing is selected on the held-out patients. The baseline takes the
dark region between the retina's borders (oct_classical.py); its threshold is chosen on the training side.

Data: the folder named by TOMOBUNDLES_REAL_DATA (default ../shared/data), with oct/manifest.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from oct_classical import DarkRegion, best_darkness
from oct_table import CONFIGS, run_bundle

from tomobundles.data import folds_by_patient, read_volume
from tomobundles.metrics import dice_from_counts, volume_dice_counts

DATASETS = {
    "duke": {
        "class_names": ["fluid"],
        "label_values": {"1": 1},
        "class_weights": [1, 5],
        "slice_size": [160, 256],
        "folds": 7,
    },
    "bogota": {
        "class_names": ["IRF", "SRF"],
        "label_values": {"1": 1, "2": 2},
        "class_weights": [1, 5, 10],
        "slice_size": [144, 208],
        "folds": 4,
    },
}
LABELLED = {"IRF only": [1], "SRF only": [2]}


def read_items(name: str, root: Path) -> tuple[list[dict], list[dict]]:
    """Fully and partly annotated items of a data set from the manifest."""
    source = {"duke": "duke_dme", "bogota": "bogota"}[name]
    whole, partial = [], []
    with (root / "manifest.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            item = {key: str((root / row[key]).resolve()) for key in ("image", "label")}
            item["patient"] = row["patient"]
            if row["source"] == source:
                whole.append(item)
            elif row["source"] == f"{source}_partial":
                partial.append(item | {"labelled_classes": LABELLED[row["labelled_classes"]]})
    return whole, partial


def run_fold(fold: int, training: list[dict], held_out: list[dict], arguments: argparse.Namespace) -> Path:
    """Train on a fold and write the masks of its held-out patients; returns the evaluation's folder."""
    settings = DATASETS[arguments.dataset]
    folder = arguments.output_dir / f"fold{fold}"
    if (folder / "evaluation" / "metrics.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    datalist = folder / "datalist.json"
    datalist.write_text(json.dumps({"training": training, "validation": held_out}))
    shared = {
        "dataset_dir": folder,
        "datalist": datalist,
        "output_dir": folder,
        "class_names": settings["class_names"],
        "label_values": settings["label_values"],
        "slice_size": settings["slice_size"],
        "class_weights": settings["class_weights"],
        "bf16": True,
        "seed": arguments.seed,
    }
    train, resized, evaluate = (str(CONFIGS / f"{name}.json") for name in ("train", "resized", "evaluate"))
    run_bundle(
        "training",
        folder / "log.txt",
        arguments.threads,
        config_file=[train, resized],
        epochs=arguments.epochs,
        val_interval=arguments.epochs,  # scored once, at the end: no epoch is chosen on the held-out patients
        stacks_per_volume=4 if arguments.dataset == "duke" else 1,
        batch_size=8,
        **shared,
    )
    run_bundle(
        "evaluating",
        folder / "log.txt",
        arguments.threads,
        config_file=[train, resized, evaluate],
        outputs=["mask", "contact_sheet"],
        **shared,
    )
    return folder


def classical_dice(training: list[dict], held_out: list[dict]) -> list[torch.Tensor]:
    """Counts of the baseline on each held-out volume, any fluid against background."""
    cases = [(read_volume(item["image"])[0], read_volume(item["label"])[0] > 0) for item in training]
    region = DarkRegion(darkness=best_darkness(cases))
    counts = []
    for item in held_out:
        image, label = read_volume(item["image"])[0], read_volume(item["label"])[0] > 0
        counts.append(dice_counts(region(image), label, num_classes=1))
    return counts


def dice_counts(prediction: np.ndarray, label: np.ndarray, *, num_classes: int) -> torch.Tensor:
    """Intersection, prediction and reference size of each class, as (3, K)."""
    volumes = (torch.from_numpy(volume.astype(np.uint8)) for volume in (prediction, label))
    return torch.stack(volume_dice_counts(*volumes, num_classes=num_classes))


def main() -> None:
    """Run the folds and print Dice by patient."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    root = Path(os.environ.get("TOMOBUNDLES_REAL_DATA", "../shared/data")) / "oct"
    if not (root / "manifest.csv").is_file():
        raise SystemExit(f"no manifest.csv in {root}: set TOMOBUNDLES_REAL_DATA")
    whole, partial = read_items(arguments.dataset, root)
    settings = DATASETS[arguments.dataset]
    network: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    baseline: dict[str, torch.Tensor] = {}
    folds = folds_by_patient(whole, folds=settings["folds"], seed=arguments.seed)
    for fold, (training, held_out) in enumerate(folds):
        patients = {item["patient"] for item in held_out}
        extra = [item for item in partial if item["patient"] not in patients]
        folder = run_fold(fold, training + extra, held_out, arguments)
        collect_network(folder, held_out, settings["class_names"], network)
        for item, counts in zip(held_out, classical_dice(training, held_out), strict=True):
            baseline[item["patient"]] = baseline.get(item["patient"], 0) + counts
        print(f"fold {fold}: held out {', '.join(sorted(patients))}", flush=True)
    print_table(network, baseline, settings["class_names"])


def collect_network(folder: Path, held_out: list[dict], names: list[str], network: dict) -> None:
    """Add up intersections and sizes of the fold's masks by patient and class."""
    for item in held_out:
        label = read_volume(item["label"])[0]
        mask = read_volume(mask_path(folder / "evaluation", Path(item["image"])))[0]
        patient = network[item["patient"]]
        patient["classes"] = patient.get("classes", 0) + dice_counts(mask, label, num_classes=len(names))
        patient["any"] = patient.get("any", 0) + dice_counts(mask > 0, label > 0, num_classes=1)


def mask_path(folder: Path, image: Path) -> Path:
    """The mask that the bundle wrote for an image."""
    name = image.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".jpg")
    found = [path for path in (folder / name).iterdir() if "labelMark" in path.name]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} masks in {folder / name}")
    return found[0]


def print_table(network: dict, baseline: dict, names: list[str]) -> None:
    """Print Dice by patient, pooled over a patient's scans, and the mean over patients."""
    print("| patient | " + " | ".join(names) + " | any fluid | dark region, any fluid |")
    print("|---" * (len(names) + 3) + "|")
    rows = []
    for patient in sorted(network):
        classes = dice_from_counts(*network[patient]["classes"])
        row = [*map(float, classes), float(dice_from_counts(*network[patient]["any"])[0])]
        row.append(float(dice_from_counts(*baseline[patient])[0]))
        rows.append(row)
        print(f"| {patient} | " + " | ".join(cell(value) for value in row) + " |")
    means = [[value for value in column if value == value] for column in zip(*rows, strict=True)]
    shown = sum(any(value == value for value in row) for row in rows)
    row = " | ".join(cell(statistics.mean(values)) for values in means)
    print(f"| mean of {shown} with fluid | {row} |")


def cell(value: float) -> str:
    """Three digits, or a dash where the class is absent."""
    return f"{value:.3f}" if value == value else "-"


if __name__ == "__main__":
    main()
