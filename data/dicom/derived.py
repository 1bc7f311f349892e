# SPDX-License-Identifier: Apache-2.0
"""What DICOM objects made from a study share: its UIDs, the patient left out, dates and UIDs that repeat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pydicom.valuerep import DA, DT, TM

from ...utils import InputError, atomic_path

MANUFACTURER = "tomobundles"
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate")
_IDENTITY = (*_PATIENT, "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber")
_SECRETS = (
    *(*_PATIENT, "StudyDate", "StudyID", "AccessionNumber"),
    *("OtherPatientIDs", "PatientAddress", "ReferringPhysicianName", "InstitutionName"),
)


def read_sources(files: Sequence[str | PathLike]) -> dict[str, Dataset]:
    """Read the headers of a study's files, without pixels.

    Args:
        files: DICOM files of one study.

    Returns:
        SOPInstanceUID -> header (UIDs and identity), in the order of ``files``.

    Raises:
        InputError: no files, an unreadable file, a missing UID, a UID twice, or files of several studies.
    """
    if not files:
        raise InputError("no DICOM source files", remedy="Give the files of the study that was read.")
    sources: dict[str, Dataset] = {}
    for file in files:
        header = _read_header(file)
        if header.SOPInstanceUID in sources:
            raise InputError(f"SOPInstanceUID {header.SOPInstanceUID} comes twice", path=file)
        sources[str(header.SOPInstanceUID)] = header
    if len({header.StudyInstanceUID for header in sources.values()}) > 1:
        raise InputError("the source files are of several studies", path=Path(files[0]).parent)
    return sources


def _read_header(file: str | PathLike) -> Dataset:
    try:
        header = dcmread(file, stop_before_pixels=True, specific_tags=[*_UIDS, *_IDENTITY, *_SECRETS])
        missing = [name for name in _UIDS if not header.get(name)]
    except Exception as error:  # pydicom raises many kinds for damaged files
        raise InputError("not a readable DICOM file", path=file) from error
    if missing:
        raise InputError(f"the DICOM header has no {missing[0]}", path=file)
    return header


def without_patient(source: Dataset) -> Dataset:
    """Make a header that holds the UIDs of ``source`` and an empty patient, so that no more can be copied."""
    bare = Dataset()
    for name in _UIDS:
        setattr(bare, name, source[name].value)
    for name in _IDENTITY:
        setattr(bare, name, None if name.endswith(("Date", "Time")) else "")
    return bare


def check_series_number(number: int) -> None:
    """Refuse a series number that DICOM has no room for."""
    if not 1 <= number < 2**31:
        raise InputError(f"a series number is 1 to {2**31 - 1}, not {number}")


def repeatable_uid(*parts: object) -> str:
    """Make a UID that is the same for the same ``parts`` (hashed, so the parts cannot be read from it)."""
    return str(generate_uid(entropy_srcs=[repr(parts)]))


def redact(text: str, *, files: Sequence[str | PathLike], sources: dict[str, Dataset]) -> str:
    """Replace paths, names of source files and the patient's identifiers in free text by ``[removed]``.

    Words of one or two characters stay: replacing them would destroy numbers and hide nothing.
    """
    paths = [Path(file) for file in files]
    words = {word for path in paths for word in (str(path), path.name, path.stem)} - set(sources)
    for header in sources.values():
        for value in (str(header.get(name) or "") for name in _SECRETS):
            words |= {value, *re.split(r"[\^=\\,\s]+", value)}
    folders = {part for path in paths for part in path.parent.parts}
    secret = [rf"(?<!\w){re.escape(word)}(?!\w)" for word in _longest_first(words)]
    below = [rf"\S*{re.escape(folder)}/\S*" for folder in _longest_first(folders)]
    pattern = "|".join([*secret, *below, r"\S*\\\S*", r"(?<!\w)/\S+"])
    return re.sub(pattern, "[removed]", text, flags=re.IGNORECASE)


def _longest_first(words: set[str]) -> list[str]:
    return sorted((word for word in words if len(word) > 2), key=lambda word: (-len(word), word))


def finish(
    path: str | PathLike, dataset: Dataset, *, source: Dataset, created: datetime, identified: bool
) -> Path:
    """Set the dates, the identity where asked for, and write the file.

    highdicom stamps several elements with the clock; all are set to ``created``, so that files repeat.

    Args:
        path: DICOM file to write.
        dataset: the object, made by highdicom.
        source: header of a source file, the origin of the identity.
        created: date and time of the content.
        identified: copy the patient's name, ID, birth date, sex and the study's date, time, ID and accession
            number; otherwise they are left empty.

    Returns:
        ``path``.
    """
    for name in ("InstanceCreation{}", "Content{}", "{}OfSecondaryCapture"):
        if name.format("Date") in dataset:
            setattr(dataset, name.format("Date"), DA(created.date()))
            setattr(dataset, name.format("Time"), TM(created.time()))
    for item in dataset.ContributingEquipmentSequence:
        item.ContributionDateTime = DT(created)
    if identified:
        for name in _IDENTITY:
            # str: a name is decoded by the source's character set and encoded anew by the object's
            setattr(dataset, name, str(source.get(name) or ""))
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return Path(path)
