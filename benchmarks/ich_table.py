# SPDX-License-Identifier: Apache-2.0
"""The contest solution's comparisons on the embedded phantom: losses and kinds of context, several seeds.

    python benchmarks/ich_table.py --output_dir bundles/ich/output/table --seeds 1 2 3

Makes a phantom of its own size once (``--patients``), trains cross entropy and the asymmetric loss on single
slices, refines the latter with five slices, and trains a learned kernel and a GRU over its features, all by
the bundle's own commands. The best epoch (by mean AUC) and the calibration are chosen on validation patients,
scores are those of the test patients. Rows ``..._single_slice`` score the same
network without its neighbours. Finished runs are kept, so an interrupted table goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from oct_table import run_bundle

from tomobundles.data.phantoms import write_ich_sample

CONFIGS = Path("bundles/ich/configs")
CLASSES = ("IPH", "IVH", "SAH", "SDH", "EDH")
# row -> (overlay, row whose weights it starts from or scores, whether it is trained)
ROWS: dict[str, tuple[str | None, str | None, bool]] = {
    "bce": ("bce", None, True),
    "asl": (None, None, True),
    "bce_single_slice": ("bce", "bce", False),
    "asl_single_slice": (None, "asl", False),
    "refine": ("refine", "asl", True),
    "learned_kernel": ("learned_kernel", "asl", True),
    "context_gru": ("context_gru", "asl", True),
}
COLUMNS = {
    "micro F2": "f2_micro",
    "AUC": "auc",
    "AP": "ap",
    "ECE of the score": "ece_score",
    "of the posterior": "ece_context",
    "calibrated": "ece_calibrated",
    "AUC by patient": "patient_auc",
    "s a patient": "seconds",
}


def config_files(row: str, *more: str) -> str:
    """The --config_file argument of a row."""
    names = ["train", *filter(None, [ROWS[row][0]])]
    if row.endswith("single_slice"):
        names.append("single_slice")
    return str([str(CONFIGS / f"{name}.json") for name in (*names, *more)])


def score_row(row: str, seed: int, arguments: argparse.Namespace) -> None:
    """Train one row where it is trained, calibrate it, score it on the test patients; once."""
    folder = arguments.output_dir / f"{row}_{seed}"
    if (folder / "evaluation" / "metrics.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _, source, trained = ROWS[row]
    shared = {
        "dataset_dir": arguments.output_dir / "sample",
        "output_dir": folder,
        "seed": seed,
        "image_size": arguments.image_size,
        "validation_fraction": 0.25,
        "bf16": True,
    }
    weights = None if source is None else arguments.output_dir / f"{source}_{seed}" / "models" / "model.pt"
    log, threads = folder / "log.txt", arguments.threads
    models = folder / "models"
    if trained and not is_trained(
        models / "last.pt", arguments.epochs if source is None else arguments.context_epochs
    ):
        start = {} if weights is None else {"init_weights": weights}
        length = {"epochs": arguments.epochs, "step_epochs": max(1, arguments.epochs // 2)}
        length["learning_rate"] = arguments.learning_rate
        if source is not None:
            steps = arguments.refine_iterations if row == "refine" else arguments.context_iterations
            length = {"epochs": arguments.context_epochs, "iterations_per_epoch": steps}
        files = config_files(row)
        run_bundle("training", log, threads, config_file=files, **start, **length, **shared)
    if not trained:
        models.mkdir(exist_ok=True)
        shutil.copy(weights, models / "model.pt")
        run_bundle("calibrating", log, threads, config_file=config_files(row, "calibrate"), **shared)
    files = config_files(row, "evaluate")
    run_bundle("evaluating", log, threads, config_file=files, evaluate_section="test", outputs=[], **shared)


def is_trained(checkpoint: Path, epochs: int) -> bool:
    """Say whether a checkpoint is of the last epoch."""
    return checkpoint.is_file() and torch.load(checkpoint, weights_only=True)["epoch"] >= epochs


def print_tables(arguments: argparse.Namespace) -> None:
    """Print mean and standard deviation over seeds, all classes together and the AUC of each."""
    columns = COLUMNS | {f"AUC {name}": f"auc_{name}" for name in (*CLASSES, "any")}
    for titles in (list(COLUMNS), [title for title in columns if title not in COLUMNS]):
        print("\n| variant | " + " | ".join(titles) + " |")
        print("|---" * (len(titles) + 1) + "|")
        for row in arguments.rows:
            found = [scores(arguments.output_dir / f"{row}_{seed}") for seed in arguments.seeds]
            cells = [cell([one.get(columns[title]) for one in found]) for title in titles]
            print(f"| {row} | " + " | ".join(cells) + " |")


def cell(values: Sequence[float | None]) -> str:
    """Mean and standard deviation of what is defined."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    spread = statistics.stdev(known) if len(known) > 1 else 0.0
    return f"{statistics.mean(known):.3f} ± {spread:.3f}" if known else "-"


def scores(folder: Path) -> dict[str, float | None]:
    """The scores of one evaluation."""
    path = folder / "evaluation" / "metrics.json"
    if not path.is_file():
        return {}
    studies = len((folder / "evaluation" / "patients.csv").read_text().splitlines()) - 1
    taken = re.findall(
        r"Evaluator INFO: Engine run finished\. Time taken: (.*)", (folder / "log.txt").read_text()
    )
    hours, minutes, seconds = map(float, taken[-1].split(":"))
    return json.loads(path.read_text()) | {"seconds": (hours * 3600 + minutes * 60 + seconds) / studies}


def main() -> None:
    """Make the phantom, train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--patients", type=int, nargs=2, default=[144, 48], help="training and test patients")
    parser.add_argument("--image_size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument(
        "--learning_rate", type=float, default=0.0003, help="the recipe's is for ImageNet weights"
    )
    parser.add_argument("--context_epochs", type=int, default=1)
    parser.add_argument("--context_iterations", type=int, default=300)
    parser.add_argument("--refine_iterations", type=int, default=80)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    arguments = parser.parse_args()
    sample = arguments.output_dir / "sample"
    if not sample.is_dir():
        write_ich_sample(sample, patients=tuple(arguments.patients), dicom_studies=0)
    first = [row for row in arguments.rows if ROWS[row][1] is None]
    later = [row for row in arguments.rows if ROWS[row][1] is not None]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for rows in (first, later):
            runs = [pool.submit(score_row, row, seed, arguments) for seed in arguments.seeds for row in rows]
            for run in runs:
                run.result()
    print_tables(arguments)


if __name__ == "__main__":
    main()
