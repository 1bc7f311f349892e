# SPDX-License-Identifier: Apache-2.0
"""Write a CT volume as a series of DICOM files, as a scanner would."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from ...utils import InputError, atomic_path

INTERCEPT = -1024
_LOWEST, _HIGHEST = -1024, 3071  # what 12 bits hold with this intercept


def write_dicom_series(
    folder: str | PathLike,
    hu: np.ndarray,
    *,
    spacing_mm: tuple[float, float, float],
    study: str = "study",
    series: str = "series",
    patient: str = "HEAD",
    tilt_deg: float = 0.0,
    kernel: str = "H31s",
    description: str = "Head 5.0 H31s",
    signed: bool = False,
    edit: Callable[[Dataset, int], None] | None = None,
) -> list[str]:
    """Write one axial CT series, one file a slice, and say which UID each slice got.

    CT Image Storage, Explicit VR Little Endian, slope 1, intercept -1024. UIDs come from the names alone, so
    the same call writes the same bytes. File names do not sort in slice order, as on most archives. With a
    tilted gantry the table still moves along its own axis: orientation and positions say so, and the rows
    given here are taken as lying in the tilted plane.

    Args:
        folder: made if absent.
        hu: (rows, columns, slices) in HU, -1024 to 3071; rows run to the back, columns to the patient's
            left, slices from the feet to the head.
        spacing_mm: between rows, columns and, along the normal, slices.
        study: names the study; the same name gives the same StudyInstanceUID.
        series: names the series within the study.
        patient: the patient's number, the part of the invented name after "PHANTOM^".
        tilt_deg: gantry tilt in degrees, -45 to 45.
        kernel: ConvolutionKernel.
        description: SeriesDescription.
        signed: store signed 16 bits (PixelRepresentation 1) instead of unsigned 12.
        edit: called with every dataset and its slice number before it is written, to plant faults in tests.

    Returns:
        SOPInstanceUID of every slice, in the order of ``hu``.

    Raises:
        InputError: an array of another shape, HU out of range, a spacing that is not positive, or a tilt
            beyond 45 degrees.
    """
    hu = np.asarray(hu)
    _check(hu, spacing_mm, tilt_deg)
    uids = []
    for index in range(hu.shape[-1]):
        data = _shared(study, series, patient, kernel, description)
        _place(data, index, hu.shape, spacing_mm, tilt_deg)
        _store(data, hu[..., index], signed=signed)
        data.SOPInstanceUID = _uid(study, series, "instance", str(index))
        data.InstanceNumber = index + 1
        uids.append(str(data.SOPInstanceUID))
        if edit is not None:
            edit(data, index)
        _write(Path(folder) / f"{hashlib.sha256(uids[-1].encode()).hexdigest()[:12]}.dcm", data)
    return uids


def _shared(study: str, series: str, patient: str, kernel: str, description: str) -> Dataset:
    """What all files of a series have in common."""
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 100"
    data.SOPClassUID = CTImageStorage
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.StudyInstanceUID = _uid(study)
    data.SeriesInstanceUID = _uid(study, series)
    data.FrameOfReferenceUID = _uid(study, "frame of reference")
    data.PatientName, data.PatientID = f"PHANTOM^{patient}", patient
    data.PatientBirthDate, data.PatientSex = "", ""
    data.StudyDate = data.SeriesDate = data.ContentDate = data.AcquisitionDate = "20200101"
    data.StudyTime = data.SeriesTime = data.ContentTime = data.AcquisitionTime = "120000"
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = "1", "", ""
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "CT", "tomobundles", "head phantom"
    data.SeriesNumber, data.AcquisitionNumber = 2, 1
    data.StudyDescription, data.SeriesDescription = "Head CT (simulated)", description
    data.BodyPartExamined, data.PatientPosition, data.Laterality = "HEAD", "HFS", ""
    data.KVP, data.ConvolutionKernel, data.PositionReferenceIndicator = "120", kernel, ""
    data.BurnedInAnnotation = "NO"
    return data


def _place(
    data: Dataset,
    index: int,
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    tilt_deg: float,
) -> None:
    """Position, orientation and spacing; the table moves along z, further than the slices lie apart."""
    cos, sin = float(np.cos(np.radians(tilt_deg))), float(np.sin(np.radians(tilt_deg)))
    rows, columns, thick = (float(s) for s in spacing_mm)
    across, down = (shape[1] - 1) / 2 * columns, (shape[0] - 1) / 2 * rows
    z = index * thick / cos
    data.ImageOrientationPatient = _decimals(1, 0, 0, 0, cos, sin)
    data.ImagePositionPatient = _decimals(-across, -down * cos, z - down * sin)
    data.PixelSpacing = _decimals(rows, columns)
    data.SliceThickness, data.SliceLocation = _decimals(thick, z)
    data.GantryDetectorTilt = _decimals(tilt_deg)[0]


def _store(data: Dataset, hu: np.ndarray, *, signed: bool) -> None:
    stored = np.rint(hu).astype(np.int32) - INTERCEPT
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = hu.shape
    data.BitsAllocated, data.BitsStored = 16, 16 if signed else 12
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(signed)
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = str(INTERCEPT), "1", "HU"
    data.WindowCenter, data.WindowWidth = "40", "80"
    data.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()


def _write(path: Path, data: Dataset) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with atomic_path(path) as temporary:
        whole = FileDataset(str(temporary), data, preamble=b"\0" * 128, file_meta=meta)
        whole.save_as(temporary, enforce_file_format=True)


def _uid(*names: str) -> str:
    return generate_uid(entropy_srcs=["tomobundles phantom", *names])


def _decimals(*values: float) -> list[str]:
    """Decimal strings of at most 16 characters; longer ones are dropped by some readers."""
    return [str(format_number_as_ds(round(float(value), 9) + 0.0)) for value in values]


def _check(hu: np.ndarray, spacing_mm: tuple[float, float, float], tilt_deg: float) -> None:
    if hu.ndim != 3 or not hu.size:
        raise InputError(f"array of shape {hu.shape}", remedy="give (rows, columns, slices)")
    if not np.isfinite(hu).all() or hu.min() < _LOWEST or hu.max() > _HIGHEST:
        raise InputError("HU that 12 bits cannot hold", remedy=f"clip to {_LOWEST} .. {_HIGHEST}")
    if len(spacing_mm) != 3 or min(spacing_mm) <= 0:
        raise InputError(f"spacing_mm={tuple(spacing_mm)}", remedy="give three positive numbers")
    if abs(tilt_deg) > 45:
        raise InputError(f"a gantry tilt of {tilt_deg} degrees", remedy="give -45 to 45")
