# SPDX-License-Identifier: Apache-2.0
"""The model card's pictures: a ranked list of a held-out simulated chest, and the FROC curve of all of them.

    python benchmarks/lung_pictures.py --table bundles/lung_nodule/output/table

Takes the weights of one arm and seed of lung_table.py, scores the held-out cases by the bundle's own command,
and copies the contact sheet of the case with the most nodules, and the curve.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import Counter
from pathlib import Path

from lung_table import config_files
from oct_table import run_bundle
from PIL import Image

from tomobundles.utils import atomic_path

COLORS = 128


def copy_picture(source: Path, target: Path) -> None:
    """Copy a picture with a palette, which is a third of its size."""
    with Image.open(source) as picture, atomic_path(target) as path:
        picture.convert("RGB").quantize(COLORS).save(path, optimize=True)


def main() -> None:
    """Score and copy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, default=Path("docs/figures"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    seed, table = arguments.seed, arguments.table
    with tempfile.TemporaryDirectory() as folder:
        run_bundle(
            "evaluating",
            Path(folder) / "log.txt",
            2,
            config_file=config_files("second_stage", "evaluate"),
            dataset_dir=table / "chests",
            evaluate_section="test",
            output_dir=folder,
            ckpt_dir=table / f"second_stage_{seed}" / "models",
            detector_dir=table / f"mined_{seed}" / "models",
            false_positives=table / f"detector_{seed}" / "mining" / "false_positives.csv",
            outputs="['contact_sheet']",
        )
        found = Path(folder) / "evaluation"
        with (found / "nodules.csv").open(newline="") as stream:
            cases = Counter(row["seriesuid"] for row in csv.DictReader(stream) if row.get("diameter_mm"))
        case = max(sorted(cases), key=cases.get)
        copy_picture(found / case / f"{case}_nodules.png", arguments.output_dir / "lung_nodules.png")
        copy_picture(found / "froc.png", arguments.output_dir / "lung_froc.png")


if __name__ == "__main__":
    main()
