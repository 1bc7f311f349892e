# SPDX-License-Identifier: Apache-2.0
"""Synthetic CT series on disk, right ones and faulty ones."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY, SERIES = "1.2.3", "1.2.3.4"
ROWS, COLUMNS, DEPTH = 6, 5, 8
ROW_MM, COLUMN_MM, STEP_MM = 0.75, 0.5, 5.0


def expected_hu(depth: int = DEPTH) -> np.ndarray:
    """(ROWS, COLUMNS, depth): 100 slice + 10 row + column - 300."""
    rows, columns, slices = np.indices((ROWS, COLUMNS, depth))
    return 100 * slices + 10 * rows + columns - 300


def ct_slices(
    depth: int = DEPTH,
    *,
    series: str = SERIES,
    study: str = STUDY,
    patient: str = "MRN-4711",
    step_mm: float = STEP_MM,
    thickness_mm: float = 5.0,
    tilt_deg: float = 0.0,
    row: Sequence[float] = (1, 0, 0),
    column: Sequence[float] | None = None,
    kernel: str = "H31s",
    **changes: object,
) -> list[Dataset]:
    """Make slices with HU of ``expected_hu``, stored unsigned with intercept -1024; ``changes`` set elements.

    The gantry is tilted about the patient's left-right axis while the table moves along z.
    """
    angle = math.radians(tilt_deg)
    column = (0, math.cos(angle), -math.sin(angle)) if column is None else column
    normal = np.cross(row, column)
    way = normal * step_mm if not tilt_deg else np.array([0, 0, step_mm / math.cos(angle)])
    volume = expected_hu(depth)
    return [
        _slice(
            volume[..., index] + 1024,
            series=series,
            number=index + 1,
            values={
                "StudyInstanceUID": study,
                "PatientID": patient,
                "PatientName": "Doe^Jane",
                "SliceThickness": thickness_mm,
                "ConvolutionKernel": kernel,
                "ImagePositionPatient": [_short(v) for v in np.array([-60.0, -70.0, 12.5]) + index * way],
                "ImageOrientationPatient": [_short(v) for v in (*row, *column)],
                **changes,
            },
        )
        for index in range(depth)
    ]


def _short(value: float) -> str:
    return f"{value:.8f}"[:16]


def _slice(stored: np.ndarray, *, series: str, number: int, values: dict) -> Dataset:
    dataset = Dataset()
    standard = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{series}.{number}",
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": "1.2.3.99",
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SeriesDescription": "head of Jane",
        "StudyDate": "20240506",
        "BodyPartExamined": "HEAD",
        "InstanceNumber": number,
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelSpacing": [ROW_MM, COLUMN_MM],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
    }
    for keyword, value in (standard | values).items():
        setattr(dataset, keyword, value)
    dataset.PixelData = stored.astype("<u2").tobytes()
    return dataset


def set_raw(dataset: Dataset, keyword: str, value: str, vr: str = "DS") -> None:
    """Set an element to text that pydicom would not write."""
    data = value.encode() + b" " * (len(value) % 2)
    dataset[Tag(keyword)] = RawDataElement(Tag(keyword), vr, len(data), data, 0, False, True)


def set_stored(dataset: Dataset, stored: np.ndarray, **changes: object) -> None:
    """Replace the pixels by (rows, columns) integers, stored as they are in 16 bits."""
    dataset.PixelData = np.ascontiguousarray(stored).astype(np.int64).astype("<u2").tobytes()
    dataset.Rows, dataset.Columns = stored.shape
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)


def save(
    folder: Path,
    datasets: Sequence[Dataset],
    *,
    syntax: str = ExplicitVRLittleEndian,
    name: Callable[[int], str] = "{:03d}.dcm".format,
) -> Path:
    """Write datasets as files of one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, dataset in enumerate(datasets):
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2")
        file = folder / name(index)
        implicit = syntax == "1.2.840.10008.1.2"
        dataset.save_as(file, enforce_file_format=True, implicit_vr=implicit, little_endian=True)
    return folder


def digest(array: np.ndarray) -> str:
    """Identify an array's content, shape and order."""
    return hashlib.sha256(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes()).hexdigest()
