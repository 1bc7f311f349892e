# SPDX-License-Identifier: Apache-2.0
"""The model card's picture: key slices of a simulated study that the network was not trained on.

    python benchmarks/ich_pictures.py --table bundles/ich/output/table --output_dir docs/figures

Takes the refined network of the first seed from ich_table.py, and of the test patients with most kinds of
bleed the first by name.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from oct_table import run_bundle
from PIL import Image

CONFIGS = Path("bundles/ich/configs")
CLASSES = ("ich", "ivh", "sah", "sdh", "edh")


def telling_study(sample: Path) -> Path:
    """The folder of the test patient with most classes."""
    classes: dict[str, set] = defaultdict(set)
    with (sample / "test.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            classes[row["dirname"]] |= {name for name in CLASSES if row[name] == "1"}
    return sample / "test" / min(classes, key=lambda name: (-len(classes[name]), name))


def main() -> None:
    """Infer one study and keep its picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--row", default="refine_1")
    parser.add_argument("--image_size", type=int, default=96)
    arguments = parser.parse_args()
    study = telling_study(arguments.table / "sample")
    with tempfile.TemporaryDirectory() as folder:
        run_bundle(
            "inference",
            Path(folder) / "log.txt",
            1,
            config_file=[str(CONFIGS / "inference.json"), str(CONFIGS / "refine.json")],
            dataset_dir=study,
            ckpt_dir=arguments.table / arguments.row / "models",
            output_dir=folder,
            image_size=arguments.image_size,
            outputs=["contact_sheet"],
        )
        arguments.output_dir.mkdir(parents=True, exist_ok=True)
        target = arguments.output_dir / "ich_key_slices.png"
        shutil.copy(Path(folder) / study.name / f"{study.name}_key_slices.png", target)
    print(f"{study.name}: {target} {Image.open(target).size}")


if __name__ == "__main__":
    main()
