# SPDX-License-Identifier: Apache-2.0
"""Search a folder for DICOM images and group them into series, from headers alone."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ...utils import InputError
from .build import build_series
from .findings import Finding
from .headers import SliceHeader, has_dicom_magic, read_header
from .series import Scan, Series

_SAME_COSINE = 0.005  # orientations nearer than about 0.3 degrees are one
_SAME_SPACING_MM = 0.001


def find_series(path: str | PathLike, *, files: Iterable[str | PathLike] | None = None) -> Scan:
    """Search a folder and everything below it for DICOM images, reading headers only.

    A group has one StudyInstanceUID, SeriesInstanceUID, orientation, matrix and pixel spacing. Localizers,
    derived images, reports and faulty groups are listed too, with findings that say so.

    Args:
        path: a folder or a single DICOM file.
        files: look at these files alone, which lie below ``path``; None looks at all.

    Returns:
        groups in the order of their UIDs, largest first within one series. DICOMDIR and files that do not
        claim to be DICOM are counted in ``num_ignored``.

    Raises:
        InputError: no such path, or a folder that cannot be listed.
    """
    headers, unreadable, ignored = _read_headers(_files(Path(path)) if files is None else map(Path, files))
    by_uid = _group(headers)
    groups = [group for siblings in by_uid for group in siblings]
    per_group = Counter(uid for group in groups for uid in {header.sop_uid for header in group} if uid)
    shared = {uid for uid, number in per_group.items() if number > 1}
    series = [
        build_series(
            group,
            siblings=[other for other in siblings if other is not group],
            shared_uids=shared,
            unreadable=unreadable,
        )
        for siblings in by_uid
        for group in siblings
    ]
    return Scan(str(path), tuple(_with_patients(series)), ignored, tuple(unreadable))


def holds_dicom(folder: str | PathLike) -> bool:
    """Say whether a folder or a folder below it holds a DICOM file; stops at the first one."""
    return any(has_dicom_magic(file) for file in _files(Path(folder)))


def _read_headers(files: Iterable[Path]) -> tuple[list[SliceHeader], list[Finding], int]:
    headers: list[SliceHeader] = []
    unreadable: list[Finding] = []
    ignored = 0
    for file in files:
        try:
            header = read_header(file)
        except InputError as error:
            code = "encrypted_file" if "is encrypted" in error.problem else "unreadable_file"
            unreadable.append(Finding(code, error.problem, True, str(file)))
            continue
        if header is None:
            ignored += 1
        else:
            headers.append(header)
    return headers, unreadable, ignored


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise InputError("no such file or folder", path=path, remedy="check dataset_dir and the datalist")
    for folder, folders, files in os.walk(path, onerror=_refuse):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))


def _refuse(error: OSError) -> None:
    raise InputError(
        f"cannot list this folder: {error.strerror or error}",
        path=error.filename,
        remedy="check that you may read it",
    ) from error


def _group(headers: Sequence[SliceHeader]) -> list[list[list[SliceHeader]]]:
    """Group by UIDs, and each of these groups by orientation and matrix, largest first."""
    by_uid: dict[tuple[str, str], list[list[SliceHeader]]] = defaultdict(list)
    for header in headers:
        groups = by_uid[header.study_uid, header.series_uid]
        for group in groups:
            if _fits(header, group[0]):
                group.append(header)
                break
        else:
            groups.append([header])
    return [sorted(by_uid[uid], key=len, reverse=True) for uid in sorted(by_uid)]


def _fits(one: SliceHeader, other: SliceHeader) -> bool:
    return (
        (one.rows, one.columns) == (other.rows, other.columns)
        and _close(one.orientation, other.orientation, _SAME_COSINE)
        and _close(one.pixel_spacing, other.pixel_spacing, _SAME_SPACING_MM)
        and ("LOCALIZER" in one.image_type) == ("LOCALIZER" in other.image_type)
        and (one.image_type[0] == "DERIVED") == (other.image_type[0] == "DERIVED")
    )


def _close(one: tuple[float, ...] | None, other: tuple[float, ...] | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def _with_patients(series: Sequence[Series]) -> Iterator[Series]:
    """Mark the series of studies that hold several patients."""
    patients: dict[str, set[str]] = defaultdict(set)
    for one in series:
        patients[one.study_uid].update(header.patient for header in one.slices if header.patient)
    for one in series:
        number = len(patients[one.study_uid])
        if number <= 1:
            yield one
            continue
        finding = Finding("mixed_patients", f"{number} patients share one StudyInstanceUID", True)
        yield replace(one, findings=(*one.findings, finding))
