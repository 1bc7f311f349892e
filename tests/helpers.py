# SPDX-License-Identifier: Apache-2.0
"""Small data on disk for tests, and runs of the bundles on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile
from monai.bundle import ConfigWorkflow
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
OCT = Path("bundles/oct_edema/configs")
ICH = Path("bundles/ich/configs")
KIDNEY = Path("bundles/kidney_vasculature/configs")
LUNG = Path("bundles/lung_nodule/configs")
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


# a network that trains in seconds, on the crops that write_chests has room for
TINY_NETWORK = {
    "channels": [4, 6, 8, 8, 8],
    "decoder_channels": [8, 8],
    "encoder_blocks": [1, 1, 1, 1],
    "decoder_blocks": [1, 1],
    "head_channels": 8,
}
TINY_DETECTOR = TINY_NETWORK | {"crop_size": 32, "augmentation#elastic": 0.5}


def write_mhd(path: Path, slices: np.ndarray, *, spacing: tuple[float, float, float], origin: tuple) -> Path:
    """Write int16 (D, H, W) as .mhd and .raw; spacing and origin x, y, z in LPS mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = {"Offset": origin, "ElementSpacing": spacing, "DimSize": slices.shape[::-1]}
    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "CompressedData = False"]
    lines += ["TransformMatrix = 1 0 0 0 1 0 0 0 1"]
    lines += [f"{key} = {' '.join(map(str, values))}" for key, values in numbers.items()]
    lines += ["ElementType = MET_SHORT", f"ElementDataFile = {path.stem}.raw", ""]
    path.write_text("\n".join(lines))
    slices.astype("<i2").tofile(path.with_suffix(".raw"))
    return path


def write_chests(root: Path, *, shape: tuple[int, int, int] = (44, 64, 80), spacing: float = 2.0) -> Path:
    """Write chests with two lungs and a nodule or two in the contest's layout: five train, one tests.

    The third patient has no nodule; diameters are 8 to 16 mm, and a vessel runs through each lung. Those that
    train have masks of their nodules, but for the fourth.
    """
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * spacing  # z, y, x
    centre, origin = np.array(shape) * spacing / 2, np.array([-300.0, -50.0, -80.0])  # z, y, x
    rows = ["seriesuid,coordX,coordY,coordZ,diameter_mm"]
    for patient in range(6):
        name = f"LKDS-{patient + 1:05d}" if patient < 5 else "LKDS-00801"
        mask = np.zeros(shape, np.uint8)
        hu = np.where((((grid - centre) / (1000, 56, 72)) ** 2).sum(-1) < 1, 40.0, -1000.0)
        for side in (-1, 1):
            middle = centre + np.array((0, 0, side * 34))
            hu[(((grid - middle) / (38, 40, 26)) ** 2).sum(-1) < 1] = -850
            vessel = ((grid - middle)[..., 1:] ** 2).sum(-1) < 2.5**2
            hu[vessel & (np.abs(grid - middle)[..., 0] < 30)] = 30
            if patient == 2 or (side == 1 and patient % 2):
                continue
            point = middle + rng.uniform(-10, 10, 3) + (0, 14, 0)
            diameter = float(rng.uniform(8, 16))
            mask[((grid - point) ** 2).sum(-1) < (diameter / 2) ** 2] = 1 + mask.max()
            world = ",".join(f"{value:.3f}" for value in (point + origin)[::-1])
            rows.append(f"{name},{world},{diameter:.3f}")
        hu[mask > 0] = 30
        hu = (hu + rng.normal(0, 15, shape)).clip(-1024, 3071).astype(np.int16)
        folder = root / ("train" if patient < 5 else "test")
        write_mhd(folder / f"{name}.mhd", hu, spacing=(spacing,) * 3, origin=tuple(origin[::-1]))
        if patient not in (3, 5):
            affine = np.diag([-spacing, -spacing, spacing, 1])
            affine[:3, 3] = origin[::-1] * (-1, -1, 1)
            (root / "masks").mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(mask.T, affine), root / "masks" / f"{name}.nii.gz")
    (root / "annotations.csv").write_text("\n".join(rows) + "\n")
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


# what makes the fixtures' networks small, by bundle
SMALL = {
    "oct_edema": {},
    "ich": {"network_def#backbone": "resnet18"},
    "kidney_vasculature": {"width": 4},
    "lung_nodule": TINY_NETWORK,
}


def write_small_bundle(folder: Path, name: str, model_dir: Path) -> Path:
    """Copy a bundle with its code left in the repository, a small network and a trained model of that size.

    Args:
        folder: where the bundle's folder is written.
        name: the bundle.
        model_dir: of a fixture: its "models" folder.
    """
    bundle = folder / name
    for part in ("configs", "docs", "LICENSE"):
        source = ROOT / "bundles" / name / part
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, _parent_of(bundle / part))
    for file in ("train.json", "inference.json"):
        config = json.loads((bundle / "configs" / file).read_text(encoding="utf-8"))
        for key, value in SMALL[name].items():
            *parents, last = key.split("#")
            node = config
            for parent in parents:
                node = node[parent]
            node[last] = value
        (bundle / "configs" / file).write_text(json.dumps(config, indent=4), encoding="utf-8")
    shutil.copytree(model_dir, bundle / "models", ignore=shutil.ignore_patterns("last.pt"))
    return bundle


def _parent_of(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
