# SPDX-License-Identifier: Apache-2.0
"""A small set of chest phantoms on disk: MetaImages, tables as in LUNA16 and Tianchi, a DICOM series."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset

from ...utils import InputError
from ...utils.world import RAS_TO_LPS
from .chest import ChestPhantom, Nodule, chest_phantom
from .dicom_series import write_dicom_series
from .metaimage import file_affine, write_metaimage

ANNOTATION_HEADER = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")
_FIRST_NUMBER = {"train": 1, "test": 801}  # Tianchi's training scans are 1 to 800
_COUNTS = (4, 5, 3, 4, 6, 3, 5, 4, 2, 6)  # of nodules, over and over
_ALIGNED = 1  # NIfTI's code for coordinates of another scan


@dataclass(frozen=True)
class Patient:
    """One scan to be made.

    Attributes:
        name: "LKDS-00001" and so on.
        seed: of the phantom.
        nodules: how many.
    """

    name: str
    seed: int
    nodules: int


def write_lung_sample(
    root: str | PathLike,
    *,
    seed: int = 0,
    scale: float = 0.6,
    patients: tuple[int, int] = (14, 4),
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.25),
    nodules: int | None = None,
    dicom_cases: int = 1,
) -> None:
    """Write training and test scans as the contest laid them out, and further ones as DICOM.

    ``train/LKDS-00001.mhd`` with its ``.zraw`` and so on, ``test/LKDS-00801.mhd`` and so on;
    ``annotations.csv`` with seriesuid,coordX,coordY,coordZ,diameter_mm of all scans (world, LPS mm) and
    ``annotations_excluded.csv`` likewise, diameter -1 where unknown; ``masks/<seriesuid>.nii.gz`` of the
    training scans, uint8, every nodule with its own number (0: none). ``dicom/case_<n>/*.dcm`` are further
    patients, and ``dicom/case_<n>.csv`` holds their nodules under the SeriesInstanceUID.

    Two to six nodules a scan, about four on average, because the set is small; the contest had 1.6. The last
    scan of both sets has none, where a set has more than one. Chests are small (``scale``), nodules are not.

    The sample is built in a temporary folder beside ``root`` and renamed at the end: whole or not there.

    Args:
        root: the folder to make; it may exist if it is empty.
        seed: 0 or more; the same seed gives the same scans.
        scale: size of the chests, 1 is an adult.
        patients: how many scans for training and test, each 1 or more.
        spacing_mm: voxel size: rows, columns, slices.
        nodules: of every scan with any; None for two to six.
        dicom_cases: how many further patients to write as DICOM, 0 for none.

    Raises:
        InputError: ``root`` is not an empty or new folder, or the numbers make no sample.
    """
    root = Path(root)
    _check(seed, patients, nodules, dicom_cases)
    _check_free(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    sets = plan(seed, (*patients, dicom_cases), nodules=nodules)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".partial-") as temporary:
        sample = Path(temporary) / "sample"
        _write_scans(sample, dict(zip(("train", "test"), sets[:2], strict=True)), scale, spacing_mm)
        for number, patient in enumerate(sets[2], start=1):
            _write_dicom(sample / "dicom" / f"case_{number}", patient, scale, spacing_mm)
        _check_free(root)  # somebody else may have been faster
        if root.exists():
            root.rmdir()  # an empty folder stops the renaming on some systems
        sample.rename(root)


def plan(seed: int, counts: tuple[int, int, int], *, nodules: int | None = None) -> list[list[Patient]]:
    """Name the scans of the training, test and DICOM sets, and say how many nodules each has."""
    sets, made = [], 0
    for name, count in zip(("train", "test", "dicom"), counts, strict=True):
        first = _FIRST_NUMBER.get(name, 901)
        members = []
        for index in range(count):
            wanted = _COUNTS[(made + index) % len(_COUNTS)] if nodules is None else nodules
            empty = name != "dicom" and count > 1 and index == count - 1
            number = first + index
            members.append(Patient(f"LKDS-{number:05d}", seed * 2**16 + number, 0 if empty else wanted))
        made += count
        sets.append(members)
    return sets


def _write_scans(
    sample: Path, sets: dict[str, list[Patient]], scale: float, spacing_mm: tuple[float, float, float]
) -> None:
    found: list[list] = []
    excluded: list[list] = []
    for name, members in sets.items():
        for patient in members:
            scan = chest_phantom(patient.seed, spacing_mm=spacing_mm, scale=scale, nodules=patient.nodules)
            path = sample / name / f"{patient.name}.mhd"
            # not needed one by one, the whole sample is atomic, but the writers do so anyway
            write_metaimage(path, np.moveaxis(scan.hu, -1, 0), file_affine(scan.affine))
            if name == "train":
                _write_mask(sample / "masks" / f"{patient.name}.nii.gz", scan)
            found += _rows(patient.name, scan.nodules)
            excluded += _rows(patient.name, scan.excluded)
    _write_table(sample / "annotations.csv", found)
    _write_table(sample / "annotations_excluded.csv", excluded)


def _write_mask(path: Path, scan: ChestPhantom) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(np.swapaxes(scan.nodule_labels, 0, 1), file_affine(scan.affine))
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, _ALIGNED)
    image.set_qform(image.affine, _ALIGNED)
    nib.save(image, path)


def _write_dicom(
    folder: Path, patient: Patient, scale: float, spacing_mm: tuple[float, float, float]
) -> None:
    thick = max(spacing_mm[2], 1.0) * 1.4  # coarser slices: about 100 files
    spacing = (*spacing_mm[:2], thick)
    scan = chest_phantom(patient.seed, spacing_mm=spacing, scale=scale, nodules=patient.nodules)
    first = RAS_TO_LPS @ scan.affine[:3, 3]
    series: set[str] = set()

    def place(data: Dataset, index: int) -> None:
        data.ImagePositionPatient = [f"{v:.4f}" for v in (*first[:2], first[2] + index * thick)]
        data.SliceLocation = f"{first[2] + index * thick:.4f}"
        data.StudyDescription, data.BodyPartExamined = "Chest CT (simulated)", "CHEST"
        data.ManufacturerModelName, data.WindowCenter, data.WindowWidth = "chest phantom", "-600", "1500"
        series.add(str(data.SeriesInstanceUID))

    write_dicom_series(
        folder,
        scan.hu,
        spacing_mm=spacing,
        study=patient.name,
        patient=patient.name,
        kernel="B50f",
        description=f"Chest {thick:.2f} B50f",
        edit=place,
    )
    _write_table(folder.with_suffix(".csv"), _rows(series.pop(), scan.nodules))


def _rows(name: str, nodules: list[Nodule]) -> list[list]:
    return [[name, *nodule.row] for nodule in nodules]


def _write_table(path: Path, rows: list[list]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([ANNOTATION_HEADER, *rows])


def _check(seed: int, patients: tuple[int, int], nodules: int | None, dicom_cases: int) -> None:
    if seed < 0:
        raise InputError(f"seed {seed} of the sample is negative", remedy="give 0 or more")
    if len(patients) != 2 or min(patients) < 1:
        raise InputError(f"patients={tuple(patients)}", remedy="give 1 or more for training and test")
    if nodules is not None and nodules < 1:
        raise InputError(f"nodules={nodules}", remedy="give 1 or more, or None")
    if dicom_cases < 0:
        raise InputError(f"dicom_cases={dicom_cases} is negative", remedy="give 0 or more")


def _check_free(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError("exists already and is not empty", path=root, remedy="remove it or name another")
