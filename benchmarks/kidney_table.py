# SPDX-License-Identifier: Apache-2.0
"""The result table of kidney_vasculature on simulated kidneys: every arm, several seeds, a held-out kidney.

    python benchmarks/kidney_table.py --output_dir bundles/kidney_vasculature/output/table --seeds 1 2 3

Trains each arm by the bundle's own commands at a small width, takes the best checkpoint on the validation
kidney, scores kidneys that were neither trained nor validated on, and prints mean and standard deviation over
seeds. ``three_axes`` is ``attention_unet_25d``'s network applied along all three axes. Finished runs are
kept, so an interrupted table goes on where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oct_table import run_bundle

from tomobundles.data.phantoms import write_kidney_sample

CONFIGS = Path("bundles/kidney_vasculature/configs")
TRAINED = {
    "attention_unet_2d": ("attention_unet_2d",),
    "attention_unet_25d": (),
    "surface_loss": ("surface_loss",),
    "resnext50_25d": ("resnext50_25d",),
    "attention_unet_2d_surface": ("attention_unet_2d", "surface_loss"),
    "resnext50_25d_surface": ("resnext50_25d", "surface_loss"),
}
# arms that only infer otherwise: name -> (whose weights, overlays)
SCORED = {
    "three_axes": ("attention_unet_25d", ("three_axes",)),
    "three_axes_surface": ("surface_loss", ("surface_loss", "three_axes")),
}
COLUMNS = ("surface_dice", "dice", "cldice", "seconds_per_mvoxel")


def config_files(*overlays: str) -> str:
    """The --config_file argument: train.json and overlays."""
    return str([str(CONFIGS / f"{name}.json") for name in ("train", *overlays)])


def train(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Train one arm with one seed, unless that is done."""
    folder = arguments.output_dir / f"{name}_{seed}"
    if (folder / "trained").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    run_bundle(
        "training",
        folder / "log.txt",
        arguments.threads,
        config_file=config_files(*TRAINED[name]),
        epochs=arguments.epochs,
        val_interval=arguments.val_interval,
        patches_per_epoch=arguments.patches_per_epoch,
        patch_size=arguments.patch_size,
        learning_rate=arguments.learning_rate,
        **shared(folder, seed, arguments),
    )
    (folder / "trained").touch()


def score(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Score one arm with one seed on the held-out kidney, unless that is done."""
    weights, overlays = SCORED.get(name, (name, TRAINED.get(name, ())))
    folder = arguments.output_dir / f"{name}_{seed}"
    if (folder / "evaluation" / "metrics.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    options = shared(folder, seed, arguments)
    options["ckpt_dir"] = arguments.output_dir / f"{weights}_{seed}" / "models"
    run_bundle(
        "evaluating",
        folder / "log.txt",
        arguments.threads,
        config_file=config_files(*overlays, "evaluate"),
        evaluate_section="test",
        outputs="['sweep']",
        **options,
    )


def shared(folder: Path, seed: int, arguments: argparse.Namespace) -> dict[str, object]:
    """What training and scoring have in common."""
    return {
        "dataset_dir": arguments.output_dir / "kidneys",
        "output_dir": folder,
        "seed": seed,
        "width": arguments.width,
        "bf16": True,
    }


def scores(folder: Path, kidney: str) -> dict[str, float]:
    """Scores and speed on one kidney of an evaluation."""
    found: dict[str, float] = {}
    for name in ("volumes.csv", "vessels.csv"):
        path = folder / "evaluation" / name
        if path.is_file():
            with path.open(newline="") as stream:
                rows = {row.pop("name"): row for row in csv.DictReader(stream)}
            found |= {key: float(value) for key, value in rows[kidney].items() if value}
    return found


def print_table(arguments: argparse.Namespace) -> None:
    """Print mean and standard deviation over seeds as a Markdown table."""
    print("| arm | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name in arguments.arms:
        cells = []
        for column in COLUMNS:
            folders = [arguments.output_dir / f"{name}_{seed}" for seed in arguments.seeds]
            values = [scores(folder, arguments.kidney).get(column) for folder in folders]
            found = [value for value in values if value is not None]
            spread = statistics.stdev(found) if len(found) > 1 else 0.0
            cells.append(f"{statistics.mean(found):.3f} ± {spread:.3f}" if found else "-")
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--val_interval", type=int, default=3)
    parser.add_argument("--patches_per_epoch", type=int, default=320)
    parser.add_argument("--patch_size", default="[96,96]")
    parser.add_argument("--learning_rate", type=float, default=0.001)
    parser.add_argument(
        "--width", type=int, default=12, help="channels of the first level; 64 is the full one"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kidney", default="kidney_5", help="the held-out kidney of the table")
    parser.add_argument("--arms", nargs="+", choices=[*TRAINED, *SCORED], default=[*TRAINED, *SCORED])
    arguments = parser.parse_args()
    if not (arguments.output_dir / "kidneys").is_dir():
        write_kidney_sample(arguments.output_dir / "kidneys")
    trained = [name for name in TRAINED if name in {SCORED.get(arm, (arm,))[0] for arm in arguments.arms}]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for seed in arguments.seeds:  # seed by seed: an interrupted table is whole for its first seeds
            for run in [pool.submit(train, name, seed, arguments) for name in trained]:
                run.result()
            for run in [pool.submit(score, name, seed, arguments) for name in arguments.arms]:
                run.result()
    print_table(arguments)


if __name__ == "__main__":
    main()
