# SPDX-License-Identifier: Apache-2.0
"""DICOM studies as items to infer, by their UIDs alone, and refusals of those that cannot be used."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ..utils import InputError
from .dicom import Refusal, Series, SeriesPreference, find_series, resolve_series, resolve_studies
from .dicom.findings import check_accept
from .dicom.headers import read_header
from .readers import volume_form
from .study_result import StudyRefusal

_logger = logging.getLogger("tomobundles")

Item = dict[str, Any]
_NO_UID = "without_StudyInstanceUID"


def is_dicom(path: str | PathLike) -> bool:
    """Say whether a volume of a list is DICOM; so is a folder where DICOM files lie among slice images."""
    try:
        return volume_form(path) == "dicom"
    except InputError:
        return Path(path).is_dir()


def found_studies(
    path: Path, *, alone: bool, preference: SeriesPreference | None, accept: Collection[str]
) -> list[Item | StudyRefusal]:
    """Choose a series of each DICOM study below a folder.

    Args:
        path: the folder, or one file.
        alone: nothing else can be inferred there, so that no DICOM image at all is an error.
        preference: see ``resolve_series``.
        accept: see ``resolve_series``.

    Returns:
        one item or refusal for each StudyInstanceUID; none where there are only reports, or only files that
        ``unreadable_folders`` tells of.

    Raises:
        InputError: no readable DICOM image, if ``alone``.
    """
    codes = check_accept(accept)
    try:
        found = resolve_studies(path, preference=preference, accept=codes)
    except InputError:
        if alone:
            raise
        return []
    return [_item(one) if isinstance(one, Series) else _refused(one) for one in found]


def listed_study(
    item: Item, *, place: str, preference: SeriesPreference | None, accept: Collection[str]
) -> Item | StudyRefusal:
    """Choose the series of a DICOM study of a datalist, or take the one that its "series_uid" names.

    Args:
        item: "image" and perhaps "series_uid"; its other entries are kept.
        place: what to call the study if it is refused and its UID is not known: its folder may name the
            patient.
        preference: see ``resolve_series``.
        accept: see ``resolve_series``.
    """
    path, wanted = item["image"], item.get("series_uid") or None
    try:
        volume_form(path)  # refuses DICOM files among slice images, of which either may be meant
        series = resolve_series(path, preference=preference, series_uid=wanted, accept=accept)
    except InputError as error:
        uid = _study_uid(path)
        return refuse(uid or place, error, study_uid=uid or None)
    return item | _item(series)


def unreadable_folders(path: Path, found: Sequence[Item | StudyRefusal]) -> Iterator[StudyRefusal]:
    """Refuse folders whose DICOM files all are damaged or encrypted: no study would tell of them.

    They are numbered, since their names may be the patients'; the log has the paths.

    Args:
        path: the folder that is searched.
        found: studies found in it, whose folders are not looked into again.
    """
    items = [one for one in found if not isinstance(one, StudyRefusal)]
    told = {os.path.dirname(file) for item in items for file in item["files"]}
    number = 0
    for folder, folders, names in os.walk(path):
        folders.sort()
        files = [os.path.join(folder, name) for name in sorted(names) if not name.startswith(".")]
        error = None if folder in told else _fault(files)
        if error is not None:
            number += 1
            yield refuse(f"unreadable_{number}", error)


def refuse(name: str, error: InputError, **uids: str | None) -> StudyRefusal:
    """Make the refusal of a study, and say it now, with the path."""
    _logger.warning("study %s is refused: %s", name, error)
    return StudyRefusal(name=name, reason=error.problem, patient=name, **uids)


def _refused(refusal: Refusal) -> StudyRefusal:
    uid = refusal.study_uid
    return refuse(uid or _NO_UID, refusal.error, study_uid=uid or None)


def _item(series: Series) -> Item:
    files = [str(header.path) for header in series.slices]
    return {
        "image": os.path.commonpath([os.path.dirname(file) for file in files]) or ".",
        "patient": series.study_uid,
        "name": series.study_uid,
        "series_uid": series.series_uid,
        "series_reason": series.reason,
        "files": files,
    }


def _study_uid(path: str) -> str:
    """Return the StudyInstanceUID of what lies at a path; "" if there is none, or several."""
    try:
        uids = {series.study_uid for series in find_series(path).series}
    except InputError:
        return ""
    return uids.pop() if len(uids) == 1 else ""


def _fault(files: Iterable[str]) -> InputError | None:
    """Return why DICOM files cannot be read; None if one can, or if there are none."""
    error = None
    for file in files:
        try:
            if read_header(file) is not None:
                return None
        except InputError as found:
            error = error or found
    return error
