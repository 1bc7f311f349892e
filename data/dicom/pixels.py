# SPDX-License-Identifier: Apache-2.0
"""Stored pixels of one slice to Hounsfield units."""

from __future__ import annotations

import numpy as np
from pydicom import dcmread
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from ...utils import InputError
from .checks import missing_codec
from .findings import Finding
from .headers import SliceHeader
from .quiet import quiet

HU_MIN, HU_MAX = -1024, 3071  # the range of 12-bit CT; metal beyond it tells nothing here
_TISSUE_HU = (-200, 200)
_TWELVE_BIT = 1 << 12


def read_stored(header: SliceHeader) -> np.ndarray:
    """Decode one file's stored values, (rows, columns) integers.

    Raises:
        InputError: no decoder for the file's transfer syntax, damaged or absent pixels.
    """
    name = missing_codec(header.transfer_syntax)
    if name is not None:
        raise InputError(
            f"no decoder is installed for {name}",
            path=header.path,
            remedy='pip install "tomobundles[dicom]", or export the study uncompressed',
        )
    try:
        with quiet():
            stored = pixel_array(
                dcmread(header.path), raw=True
            )  # given a path, it cannot read deflated files
    except Exception as error:  # decoders of six libraries, each with errors of its own
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        hint = "damaged or cut off: export or copy it again"
        if UID(header.transfer_syntax).is_compressed:
            hint += ', or pip install "tomobundles[dicom]" for other decoders'
        raise InputError(f"pixels cannot be read: {reason}", path=header.path, remedy=hint) from error
    if stored.shape != (header.rows, header.columns):
        raise InputError(
            f"pixels of shape {stored.shape} where {header.rows} x {header.columns} are declared",
            path=header.path,
            remedy="the file is damaged: export it again",
        )
    return stored


def to_hounsfield(stored: np.ndarray, header: SliceHeader) -> tuple[np.ndarray, list[Finding]]:
    """Turn stored values into int16 Hounsfield units.

    HU = slope * stored + intercept, rounded, clamped to [-1024, 3071]; padding becomes -1024. Signed values
    that a file declares as unsigned (12 bits, PixelRepresentation 0, intercept above -100; known from the
    RSNA 2019 haemorrhage data) are unwrapped: stored + 1000, minus 4096 from there on, intercept -1000.

    Args:
        stored: (rows, columns) integers.
        header: the slice's header, with slope and intercept; a modality without them keeps its values.

    Returns:
        hu: (rows, columns) int16.
        notes: findings about this slice's values.

    Raises:
        InputError: nothing but padding, or one value everywhere.
    """
    slope, intercept = header.slope or 1.0, header.intercept or 0.0
    notes = []
    padded = np.zeros(stored.shape, dtype=bool)
    if header.padding is not None:
        low, high = header.padding
        padded = (stored >= low) & (stored <= high)
        notes += _padding_notes(padded, header, slope, intercept)
    values = stored.astype(np.float32)
    if header.modality == "CT" and _declared_unsigned(header, slope, intercept):
        wrapped = values >= _TWELVE_BIT - 1000
        if wrapped.any():
            notes.append(Finding("unsigned_stored", "signed values declared as unsigned; corrected"))
        values, intercept = np.where(wrapped, values + 1000 - _TWELVE_BIT, values + 1000), -1000.0
    values = np.rint(values * np.float32(slope) + np.float32(intercept))
    values[padded] = HU_MIN
    hu = np.clip(values, HU_MIN, HU_MAX).astype(np.int16)
    if hu.min() == hu.max():
        what = "nothing but padding" if padded.all() else f"one value ({hu.flat[0]} HU) everywhere"
        raise InputError(
            f"slice holds {what}", path=header.path, remedy="remove it from the study, or export it again"
        )
    return hu, notes


def _declared_unsigned(header: SliceHeader, slope: float, intercept: float) -> bool:
    # With a slope other than 1 the offset of 1000 stored units would not be 1000 HU.
    return header.bits_stored == 12 and not header.signed and intercept > -100 and slope == 1


def _padding_notes(padded: np.ndarray, header: SliceHeader, slope: float, intercept: float) -> list[Finding]:
    hu = slope * header.padding[0] + intercept
    if padded.any() and _TISSUE_HU[0] < hu < _TISSUE_HU[1]:
        return [Finding("padding_like_tissue", f"PixelPaddingValue is also the value of {hu:.0f} HU")]
    return []
