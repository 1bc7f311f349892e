# SPDX-License-Identifier: Apache-2.0
"""lung_nodule on published scans: nodules of LIDC-IDRI in cubes, and whole chest CTs.

    python benchmarks/lung_real.py cubes --output_dir bundles/lung_nodule/output/lidc
    python benchmarks/lung_real.py ct --output_dir bundles/lung_nodule/output/ct --ckpt_dir DIR/models

``cubes``: the 3D U-Net arm on cubes of 51 mm, one nodule of one patient each, in folds by patient: Dice, and
error of centre and diameter, against a threshold (the component nearest to the centre above a level that was
chosen on the training patients). The last epoch is scored, so nothing is chosen on held-out patients.
``ct``: a trained detector on the whole CTs; prints its ranked list's rank of the known nodule, or that the
nodule is not in the list.

Data: the folder named by TOMOBUNDLES_REAL_DATA (default ../shared/data), with lung/.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from oct_table import run_bundle
from scipy import ndimage

from tomobundles.data import read_volume

CONFIGS = Path("bundles/lung_nodule/configs")
LEVELS_HU = (-700, -600, -500, -400, -300, -200)
CUBE = {"lung_mask": "none", "crop_size": 48}


def cube_items(root: Path) -> list[dict]:
    """A datalist item for each cube."""
    items = []
    with (root / "nodule_cubes" / "annotations.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            name = row["seriesuid"]
            nodule = [float(row[key]) for key in ("coordX", "coordY", "coordZ", "diameter_mm")]
            paths = {
                key: str((root / "nodule_cubes" / "train" / folder / f"{name}.nii.gz").resolve())
                for key, folder in (("image", "images"), ("mask", "masks"))
            }
            items.append({**paths, "patient": name, "label": {"nodules": [nodule], "excluded": []}})
    return items


def run_fold(fold: int, items: list[dict], arguments: argparse.Namespace) -> list[dict[str, float]]:
    """Train on the other folds and score this one."""
    folder = arguments.output_dir / f"fold_{fold}"
    table = folder / "evaluation" / "masks.csv"
    if not table.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        held_out = items[fold :: arguments.folds]
        sections = {"training": [one for one in items if one not in held_out], "validation": held_out}
        (folder / "datalist.json").write_text(json.dumps(sections))
        shared = {
            "dataset_dir": folder,
            "datalist": folder / "datalist.json",
            "output_dir": folder,
            "seed": arguments.seed,
            "features": "[8,16,32,64,128,8]",
            **CUBE,
        }
        length = {"epochs": arguments.epochs, "val_interval": arguments.epochs, "crops_per_epoch": 96}
        files = [str(CONFIGS / f"{name}.json") for name in ("train", "unet_3d", "evaluate")]
        log, threads = folder / "log.txt", arguments.threads
        options = {"nodule_share": 1.0, "bf16": True, "learning_rate": 0.004, **length}
        run_bundle("training", log, threads, config_file=str(files[:2]), **options, **shared)
        run_bundle("evaluating", log, threads, config_file=str(files), outputs="['contest_csv']", **shared)
    with table.open(newline="") as stream:
        return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(stream)]


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def threshold_mask(hu: np.ndarray, level: float) -> np.ndarray:
    """The component above a level that is nearest to the cube's centre."""
    parts, count = ndimage.label(ndimage.binary_opening(hu > level))
    if not count:
        return np.zeros(hu.shape, bool)
    middle = [size // 2 for size in hu.shape]
    _, nearest = ndimage.distance_transform_edt(parts == 0, return_indices=True)
    return parts == parts[tuple(axis[tuple(middle)] for axis in nearest)]


def cube_scores(mask: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Dice, distance of the centroids and difference of equivalent diameters in mm (voxels of 1 mm)."""
    dice = 2 * np.sum(mask & truth) / max(1, mask.sum() + truth.sum())
    if not mask.any():
        return {"dice": 0.0, "centre_error_mm": float("nan"), "diameter_error_mm": float("nan")}
    centres = [np.argwhere(one).mean(axis=0) for one in (mask, truth)]
    sizes = [2 * (3 * one.sum() / (4 * np.pi)) ** (1 / 3) for one in (mask, truth)]
    return {
        "dice": float(dice),
        "centre_error_mm": float(np.linalg.norm(centres[0] - centres[1])),
        "diameter_error_mm": float(abs(sizes[0] - sizes[1])),
    }


def run_cubes(root: Path, arguments: argparse.Namespace) -> None:
    """Folds of the U-Net, and of the threshold."""
    items = cube_items(root)
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [pool.submit(run_fold, fold, items, arguments) for fold in range(arguments.folds)]
        found = [row for run in runs for row in run.result()]
    pairs = [(read_volume(one["image"])[0], read_volume(one["mask"])[0] > 0) for one in items]
    by_level = {
        level: [cube_scores(threshold_mask(hu, level), truth) for hu, truth in pairs] for level in LEVELS_HU
    }
    baseline = []
    for fold in range(arguments.folds):
        inside = set(range(fold, len(items), arguments.folds))
        others = [index for index in range(len(items)) if index not in inside]
        best = max(LEVELS_HU, key=lambda one: statistics.mean(by_level[one][i]["dice"] for i in others))
        print(f"fold {fold}: threshold {best} HU")
        baseline += [by_level[best][index] for index in sorted(inside)]
    print(f"{len(items)} patients in {arguments.folds} folds, seed {arguments.seed}")
    print("| method | Dice mean | Dice median | centre error mm (median) | diameter error mm (median) |")
    print("|---|---|---|---|---|")
    for name, rows in (("unet_3d", found), ("threshold", baseline)):
        dice = [row["dice"] for row in rows]
        errors = [
            np.nanmedian([row[key] for row in rows]) for key in ("centre_error_mm", "diameter_error_mm")
        ]
        cells = [statistics.mean(dice), statistics.median(dice), *errors]
        print(f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")


def run_ct(root: Path, arguments: argparse.Namespace) -> None:
    """The ranked lists of the whole CTs, and where the known nodules stand in them."""
    overlays = ("inference", "two_stage") if arguments.second_dir else ("inference",)
    options: dict[str, object] = {"ckpt_dir": arguments.ckpt_dir}
    if arguments.second_dir:
        options = {"detector_dir": arguments.ckpt_dir, "ckpt_dir": arguments.second_dir}
    for name in ("ct", "ct_noncommercial"):
        folder = root / name / "train"
        output = arguments.output_dir / name
        output.mkdir(parents=True, exist_ok=True)
        run_bundle(
            "inference",
            output / "log.txt",
            arguments.threads,
            config_file=str([str(CONFIGS / f"{one}.json") for one in overlays]),
            dataset_dir=folder,
            datalist=_ct_datalist(folder, output),
            output_dir=output,
            **options,
        )
        _print_ranks(folder / "annotations.csv", output / "predictions.csv")


def _ct_datalist(folder: Path, output: Path) -> Path:
    """The scans alone: masks and tables lie beside them."""
    scans = [{"image": str(path.resolve()), "patient": path.stem} for path in sorted(folder.glob("*.mhd"))]
    path = output / "datalist.json"
    path.write_text(json.dumps({"test": scans}))
    return path


def _print_ranks(truth: Path, predictions: Path) -> None:
    with predictions.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with truth.open(newline="") as stream:
        nodules = list(csv.DictReader(stream))
    point = ("coordX", "coordY", "coordZ")
    for nodule in nodules:
        mine = [row for row in rows if row["seriesuid"] == nodule["seriesuid"]]
        mine.sort(key=lambda row: -float(row["probability"]))
        centre, radius = np.array([float(nodule[key]) for key in point]), float(nodule["diameter_mm"]) / 2
        away = [float(np.linalg.norm(np.array([float(row[key]) for key in point]) - centre)) for row in mine]
        rank = next((index for index, distance in enumerate(away, start=1) if distance < radius), None)
        found = f"rank {rank} of {len(mine)}" if rank else f"not among {len(mine)} candidates"
        nearest = f", the nearest {min(away):.1f} mm away" if away else ""
        print(f"{nodule['seriesuid']}: {2 * radius:.1f} mm, {found}{nearest}")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["cubes", "ct"])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--ckpt_dir", type=Path, help="ct: folder of the detector's model.pt")
    parser.add_argument("--second_dir", type=Path, help="ct: folder of the second stage's model.pt")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    root = Path(os.environ.get("TOMOBUNDLES_REAL_DATA", "../shared/data")) / "lung"
    if not root.is_dir():
        raise SystemExit(f"no {root}: set TOMOBUNDLES_REAL_DATA")
    if arguments.what == "ct" and arguments.ckpt_dir is None:
        parser.error("ct needs --ckpt_dir")
    {"cubes": run_cubes, "ct": run_ct}[arguments.what](root, arguments)


if __name__ == "__main__":
    main()
