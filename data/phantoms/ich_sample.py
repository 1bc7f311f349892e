# SPDX-License-Identifier: Apache-2.0
"""A small set of head phantoms on disk: the contest's folders of JPGs, and a few DICOM studies."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from ...utils import InputError
from .dicom_series import write_dicom_series
from .head import HeadPhantom, head_volume
from .head_bleeds import CLASSES

CONTEST_HEADER = ("dirname", "ID", "ich", "ivh", "sah", "sdh", "edh")
SHARES = (0.54, 0.34, 0.37, 0.40, 0.14)  # of the contest's patients, all of whom bleed; order of CLASSES
NORMAL = 1 / 3  # share of patients without any bleed
_SCAN_MM = 145.0
_WINDOW = (0.0, 80.0)  # brain window, level 40 width 80
_TILT_DEG = 15.0


@dataclass(frozen=True)
class Patient:
    """One patient to be made.

    Attributes:
        name: eight hexadecimal digits.
        seed: of the phantom.
        bleeds: classes of bleed, none for a normal patient.
        slices: number of slices.
        slice_mm: their thickness.
    """

    name: str
    seed: int
    bleeds: tuple[str, ...]
    slices: int
    slice_mm: float


def write_ich_sample(
    root: str | PathLike,
    *,
    seed: int = 0,
    size: int = 128,
    patients: tuple[int, int] = (36, 12),
    slices: tuple[int, int] = (22, 40),
    dicom_studies: int = 2,
) -> None:
    """Write training and test patients as the contest laid them out, and further ones as DICOM.

    ``train/ID_<8 hex>/<8 hex>_<n>.jpg``, n = 0 .. slices - 1 from the skull base up, 8-bit gray in the brain
    window (level 40, width 80), and ``train.csv`` with ``dirname,ID,ich,ivh,sah,sdh,edh``: ID is the file's
    name and ``ich`` is IPH. ``test/`` and ``test.csv`` likewise; the contest's test set had no labels.
    ``dicom/study_<n>/*.dcm`` are further patients, every second one with a tilted gantry and signed pixels,
    and ``dicom/study_<n>.csv`` has a row for every slice: its SOPInstanceUID and the five classes.

    A third of the patients has no bleed, unlike in the contest, where practically all have one. Among the
    others the classes are as frequent as in its table.

    The sample is built in a temporary folder beside ``root`` and renamed at the end: whole or not there.

    Args:
        root: the folder to make; it may exist if it is empty.
        seed: 0 or more; the same seed gives the same files.
        size: rows and columns of a slice.
        patients: how many to write for training and test, each 1 or more.
        slices: fewest and most slices of a patient; thickness follows, so that each scan covers the head.
        dicom_studies: how many further patients to write as DICOM, 0 for none.

    Raises:
        InputError: ``root`` is not an empty or new folder, or the numbers make no sample.
    """
    root = Path(root)
    _check(seed, patients, slices, dicom_studies)
    _check_free(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    sets = plan(seed, (*patients, dicom_studies), slices)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".partial-") as temporary:
        sample = Path(temporary) / "sample"
        for name, members in zip(("train", "test"), sets[:2], strict=True):
            _write_set(sample, name, members, size)
        if dicom_studies:
            _write_studies(sample / "dicom", sets[2], size)
        _check_free(root)  # somebody else may have been faster
        if root.exists():
            root.rmdir()  # an empty folder stops the renaming on some systems
        sample.rename(root)


def plan(seed: int, counts: Iterable[int], slices: tuple[int, int]) -> list[list[Patient]]:
    """Name the patients of each set and hand out their bleeds.

    Bleeds are handed out by count, not by chance, so that small sets have the contest's shares too.

    Args:
        seed: seed of the sample.
        counts: number of patients of each set.
        slices: fewest and most slices.
    """
    rng = np.random.default_rng([seed, 5])
    numbers = iter(rng.permutation(2**20))
    sets = []
    for count in counts:
        bleeds = _hand_out(rng, count)
        members = []
        for kinds in bleeds:
            number = int(next(numbers))
            depth = int(rng.integers(slices[0], slices[1] + 1))
            thick = float(np.clip(round(4 * _SCAN_MM / depth) / 4, 3.5, 6.0))
            name = f"{(number << 12) + int(rng.integers(2**12)):08x}"
            members.append(Patient(name, seed * 2**20 + number, kinds, depth, thick))
        sets.append(members)
    return sets


def _hand_out(rng: np.random.Generator, count: int) -> list[tuple[str, ...]]:
    """The bleeds of ``count`` patients, in random order."""
    normal = round(count * NORMAL)
    sick = count - normal
    has = np.zeros((sick, len(CLASSES)), bool)
    for column, share in enumerate(SHARES):
        has[rng.permutation(sick)[: min(sick, max(1, round(sick * share)))], column] = True
    for row in np.flatnonzero(~has.any(1)):  # whoever got nothing takes one over from who has most
        giver = int(has.sum(1).argmax())
        column = int(rng.choice(np.flatnonzero(has[giver])))
        has[giver, column], has[row, column] = False, True
    sets = [tuple(kind for kind, flag in zip(CLASSES, row, strict=True) if flag) for row in has] + [
        ()
    ] * normal
    return [sets[i] for i in rng.permutation(count)]


def make_patient(patient: Patient, *, size: int, tilt_deg: float = 0.0) -> HeadPhantom:
    """The scan of one patient of a plan."""
    return head_volume(
        seed=patient.seed,
        bleeds=patient.bleeds,
        size=size,
        slices=patient.slices,
        slice_mm=patient.slice_mm,
        tilt_deg=tilt_deg,
    )


def _write_set(root: Path, name: str, members: list[Patient], size: int) -> None:
    rows = []
    for patient in members:
        folder = f"ID_{patient.name}"
        scan = make_patient(patient, size=size)
        (root / name / folder).mkdir(parents=True)
        for k in range(patient.slices):
            file = f"{patient.name}_{k}.jpg"
            # not atomic one by one: the whole sample is
            Image.fromarray(_grey(scan.hu[..., k])).save(root / name / folder / file, quality=95)
            rows.append([folder, file, *scan.presence[:5, k].tolist()])
    _write_table(root / f"{name}.csv", CONTEST_HEADER, rows)


def _write_studies(root: Path, members: list[Patient], size: int) -> None:
    for number, patient in enumerate(members, start=1):
        tilted = number % 2 == 0
        tilt_deg = _TILT_DEG if tilted else 0.0
        scan = make_patient(patient, size=size, tilt_deg=tilt_deg)
        uids = write_dicom_series(
            root / f"study_{number}",
            scan.hu,
            spacing_mm=scan.spacing,
            study=patient.name,
            patient=patient.name,
            tilt_deg=tilt_deg,
            signed=tilted,
            description=f"Head {patient.slice_mm:.2f} H31s",
        )
        rows = [[uid, *scan.presence[:5, k].tolist()] for k, uid in enumerate(uids)]
        _write_table(root / f"study_{number}.csv", ("slice", *CLASSES), rows)


def _write_table(path: Path, header: Iterable[str], rows: list[list]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _grey(hu: np.ndarray) -> np.ndarray:
    """The brain window as 8-bit gray."""
    low, high = _WINDOW
    share = (np.ascontiguousarray(hu, dtype=np.float32) - low) / (high - low)
    return np.rint(255 * share.clip(0, 1)).astype(np.uint8)


def _check(seed: int, patients: tuple[int, int], slices: tuple[int, int], dicom_studies: int) -> None:
    if seed < 0:
        raise InputError(f"seed {seed} of the sample is negative", remedy="give 0 or more")
    if len(patients) != 2 or min(patients) < 1:
        raise InputError(f"patients={tuple(patients)}", remedy="give 1 or more for training and test")
    if len(slices) != 2 or not 1 <= slices[0] <= slices[1]:
        raise InputError(f"slices={tuple(slices)}", remedy="give the fewest and the most, 1 or more")
    if dicom_studies < 0:
        raise InputError(f"dicom_studies={dicom_studies} is negative", remedy="give 0 or more")


def _check_free(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError("exists already and is not empty", path=root, remedy="remove it or name another")
