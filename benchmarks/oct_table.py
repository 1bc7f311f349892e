# SPDX-License-Identifier: Apache-2.0
"""The result table of the contest solution on the embedded phantom: every overlay, several seeds.

    python benchmarks/oct_table.py --output_dir bundles/oct_edema/output/table --seeds 1 2 3 --epochs 10

Trains each overlay by the bundle's own commands, takes the best checkpoint on the validation patients, scores
the held-out test patients, and prints mean and standard deviation over seeds. Finished runs are kept, so an
interrupted table goes on where it stopped. ``--jobs 2`` runs two trainings at once with a thread each.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CONFIGS = Path("bundles/oct_edema/configs")
TRAINED = ("resnet18", "unet_single_wce", "unet_single", "unet", "unetpp_dice", "unetpp", "dilated")
COLUMNS = ("dice", "dice_REA", "dice_SRF", "dice_PED", "auc_pooled", "auc_volume")


def config_files(variant: str, *more: str) -> str:
    """The --config_file argument of a variant; unetpp is train.json itself."""
    names = ["train.json", *([] if variant == "unetpp" else [f"{variant}.json"]), *more]
    return str([str(CONFIGS / name) for name in names])


def run_bundle(run_id: str, log: Path, threads: int, **overrides: object) -> None:
    """Run ``python -m monai.bundle run`` with its output in ``log``."""
    command = [sys.executable, "-m", "monai.bundle", "run", run_id]
    for name, value in overrides.items():
        command += [f"--{name}", str(value)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with log.open("a") as stream:
        subprocess.run(command, check=True, env=environment, stdout=stream, stderr=subprocess.STDOUT)


def train_and_score(variant: str, seed: int, arguments: argparse.Namespace) -> None:
    """Train one variant with one seed and score it on the test patients, unless that is done already."""
    folder = arguments.output_dir / f"{variant}_{seed}"
    if (folder / "evaluation" / "metrics.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    shared = {"output_dir": folder, "seed": seed, "bf16": True}
    run_bundle(
        "training",
        folder / "log.txt",
        arguments.threads,
        config_file=config_files(variant),
        epochs=arguments.epochs,
        val_interval=arguments.val_interval,
        batch_size=arguments.batch_size,
        **shared,
    )
    run_bundle(
        "evaluating",
        folder / "log.txt",
        arguments.threads,
        config_file=config_files(variant, "evaluate.json"),
        evaluate_section="test",
        outputs="['mask']",
        **shared,
    )


def score_fusion(seed: int, arguments: argparse.Namespace) -> None:
    """Score the mean of UNet++ and UNet of one seed."""
    folder = arguments.output_dir / f"fusion_{seed}"
    members = [arguments.output_dir / f"{name}_{seed}" / "models" for name in ("unetpp", "unet")]
    folder.mkdir(parents=True, exist_ok=True)
    run_bundle(
        "evaluating",
        folder / "log.txt",
        arguments.threads,
        config_file=str([str(CONFIGS / name) for name in ("train.json", "evaluate.json", "fusion.json")]),
        evaluate_section="test",
        outputs="['mask']",
        output_dir=folder,
        ckpt_dir=members[0],
        fusion_paths=[str(member / "model.pt") for member in members],
        seed=seed,
        bf16=True,
    )


def print_table(arguments: argparse.Namespace) -> None:
    """Print mean and standard deviation over seeds as a Markdown table."""
    print("| variant | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for variant in (*arguments.variants, *(["fusion"] if arguments.fusion else [])):
        cells = []
        for column in COLUMNS:
            values = [
                scores(arguments.output_dir / f"{variant}_{seed}").get(column) for seed in arguments.seeds
            ]
            found = [value for value in values if value is not None]
            spread = statistics.stdev(found) if len(found) > 1 else 0.0
            cells.append(f"{statistics.mean(found):.3f} ± {spread:.3f}" if found else "-")
        print(f"| {variant} | " + " | ".join(cells) + " |")


def scores(folder: Path) -> dict[str, float | None]:
    """The means of one evaluation."""
    path = folder / "evaluation" / "metrics.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch_size", type=int, default=8, help="small, for more steps in few epochs")
    parser.add_argument("--val_interval", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variants", nargs="+", choices=TRAINED, default=list(TRAINED))
    arguments = parser.parse_args()
    arguments.fusion = {"unet", "unetpp"} <= set(arguments.variants)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for (
            seed
        ) in arguments.seeds:  # seed by seed, so that an interrupted table is whole for its first seeds
            runs = [pool.submit(train_and_score, name, seed, arguments) for name in arguments.variants]
            for run in runs:
                run.result()
            if arguments.fusion:
                score_fusion(seed, arguments)
    print_table(arguments)


if __name__ == "__main__":
    main()
