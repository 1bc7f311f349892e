# SPDX-License-Identifier: Apache-2.0
"""Small data on disk for tests, and runs of the bundles on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from monai.bundle import ConfigWorkflow
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
OCT = Path("bundles/oct_edema/configs")
ICH = Path("bundles/ich/configs")
KIDNEY = Path("bundles/kidney_vasculature/configs")
SECTIONS = {"Edema_trainingset": 4, "Edema_validationset": 2, "Edema_testset": 1}


def write_slices(folder: Path, volume: np.ndarray, *, suffix: str = ".bmp", first: int = 1) -> Path:
    """Write (D, H, W) as <first>.bmp, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(volume):
        Image.fromarray(pixels).save(folder / f"{first + index}{suffix}")
    return folder


def write_contest(root: Path, *, shape: tuple[int, int, int] = (4, 32, 24)) -> Path:
    """Write volumes (D, H, W) with bright REA, dark SRF and a PED patch in the contest's layout."""
    rng = np.random.default_rng(0)
    patient = 0
    for section, count in SECTIONS.items():
        for _ in range(count):
            patient += 1
            label = np.zeros(shape, np.uint8)
            label[1:3, 4:14, 3:12], label[1:4, 16:22, 4:16], label[2, 26:30, 2:8] = 255, 191, 128
            image = 60 + 60.0 * (label == 255) - 40.0 * (label == 191) + 120.0 * (label == 128)
            image = np.clip(image + rng.normal(0, 8, shape), 0, 255).astype(np.uint8)
            write_slices(root / section / "original_images" / f"P{patient}_a.img", image)
            write_slices(root / section / "label_images" / f"P{patient}_a_labelMark", label)
    return root


def write_heads(root: Path, *, size: int = 32, slices: int = 5) -> Path:
    """Write slices of heads with bright bleeds in the contest's layout: six patients train, two test.

    Slice k of patient p has class p % 5 where k is 1 or 2, a bright square whose place is the class's; the
    last patient of each section has none.
    """
    rng = np.random.default_rng(0)
    for section, count in (("train", 6), ("test", 2)):
        rows = ["dirname,ID,ich,ivh,sah,sdh,edh"]
        for patient in range(count):
            name = f"{section}{patient:02d}"
            volume = 80 + rng.normal(0, 8, (slices, size, size))
            kind = patient % 5
            present = [patient < count - 1 and k in (1, 2) for k in range(slices)]
            volume[present, 4 + 5 * kind : 8 + 5 * kind, 8:24] += 120
            volume = np.clip(volume, 0, 255).astype(np.uint8)
            folder = root / section / f"ID_{name}"
            folder.mkdir(parents=True)
            for k, pixels in enumerate(volume):
                Image.fromarray(pixels).save(folder / f"{name}_{k}.jpg", quality=95)
                marks = [int(present[k] and kind == one) for one in range(5)]
                rows.append(",".join(map(str, [f"ID_{name}", f"{name}_{k}", *marks])))
        (root / f"{section}.csv").write_text("\n".join(rows) + "\n")
    return root


def write_kidneys(root: Path, *, shape: tuple[int, int, int] = (8, 32, 24)) -> Path:
    """Write volumes (Z, Y, X) with dark vessels in the contest's layout: two train, one validates, one tests.

    The images of kidney_3's dense part lie with its sparse part, as the contest has it.
    """
    rng = np.random.default_rng(0)
    for name in ("train/kidney_1_dense", "train/kidney_2", "train/kidney_3_sparse", "test/kidney_5"):
        label = np.zeros(shape, bool)
        row, column = rng.integers(6, shape[1] - 10), rng.integers(6, shape[2] - 10)
        label[:, row : row + 4, column : column + 4] = True
        label[shape[0] // 2, row : row + 2, :] = True
        image = 14000 - 4000.0 * label + rng.normal(0, 300, shape)
        label_name = name.replace("sparse", "dense")
        for index in range(shape[0]):
            for folder, values in (
                (root / name / "images", image[index].astype(np.uint16)),
                (root / label_name / "labels", np.where(label[index], 255, 0).astype(np.uint8)),
            ):
                folder.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(folder / f"{index:04d}.tif", values)
    return root


def workflow(*files: str | Path, kind: str = "train", **overrides: object) -> ConfigWorkflow:
    """A bundle's workflow, ready to run in this process."""
    made = ConfigWorkflow(
        config_file=[str(file) for file in files],
        meta_file=None,
        logging_file=False,
        workflow_type=kind,
        **overrides,
    )
    made.initialize()
    return made


def bundle_run(
    run_id: str,
    *,
    config_file: object,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    python_options: Sequence[str] = (),
    **overrides: object,
) -> subprocess.CompletedProcess[str]:
    """``python -m monai.bundle run`` as a user types it."""
    command = [sys.executable, *python_options, "-m", "monai.bundle", "run", run_id]
    command += ["--config_file", str(config_file)]
    for name, value in overrides.items():
        command += [f"--{name}", str(value)]
    return subprocess.run(
        command, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True, check=False
    )
