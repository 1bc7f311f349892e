# SPDX-License-Identifier: Apache-2.0
"""kidney_vasculature on published scans, each specimen held out once, against Frangi's filter.

    python benchmarks/kidney_real.py twophoton --output_dir bundles/kidney_vasculature/output/twophoton
    python benchmarks/kidney_real.py hipct --output_dir bundles/kidney_vasculature/output/hipct

``twophoton``: stacks of mouse brain, bright vessels, five specimens. ``hipct``: patches and a slice of
kidney_1 against a slice of kidney_2, dark vessels, two specimens; single slices have no neighbours, so the 2D
arm is taken. Both with the surface loss. Networks start from random weights; the last epoch is scored, so
that nothing is chosen on held-out specimens. The filter's scales, threshold and 2D or 3D are chosen on the
specimens that are not held out.

Data: the folder named by TOMOBUNDLES_REAL_DATA (default ../shared/data), with kidney/.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from kidney_classical import FrangiBaseline
from oct_table import run_bundle
from PIL import Image

from tomobundles.data.volumes import open_volume
from tomobundles.metrics import vessel_scores

CONFIGS = Path("bundles/kidney_vasculature/configs")
COLUMNS = ("surface_dice", "dice", "cldice")
SPECIMENS = {"santos2015": "santos2015"}  # two stacks of one acquisition


@dataclass(frozen=True)
class Domain:
    """One kind of scans: its items, and how the bundle is run on them."""

    items: list[dict]
    dark: bool
    overlays: tuple[str, ...]
    options: dict[str, object]


def twophoton(root: Path, output_dir: Path) -> Domain:
    """The two-photon stacks; slices lie 5 um apart, pixels 0.6 to 2.5 um: one axis alone."""
    items = []
    for image in sorted((root / "twophoton").rglob("*_image.nii.gz")):
        name = image.name.removesuffix("_image.nii.gz")
        label = image.with_name(f"{name}_label.nii.gz")
        specimen = next((one for prefix, one in SPECIMENS.items() if name.startswith(prefix)), name)
        items.append({"image": str(image.resolve()), "label": str(label.resolve()), "patient": specimen})
    return Domain(items, dark=False, overlays=("surface_loss",), options={"train_axes": "['z']"})


def hipct(root: Path, output_dir: Path) -> Domain:
    """Patches and slices of two kidneys; slices become stacks of one."""
    items = []
    for image in sorted((root / "hipct_patches").rglob("*_image.nii.gz")):
        label = image.with_name(image.name.replace("_image", "_label"))
        items.append({"image": str(image.resolve()), "label": str(label.resolve()), "patient": "kidney_1"})
    for image in sorted((root / "hipct_slices").rglob("*_image.png")):
        name = image.name.removesuffix("_image.png")
        item = {"patient": name[: len("kidney_1")]}
        for key in ("image", "label"):
            array = np.asarray(Image.open(image.with_name(f"{name}_{key}.png")))[None]
            path = output_dir / "slices" / f"{name}_{key}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
            item[key] = str(path.resolve())
        items.append(item)
    return Domain(
        items, dark=True, overlays=("attention_unet_2d", "surface_loss"), options={"train_axes": "['z']"}
    )


def run_fold(specimen: str, domain: Domain, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Train on the other specimens and score this one; returns image -> scores."""
    folder = arguments.output_dir / specimen
    table = folder / "evaluation" / "volumes.csv"
    if not table.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        sections = {
            "training": [item for item in domain.items if item["patient"] != specimen],
            "validation": [item for item in domain.items if item["patient"] == specimen],
        }
        (folder / "datalist.json").write_text(json.dumps(sections))
        shared = {
            "dataset_dir": folder,
            "datalist": folder / "datalist.json",
            "output_dir": folder,
            "width": arguments.width,
            "seed": arguments.seed,
            "bf16": True,
            **domain.options,
        }
        train = [str(CONFIGS / f"{name}.json") for name in ("train", *domain.overlays)]
        length = {
            "epochs": arguments.epochs,
            "val_interval": arguments.epochs,
            "patches_per_epoch": arguments.patches_per_epoch,
            "patch_size": "[96,96]",
            "learning_rate": arguments.learning_rate,
        }
        log, threads = folder / "log.txt", arguments.threads
        run_bundle("training", log, threads, config_file=str(train), **length, **shared)
        evaluate = str([*train, str(CONFIGS / "evaluate.json")])
        run_bundle("evaluating", log, threads, config_file=evaluate, outputs="['slices']", **shared)
    with table.open(newline="") as stream:
        return {
            row["name"]: {key: float(row[key] or "nan") for key in COLUMNS} for row in csv.DictReader(stream)
        }


def baseline(specimen: str, domain: Domain, filters: FrangiBaseline) -> list[dict[str, float]]:
    """Scores of Frangi's filter on a specimen's volumes, its settings chosen on the others."""
    own = [index for index, item in enumerate(domain.items) if item["patient"] == specimen]
    settings = filters.choose(set(range(len(domain.items))) - set(own))
    print(f"{specimen}: {settings}", flush=True)
    return [vessel_scores(filters.mask(index, settings), filters.cases[index][1]) for index in own]


def read_case(item: dict) -> tuple[np.ndarray, np.ndarray]:
    """Grays and label of an item."""
    return open_volume(item["image"]).read_all(), open_volume(item["label"]).read_all() > 0


def main() -> None:
    """Run the folds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("domain", choices=["twophoton", "hipct"])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--patches_per_epoch", type=int, default=320)
    parser.add_argument("--learning_rate", type=float, default=0.001)
    parser.add_argument("--width", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    root = Path(os.environ.get("TOMOBUNDLES_REAL_DATA", "../shared/data")) / "kidney"
    if not root.is_dir():
        raise SystemExit(f"no {root}: set TOMOBUNDLES_REAL_DATA")
    domain = {"twophoton": twophoton, "hipct": hipct}[arguments.domain](root, arguments.output_dir)
    specimens = list(dict.fromkeys(item["patient"] for item in domain.items))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        networks = list(pool.map(lambda specimen: run_fold(specimen, domain, arguments), specimens))
    bank = FrangiBaseline([read_case(item) for item in domain.items], dark=domain.dark)
    filters = [baseline(specimen, domain, bank) for specimen in specimens]
    print("| specimen | volumes | " + " | ".join(f"{c}, network | {c}, Frangi" for c in COLUMNS) + " |")
    print("|---" * (2 + 2 * len(COLUMNS)) + "|")
    means = []
    for specimen, network, classical in zip(specimens, networks, filters, strict=True):
        cells = [
            np.nanmean([row[column] for row in rows])
            for column in COLUMNS
            for rows in (list(network.values()), classical)
        ]
        means.append(cells)
        print(f"| {specimen} | {len(network)} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    print("| mean | | " + " | ".join(f"{cell:.3f}" for cell in np.nanmean(means, axis=0)) + " |")


if __name__ == "__main__":
    main()
