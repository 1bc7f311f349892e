# SPDX-License-Identifier: Apache-2.0
"""A picture of results as a DICOM Secondary Capture image of the study."""

from __future__ import annotations

from datetime import datetime
from os import PathLike
from pathlib import Path

import numpy as np
from highdicom.sc import SCImage

from ...utils import InputError
from .derived import MANUFACTURER, check_series_number, finish, read_sources, repeatable_uid


def write_secondary_capture(
    path: str | PathLike,
    *,
    pixels: np.ndarray,
    source_file: str | PathLike,
    series_number: int,
    description: str,
    created: datetime | None = None,
    identified: bool = False,
) -> Path:
    """Write a picture as a Secondary Capture image: same study, a series of its own.

    UIDs follow from the source, the picture and the description: the same call writes the same object.

    Args:
        path: DICOM file to write.
        pixels: (H, W) gray or (H, W, 3) RGB, uint8; it must show nothing that identifies the patient.
        source_file: one DICOM file of the study.
        series_number: number of the new series, 1 or more.
        description: description of the new series, at most 64 characters.
        created: date and time of the content, the present by default.
        identified: copy the patient's and the study's identity for the archive (PACS); empty by default.

    Returns:
        ``path``.

    Raises:
        InputError: pixels of the wrong form, a bad series number or description, or an unreadable source.
    """
    _check(pixels, series_number, description)
    [source] = read_sources([source_file]).values()
    key = (source.StudyInstanceUID, source.SeriesInstanceUID, series_number, description)
    image = SCImage(
        np.ascontiguousarray(pixels),
        photometric_interpretation="RGB" if pixels.ndim == 3 else "MONOCHROME2",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),
        study_instance_uid=source.StudyInstanceUID,
        series_instance_uid=repeatable_uid("capture series", *key),
        series_number=series_number,
        sop_instance_uid=repeatable_uid("capture", *key, pixels.shape, pixels.tobytes(), identified),
        instance_number=1,
        manufacturer=MANUFACTURER,
        series_description=description,
        specific_character_set="ISO_IR 192",
    )
    image.PatientOrientation = None  # highdicom asks for one, but a sheet of several pictures has none
    image.ConversionType = "WSD"  # made on a workstation
    image.BurnedInAnnotation = "NO"  # captions name classes and slices, not the patient
    return finish(path, image, source=source, created=created or _now(), identified=identified)


def _now() -> datetime:
    return datetime.now().replace(microsecond=0)


def _check(pixels: np.ndarray, series_number: int, description: str) -> None:
    gray_or_rgb = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not gray_or_rgb or not pixels.size or max(pixels.shape) > 65535:
        raise InputError(
            f"a Secondary Capture needs (H, W) or (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}"
        )
    check_series_number(series_number)
    if not 0 < len(description) <= 64:
        raise InputError(f"a series description has 1-64 characters, not {len(description)}")
