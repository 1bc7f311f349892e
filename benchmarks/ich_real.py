# SPDX-License-Identifier: Apache-2.0
"""Patient-level cross-validation of ich on CT-ICH, against a brightness threshold.

    python benchmarks/ich_real.py --output_dir bundles/ich/output/ctich

31 patients in five folds; each patient is held out once. Within a fold a fifth of the other patients chooses
the epoch and fits the calibration, so that nothing is chosen on held-out patients. The baseline scores a
slice by the area inside the skull as bright as blood (ich_classical.py); its lower limit is chosen on the
patients that are not held out. Intervals are 95 % bootstrap intervals over patients.

Data: the folder named by TOMOBUNDLES_REAL_DATA (default ../shared/data), with ich/slice_labels.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from ich_classical import BrightBrain
from ich_table import is_trained
from oct_table import run_bundle

from tomobundles.data import (
    CLASS_NAMES,
    CLASSES,
    canonical_class,
    folds_by_patient,
    read_volume,
    split_by_patient,
)
from tomobundles.metrics import Interval, bootstrap_auc, bootstrap_f_beta, calibration_error, slice_auc

CONFIGS = Path("bundles/ich/configs")
LOWER_LIMITS = (45.0, 50.0, 55.0, 60.0)
SPACING_MM = (0.9, 0.9)  # nominal, see the data's README


def read_items(root: Path) -> list[dict]:
    """One item a patient, labels by slice; classes that are not annotated stay unknown."""
    tables: dict[str, dict] = defaultdict(dict)
    patients = {}
    with (root / "slice_labels.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["source"] != "ctich":
                continue
            values = {}
            for column in (
                "any",
                "epidural",
                "intraparenchymal",
                "intraventricular",
                "subarachnoid",
                "subdural",
            ):
                values[canonical_class(column)] = int(row[column]) if row[column] else None
            tables[row["image"]][row["slice"]] = values
            patients[row["image"]] = row["patient"]
    return [
        {"image": str((root / image).resolve()), "patient": patients[image], "label": {"slices": slices}}
        for image, slices in sorted(tables.items())
    ]


def run_fold(fold: int, others: list[dict], held_out: list[dict], arguments: argparse.Namespace) -> Path:
    """Train and calibrate on a fold, infer its held-out patients; returns the table of their slices."""
    folder = arguments.output_dir / f"fold{fold}"
    table = folder / "evaluation" / "slices.csv"
    if table.is_file():
        return table
    folder.mkdir(parents=True, exist_ok=True)
    training, validation = split_by_patient(others, fraction=0.2, seed=arguments.seed)
    datalist = folder / "datalist.json"
    datalist.write_text(json.dumps({"training": training, "validation": validation, "test": held_out}))
    shared = {
        "dataset_dir": folder,
        "datalist": datalist,
        "output_dir": folder,
        "image_size": arguments.image_size,
        "network_def#backbone": arguments.backbone,
        "bf16": True,
        "seed": arguments.seed,
    }
    train, evaluate = (str(CONFIGS / f"{name}.json") for name in ("train", "evaluate"))
    start = {} if arguments.init_weights is None else {"init_weights": arguments.init_weights}
    length = {"epochs": arguments.epochs, "step_epochs": max(1, arguments.epochs // 2)}
    length["learning_rate"] = arguments.learning_rate
    log, threads = folder / "log.txt", arguments.threads
    if not is_trained(folder / "models" / "last.pt", arguments.epochs):
        run_bundle("training", log, threads, config_file=[train], **start, **length, **shared)
    last = {"evaluate_section": "test", "outputs": []}
    run_bundle("evaluating", log, threads, config_file=[train, evaluate], **last, **shared)
    return table


def baseline_scores(others: list[dict], held_out: list[dict]) -> list[np.ndarray]:
    """Scores of the held-out patients' slices, with the limit that ranks the others' slices best."""

    def scores(items: list[dict], limit: float) -> list[np.ndarray]:
        region = BrightBrain(blood_hu=(limit, 95.0))
        return [region(read_volume(item["image"])[0], SPACING_MM) for item in items]

    truth = np.concatenate([labels_of(item, "any") for item in others])
    best = max(LOWER_LIMITS, key=lambda limit: auc(np.concatenate(scores(others, limit)), truth))
    return scores(held_out, best)


def auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve of one class."""
    return float(slice_auc(as_row(scores), as_row(truth))[0])


def as_row(values: np.ndarray) -> torch.Tensor:
    """(N,) to a (1, N) tensor."""
    return torch.as_tensor(np.asarray(values, dtype=np.float64))[None]


def labels_of(item: dict, name: str) -> np.ndarray:
    """A class of an item's slices in order, NaN where unknown."""
    slices = item["label"]["slices"]
    depth = read_volume(item["image"])[0].shape[-1]
    values = [slices.get(str(k), {}).get(name) for k in range(depth)]
    return np.array([np.nan if value is None else value for value in values])


def main() -> None:
    """Run the folds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument(
        "--learning_rate", type=float, default=0.0003, help="the recipe's is for ImageNet weights"
    )
    parser.add_argument("--image_size", type=int, default=96)
    parser.add_argument("--backbone", default="resnet34", choices=["resnet18", "resnet34"])
    parser.add_argument("--init_weights", type=Path, help="start from these instead of random weights")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    root = Path(os.environ.get("TOMOBUNDLES_REAL_DATA", "../shared/data")) / "ich"
    if not (root / "slice_labels.csv").is_file():
        raise SystemExit(f"no slice_labels.csv in {root}: set TOMOBUNDLES_REAL_DATA")
    rows: dict[str, list] = defaultdict(list)
    items = read_items(root)
    folds = folds_by_patient(items, folds=arguments.folds, seed=arguments.seed)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        tables = pool.map(lambda fold: run_fold(fold[0], *fold[1], arguments), enumerate(folds))
        for (others, held_out), table in zip(folds, tables, strict=True):
            collect_network(table, held_out, rows)
            for item, scores in zip(held_out, baseline_scores(others, held_out), strict=True):
                rows["baseline"] += scores.tolist()
                rows["baseline_patient"] += [item["patient"]] * len(scores)
                rows["baseline_any"] += labels_of(item, "any").tolist()
            print(f"held out: {', '.join(sorted(item['patient'] for item in held_out))}", flush=True)
    print_table(rows)


def collect_network(table: Path, held_out: list[dict], rows: dict[str, list]) -> None:
    """Take the scores of a fold's table, matched to labels by patient and slice."""
    labels = {item["patient"]: {name: labels_of(item, name) for name in CLASS_NAMES} for item in held_out}
    with table.open(newline="") as stream:
        for row in csv.DictReader(stream):
            rows["patient"].append(row["patient"])
            for name in CLASS_NAMES:
                rows[f"{name}_label"].append(labels[row["patient"]][name][int(row["slice"])])
                for kind in ("raw", "context", "calibrated", "decision"):
                    rows[f"{name}_{kind}"].append(float(row[f"{name}_{kind}"]))


def print_table(rows: dict[str, list]) -> None:
    """Print AUC by class with intervals, calibration, and the baseline."""
    titles = (
        "class",
        "slices",
        "patients",
        "AUC, slice alone",
        "AUC, five slices",
        "ECE before",
        "ECE after",
    )
    print("\n| " + " | ".join(titles) + " |")
    print("|---" * len(titles) + "|")
    for name in CLASS_NAMES:
        truth = np.array(rows[f"{name}_label"])
        patients = {patient for patient, value in zip(rows["patient"], truth, strict=True) if value == 1}
        cells = [
            text(bootstrap_auc(rows["patient"], rows[f"{name}_{kind}"], truth)) for kind in ("raw", "context")
        ]
        for kind in ("context", "calibrated"):
            values = np.array(rows[f"{name}_{kind}"])
            cells.append(f"{calibration_error(as_row(values)[0], as_row(truth)[0]):.3f}")
        print(f"| {name} | {int(np.nansum(truth))} | {len(patients)} | " + " | ".join(cells) + " |")
    interval = bootstrap_auc(rows["baseline_patient"], rows["baseline"], rows["baseline_any"])
    print(f"| any, brightness | | | {text(interval)} | | | |")
    decisions = [rows[f"{name}_decision"] for name in CLASSES]
    truths = [rows[f"{name}_label"] for name in CLASSES]
    print(f"\nmicro F2 of the decisions: {text(bootstrap_f_beta(rows['patient'], decisions, truths))}")
    by_patient = patient_level(rows)
    print(f"AUC of any by patient, the highest slice: {text(bootstrap_auc(*by_patient))}")


def patient_level(rows: dict[str, list]) -> tuple[list[str], list[float], list[float]]:
    """Patients, their highest probability of any, and whether they bleed."""
    names = sorted(set(rows["patient"]))
    own = {name: np.array(rows["patient"]) == name for name in names}
    highest = [float(np.array(rows["any_calibrated"])[own[name]].max()) for name in names]
    return names, highest, [float(np.array(rows["any_label"])[own[name]].max()) for name in names]


def text(interval: Interval) -> str:
    """A value with its interval."""
    if not np.isfinite(interval.value):
        return "-"
    return f"{interval.value:.3f} ({interval.low:.3f}-{interval.high:.3f})"


if __name__ == "__main__":
    main()
