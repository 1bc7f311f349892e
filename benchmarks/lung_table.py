# SPDX-License-Identifier: Apache-2.0
"""The result table of lung_nodule on simulated chests: stage after stage of the method, several seeds.

    python benchmarks/lung_table.py --output_dir bundles/lung_nodule/output/table --seeds 1 2 3

Trains by the bundle's own commands and scores held-out cases as LUNA16 does. All arms of a seed start from
the same detector (``detector``: loss 1); ``loss_1``, ``loss_2`` and ``mined`` go on from it for the same
number of epochs with the first loss, with misclassified examples weighted, and with the detector's own false
positives on training cases added to that; ``second_stage`` puts a 3D CNN behind ``mined``; ``own_cell`` is
``mined`` whose candidates lie where their own cell says, without the votes of others. ``unet_3d`` and
``unet_2d`` are the segmentation arms. Finished runs are kept, so an interrupted table goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oct_table import run_bundle

from tomobundles.data.phantoms import write_lung_sample

CONFIGS = Path("bundles/lung_nodule/configs")
LAST = ("loss_1", "loss_2", "mined")
ARMS = ("detector", *LAST, "own_cell", "second_stage", "unet_3d", "unet_2d")
COLUMNS = ("cpm", "cpm_3_6", "cpm_6_10", "cpm_10_20", "cpm_20", "max_sensitivity")


def config_files(*overlays: str) -> str:
    """The --config_file argument: train.json and overlays."""
    return str([str(CONFIGS / f"{name}.json") for name in ("train", *overlays)])


class Seed:
    """The runs of one seed, each done once.

    Args:
        seed: for weights, crops and order.
        arguments: of the command line.
    """

    def __init__(self, seed: int, arguments: argparse.Namespace) -> None:
        self.seed = seed
        self.arguments = arguments

    def folder(self, arm: str) -> Path:
        """Where an arm's results are."""
        return self.arguments.output_dir / f"{arm}_{self.seed}"

    def run(self, run_id: str, arm: str, done: str, *overlays: str, **options: object) -> None:
        """Run the bundle unless the file ``done`` of the arm is there; training leaves it when it ends."""
        folder = self.folder(arm)
        if (folder / done).exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        shared = {
            "dataset_dir": self.arguments.output_dir / "chests",
            "output_dir": folder,
            "seed": self.seed,
        }
        if self.arguments.bf16 and run_id == "training":
            shared["bf16"] = True
        log, threads = folder / "log.txt", self.arguments.threads
        run_bundle(run_id, log, threads, config_file=config_files(*overlays), **shared, **options)
        (folder / done).touch()

    def score(self, arm: str, *overlays: str, **options: object) -> None:
        """Score an arm on the held-out cases."""
        more = {"evaluate_section": "test", "outputs": "['contest_csv']"}
        self.run("evaluating", arm, "evaluation/metrics.json", *overlays, "evaluate", **more, **options)

    def detector(self) -> None:
        """Stage one, and its false positives on the training cases."""
        self.run("training", "detector", "trained", epochs=self.arguments.epochs, val_interval=2)
        self.run("mining", "detector", "mining/false_positives.csv", "mine")
        self.score("detector")

    def last_stage(self, arm: str) -> None:
        """Go on from the detector, in one of three ways."""
        first = self.folder("detector")
        options: dict[str, object] = {"init_weights": first / "models" / "model.pt"}
        if arm == "loss_1":
            options["loss#weighting"] = "$None"  # MONAI drops an override that is None
        if arm == "mined":
            options["false_positives"] = first / "mining" / "false_positives.csv"
        length = {"epochs": self.arguments.last_epochs, "val_interval": 2}
        self.run("training", arm, "trained", "last_stage", **length, **options)
        self.score(arm)

    def second_stage(self) -> None:
        """The 3D CNN behind ``mined``."""
        options = {
            "detector_dir": self.folder("mined") / "models",
            "false_positives": self.folder("detector") / "mining" / "false_positives.csv",
        }
        length = {"epochs": self.arguments.second_epochs, "val_interval": 2}
        self.run("training", "second_stage", "trained", "second_stage", **length, **options)
        self.score("second_stage", "second_stage", **options)

    def segmentation(self, arm: str) -> None:
        """A U-Net on nodule masks, as long as detector and last stage together."""
        epochs = self.arguments.epochs + self.arguments.last_epochs
        self.run("training", arm, "trained", arm, epochs=epochs, val_interval=4)
        self.score(arm, arm)

    def all(self) -> None:
        """All arms that were asked for, in order."""
        arms = self.arguments.arms
        self.detector()
        for arm in (
            one for one in LAST if one in arms or (one == "mined" and {"second_stage", "own_cell"} & {*arms})
        ):
            self.last_stage(arm)
        if "own_cell" in arms:
            self.score("own_cell", ckpt_dir=self.folder("mined") / "models", vote_iou="$None")
        if "second_stage" in arms:
            self.second_stage()
        for arm in (one for one in ("unet_3d", "unet_2d") if one in arms):
            self.segmentation(arm)

    def scores(self, arm: str) -> dict[str, float | None]:
        """Metrics of an arm, none where it was not run."""
        path = self.folder(arm) / "evaluation" / "metrics.json"
        return json.loads(path.read_text()) if path.is_file() else {}


def print_table(arguments: argparse.Namespace) -> None:
    """Print mean and standard deviation over seeds as a Markdown table."""
    print("| arm | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for arm in arguments.arms:
        cells = []
        for column in COLUMNS:
            values = [Seed(seed, arguments).scores(arm).get(column) for seed in arguments.seeds]
            found = [value for value in values if value is not None]
            spread = statistics.stdev(found) if len(found) > 1 else 0.0
            cells.append(f"{statistics.mean(found):.3f} ± {spread:.3f}" if found else "-")
        print(f"| {arm} | " + " | ".join(cells) + " |")


def main() -> None:
    """Write the chests, train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--patients", type=int, nargs=2, default=[24, 16], help="to train on, and held out")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--last_epochs", type=int, default=6)
    parser.add_argument("--second_epochs", type=int, default=10)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    arguments = parser.parse_args()
    chests = arguments.output_dir / "chests"
    if not chests.is_dir():
        write_lung_sample(chests, seed=7, patients=tuple(arguments.patients))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for run in [pool.submit(Seed(seed, arguments).all) for seed in arguments.seeds]:
            run.result()
    print_table(arguments)


if __name__ == "__main__":
    main()
