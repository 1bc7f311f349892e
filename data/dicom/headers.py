# SPDX-License-Identifier: Apache-2.0
"""One DICOM file's header: the numbers and technical terms that a series is judged by, nothing else."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from os import PathLike
from typing import BinaryIO

import pydicom
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from ...utils import InputError
from .attributes import decimals_of, integer_of, text_of, uid_of
from .quiet import quiet

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_MAGIC_AT = 128
_ENCRYPTED = (b"Salted__", b"-----BEGIN PGP", b"age-encryption.org")


_DECIMALS = {  # keyword: number of values
    "ImagePositionPatient": 3,
    "ImageOrientationPatient": 6,
    "PixelSpacing": 2,
    "SliceThickness": 1,
    "GantryDetectorTilt": 1,
    "RescaleSlope": 1,
    "RescaleIntercept": 1,
}
_INTEGERS = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "SamplesPerPixel"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "NumberOfFrames", "InstanceNumber"),
)
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "FrameOfReferenceUID")
_TEXTS = (
    *("PatientID", "Modality", "ImageType", "ConvolutionKernel", "BodyPartExamined", "RescaleType"),
    *("ContrastBolusAgent", "LossyImageCompression"),
)
_TAGS = [Tag(keyword) for keyword in (*_DECIMALS, *_INTEGERS, *_UIDS, *_TEXTS)]


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """What is kept of one file's header. Lengths in mm, angles in degrees; None or "" where absent.

    ``bad`` names attributes that are there but hold no finite number, ``long`` those written with more
    characters than the standard allows. ``missing_bytes`` counts pixel bytes that the file is short of.
    ``patient`` is :func:`patient_key`, "" where there is no PatientID. No name, identifier, date or
    description is kept.
    """

    path: str
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    frame_uid: str
    transfer_syntax: str
    patient: str
    modality: str
    image_type: tuple[str, ...]
    kernel: str
    body_part: str
    rescale_type: str
    contrast: bool
    lossy: bool
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    thickness: float | None
    tilt: float | None
    slope: float | None
    intercept: float | None
    rows: int | None
    columns: int | None
    bits_stored: int
    signed: bool
    samples: int
    frames: int
    padding: tuple[int, int] | None
    instance_number: int | None
    bad: tuple[str, ...]
    long: tuple[str, ...]
    missing_bytes: int


def patient_key(patient_id: str) -> str:
    """Hash a PatientID to 12 hexadecimal digits, to keep one patient's studies in one split.

    For use in memory only: identifiers are few enough to be found again from their hash, so never write it
    to a file that leaves the hospital.
    """
    return hashlib.blake2s(patient_id.strip().encode(), person=b"patient").hexdigest()[:12]


def has_dicom_magic(path: str | PathLike) -> bool:
    """Say whether a file carries DICOM's mark (``DICM`` after 128 bytes); False where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return stream.read(_MAGIC_AT + 4)[_MAGIC_AT:] == b"DICM"
    except OSError:
        return False


def read_header(path: str | PathLike) -> SliceHeader | None:
    """Read one file's header, without its pixels.

    Returns:
        None for a file that does not claim to be a DICOM object: no mark and no ending of DICOM, a DICOMDIR.

    Raises:
        InputError: a DICOM file that cannot be read, encrypted as a whole, or not DICOM despite its ending.
    """
    path = os.fspath(path)
    if os.path.basename(path).upper() == "DICOMDIR":
        return None
    try:
        with quiet(), open(path, "rb") as stream:
            start = stream.read(_MAGIC_AT + 4)
            if start[_MAGIC_AT:] != b"DICM":
                return _no_dicom(path, start)
            stream.seek(0)
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=_TAGS)
            if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == MediaStorageDirectoryStorage:
                return None
            return _to_header(path, dataset, _bytes_after(stream))
    except InputError:
        raise
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise InputError(problem, path=path, remedy="check the disk and that you may read it") from error
    except Exception as error:  # a damaged header fails in as many ways as it has attributes
        raise InputError(  # the error's own text may quote what lies behind a damaged length
            f"cannot be read as DICOM ({type(error).__name__})",
            path=path,
            remedy="the file is damaged or cut off: export or copy it again",
        ) from None


def _no_dicom(path: str, start: bytes) -> None:
    if not path.lower().endswith(DICOM_SUFFIXES):
        return
    if start.startswith(_ENCRYPTED):
        raise InputError("the file is encrypted", path=path, remedy="decrypt it or export it again")
    raise InputError(
        "not a DICOM file despite its name (encrypted, damaged or without the DICM mark)",
        path=path,
        remedy="export or copy it again",
    )


def _bytes_after(stream: BinaryIO) -> int:
    """Count the bytes from where the reader stopped, which is the pixel data's element."""
    here = stream.tell()
    return stream.seek(0, os.SEEK_END) - here


def _to_header(path: str, dataset: pydicom.Dataset, rest: int) -> SliceHeader:
    text = {keyword: text_of(dataset, keyword) for keyword in _TEXTS}
    text |= {keyword: uid_of(dataset, keyword) for keyword in _UIDS}
    bad: list[str] = []
    long: list[str] = []
    decimal = {key: decimals_of(dataset, key, size, bad, long) for key, size in _DECIMALS.items()}
    number = {keyword: integer_of(dataset, keyword, bad) for keyword in _INTEGERS}
    single = {key: values[0] if values else None for key, values in decimal.items()}
    syntax = uid_of(dataset.file_meta, "TransferSyntaxUID")
    return SliceHeader(
        path=path,
        study_uid=text["StudyInstanceUID"],
        series_uid=text["SeriesInstanceUID"],
        sop_uid=text["SOPInstanceUID"],
        sop_class=text["SOPClassUID"],
        frame_uid=text["FrameOfReferenceUID"],
        transfer_syntax=syntax,
        patient=patient_key(text["PatientID"]) if text["PatientID"] else "",
        modality=text["Modality"].upper(),
        image_type=tuple(part.strip().upper() for part in text["ImageType"].split("\\")),
        kernel=text["ConvolutionKernel"],
        body_part=text["BodyPartExamined"].upper(),
        rescale_type=text["RescaleType"].upper(),
        contrast=bool(text["ContrastBolusAgent"]),
        lossy=text["LossyImageCompression"] == "01",
        position=decimal["ImagePositionPatient"],
        orientation=decimal["ImageOrientationPatient"],
        pixel_spacing=decimal["PixelSpacing"],
        thickness=single["SliceThickness"] or None,  # some makers write 0 for unknown
        tilt=single["GantryDetectorTilt"],
        slope=single["RescaleSlope"],
        intercept=single["RescaleIntercept"],
        rows=number["Rows"],
        columns=number["Columns"],
        bits_stored=number["BitsStored"] or 16,
        signed=number["PixelRepresentation"] == 1,
        samples=number["SamplesPerPixel"] or 1,
        frames=number["NumberOfFrames"] or 1,
        padding=_padding(number),
        instance_number=number["InstanceNumber"],
        bad=tuple(bad),
        long=tuple(long),
        missing_bytes=_missing_bytes(number, syntax, rest),
    )


def _padding(number: dict[str, int | None]) -> tuple[int, int] | None:
    """Return the lowest and highest stored value that means "no data"."""
    value, limit = number["PixelPaddingValue"], number["PixelPaddingRangeLimit"]
    if value is None:
        return None
    ends = [value, value if limit is None else limit]
    signed, half = number["PixelRepresentation"] == 1, 1 << 15
    # Files often declare the value with the other sign than their pixels: 63536 for -2000.
    ends = [end - 2 * half if signed and end >= half else end for end in ends]
    ends = [end + 2 * half if not signed and end < 0 else end for end in ends]
    if not signed:  # the decoder clears unused high bits of pixels, so the value loses them too
        ends = [end % (1 << (number["BitsStored"] or 16)) for end in ends]
    return min(ends), max(ends)


def _missing_bytes(number: dict[str, int | None], syntax: str, rest: int) -> int:
    uid = UID(syntax)
    known = number["Rows"] and number["Columns"] and syntax and not uid.is_private
    if not known or not uid.is_transfer_syntax or uid == DeflatedExplicitVRLittleEndian or uid.is_compressed:
        return 0
    pixels = number["Rows"] * number["Columns"] * (number["SamplesPerPixel"] or 1)
    expected = pixels * (number["NumberOfFrames"] or 1) * (number["BitsAllocated"] or 16) // 8
    return max(0, expected + 8 - rest)  # 8: tag and length of the element, at least
