# SPDX-License-Identifier: Apache-2.0
"""The model card's picture: a simulated kidney that was not trained on, reference against prediction.

    python benchmarks/kidney_pictures.py --table bundles/kidney_vasculature/output/table_long

Takes the weights of one arm and seed of kidney_table.py, infers the held-out kidney by the bundle's own
command, and puts the projections along its three axes side by side.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from kidney_table import SCORED, TRAINED, config_files
from oct_table import run_bundle
from PIL import Image

from tomobundles.utils import atomic_path

GAP = 12


def side_by_side(files: list[Path]) -> Image.Image:
    """Pictures in a row on white, all as high as the highest."""
    pictures = [Image.open(file).convert("RGB") for file in files]
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    return sheet


def main() -> None:
    """Infer and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, default=Path("docs/figures"))
    parser.add_argument("--arm", default="surface_loss", choices=[*TRAINED, *SCORED])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=12)
    parser.add_argument("--kidney", default="kidney_5")
    arguments = parser.parse_args()
    weights, overlays = SCORED.get(arguments.arm, (arguments.arm, TRAINED.get(arguments.arm, ())))
    with tempfile.TemporaryDirectory() as folder:
        run_bundle(
            "evaluating",
            Path(folder) / "log.txt",
            2,
            config_file=config_files(*overlays, "evaluate"),
            dataset_dir=arguments.table / "kidneys",
            evaluate_section="test",
            output_dir=folder,
            ckpt_dir=arguments.table / f"{weights}_{arguments.seed}" / "models",
            outputs="['projections','attention']",
            width=arguments.width,
            cldice=False,
            bands="$None",
        )
        found = Path(folder) / "evaluation" / arguments.kidney
        drawn = found / f"{arguments.kidney}_projections"
        sheet = side_by_side([drawn / f"agreement_{axis}.png" for axis in "zyx"])
        with atomic_path(arguments.output_dir / "kidney_agreement.png") as path:
            sheet.save(path, optimize=True)


if __name__ == "__main__":
    main()
