# SPDX-License-Identifier: Apache-2.0
"""A small set of retina phantoms on disk, in the layout of AI Challenger 2018 (retinal edema in OCT)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from ...utils import InputError
from .oct import KINDS, eye_volume

GREY = np.array([0, 255, 191, 128], np.uint8)  # of the classes 0..3 in the contest's label images
_FOLDERS = ("Edema_trainingset", "Edema_validationset", "Edema_testset")
# share of volumes with SRF and with PED in the contest: training, validation (its test labels are not public)
_SHARES = ((55 / 70, 29 / 70), (8 / 15, 6 / 15), (8 / 15, 6 / 15))
_NO_LESION = 0.1


@dataclass(frozen=True)
class Scan:
    """One volume to be made: its name in the contest's form, and the seeds and lesions of its phantom."""

    name: str
    patient: int
    eye: int
    nasal: int
    lesions: tuple[str, ...]


def write_oct_sample(
    root: str | PathLike,
    *,
    seed: int = 0,
    shape: tuple[int, int, int] = (192, 96, 16),
    volumes: tuple[int, int, int] = (24, 8, 8),
) -> None:
    """Write training, validation and test volumes as the contest laid them out.

    ``Edema_{training,validation,test}set/original_images/<name>.img/<k>.bmp`` and
    ``label_images/<name>_labelMark/<k>.bmp``, k = 1 .. slices, labels in greys 255/191/128; the validation
    set also has ``groundtruth/<name>_labelMark_volumes.npy``, uint8 (slices, rows, columns), values 0..3, and
    ``<name>_labelMark_detections.npy``, uint8 (slices, 3), presence of REA, SRF, PED. Unlike the contest's,
    this test set has labels. Most patients have a right and a left eye; no patient is in two sets.

    The sample is built in a temporary folder beside ``root`` and renamed at the end: whole or not there.

    Args:
        root: the folder to make; it may exist if it is empty.
        seed: 0 or more; the same seed gives the same files.
        shape: (rows, columns, slices) of every volume, see ``retina_volume``.
        volumes: how many to write for training, validation and test, each 1 or more.

    Raises:
        InputError: ``root`` is not an empty or new folder, or the numbers make no sample.
    """
    root = Path(root)
    if len(volumes) != 3 or min(volumes) < 1:
        raise InputError(f"volumes={tuple(volumes)}", remedy="give 1 or more for training, validation, test")
    if seed < 0:
        raise InputError(f"seed {seed} of the sample is negative", remedy="give 0 or more")
    _check_free(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".partial-") as temporary:
        sample = Path(temporary) / "sample"
        for folder, scans in zip(_FOLDERS, plan(seed, shape, volumes), strict=True):
            for scan in scans:
                _write_scan(sample / folder, scan, shape, groundtruth=folder == "Edema_validationset")
        _check_free(root)  # somebody else may have been faster
        if root.exists():
            root.rmdir()  # an empty folder stops the renaming on some systems
        sample.rename(root)


def plan(seed: int, shape: tuple[int, int, int], volumes: tuple[int, int, int]) -> list[list[Scan]]:
    """Name the patients, eyes and lesions of the three sets.

    Lesions are handed out by count, not by chance, so that small sets have the contest's shares too: one
    volume in ten has none (the contest's all had REA), the others have REA, and SRF and PED are as frequent
    as in its lists.

    Args:
        seed: seed of the sample.
        shape: (rows, columns, slices); a part of the names.
        volumes: how many for training, validation and test.
    """
    rng = np.random.default_rng([seed, 2])
    numbers = iter(1 + rng.permutation(9998))
    return [list(_plan_set(rng, seed, shape, n, s, numbers)) for n, s in zip(volumes, _SHARES, strict=True)]


def _plan_set(
    rng: np.random.Generator,
    seed: int,
    shape: tuple[int, int, int],
    count: int,
    shares: tuple[float, float],
    numbers: Iterator[int],
) -> Iterator[Scan]:
    lesions = iter(_hand_out(rng, count, shares))
    left = count
    while left:
        patient = int(next(numbers))
        both = left > 1 and rng.random() < 0.85
        date = f"{rng.integers(1, 13)}-{rng.integers(1, 29)}-{rng.integers(2012, 2017)}"
        serial = rng.integers(1000, 10000)
        for side in ("OD", "OS") if both else (str(rng.choice(["OD", "OS"])),):
            time = f"{rng.integers(8, 18):02}-{rng.integers(60):02}-{rng.integers(60):02}"
            cube = f"MacularCube{shape[1]}x{shape[2]}"
            name = f"P{patient:04}_{cube}_{date}_{time}_{side}_sn{serial}_cube_z"
            nasal = 1 if side == "OD" else -1
            yield Scan(name, seed * 10_000 + patient, int(side == "OS"), nasal, next(lesions))
            left -= 1


def _hand_out(rng: np.random.Generator, count: int, shares: tuple[float, float]) -> list[tuple[str, ...]]:
    """The lesions of ``count`` volumes, in random order."""
    none = round(count * _NO_LESION)
    sick = count - none
    has = np.zeros((sick, 3), bool)
    has[:, 0] = True
    for column, share in enumerate(shares, start=1):
        has[rng.permutation(sick)[: min(sick, max(1, round(count * share)))], column] = True
    sets = [tuple(kind for kind, flag in zip(KINDS, row, strict=True) if flag) for row in has] + [()] * none
    return [sets[i] for i in rng.permutation(count)]


def _write_scan(folder: Path, scan: Scan, shape: tuple[int, int, int], *, groundtruth: bool) -> None:
    image, label = eye_volume(
        shape=shape, patient=scan.patient, eye=scan.eye, nasal=scan.nasal, lesions=scan.lesions
    )
    mark = f"{scan.name}_labelMark"
    _write_slices(folder / "original_images" / f"{scan.name}.img", image)
    _write_slices(folder / "label_images" / mark, GREY[label])
    if groundtruth:
        truth = folder / "groundtruth"
        truth.mkdir(exist_ok=True)
        stack = np.moveaxis(label, -1, 0)
        presence = np.stack([(stack == c).any((1, 2)) for c in (1, 2, 3)], 1).astype(np.uint8)
        np.save(truth / f"{mark}_volumes.npy", stack, allow_pickle=False)
        np.save(truth / f"{mark}_detections.npy", presence, allow_pickle=False)


def _write_slices(folder: Path, volume: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for k in range(volume.shape[-1]):
        # not atomic one by one: the whole sample is
        Image.fromarray(np.ascontiguousarray(volume[..., k])).save(folder / f"{k + 1}.bmp")


def _check_free(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError("exists already and is not empty", path=root, remedy="remove it or name another")
