# SPDX-License-Identifier: Apache-2.0
"""Choose the one series of a study that a method is made for, and say why; refuse rather than guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike

from ...utils import InputError
from .explain import faulty, no_candidate, remaining, uids_of, why_chosen, why_dropped, with_notes
from .findings import check_accept, count
from .preference import SeriesPreference, whole_extent
from .search import find_series
from .series import Scan, Series


@dataclass(frozen=True, eq=False)
class Refusal:
    """A study that cannot be used, and why.

    Args:
        study_uid: its StudyInstanceUID.
        error: the reason as an error that can be raised; ``reason`` is its first line without a path.
        dropped: one line for each series of the study: why it was not chosen.
    """

    study_uid: str
    error: InputError
    dropped: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Why, in words, without paths or patient data."""
        return self.error.problem


def resolve_series(
    path: str | PathLike,
    *,
    preference: SeriesPreference | None = None,
    series_uid: str | None = None,
    accept: Collection[str] = (),
    files: Iterable[str | PathLike] | None = None,
) -> Series:
    """Choose the series to read from one study.

    Candidates have the wanted modality, plane and kernel; localizers and derived images never are. Of these,
    the complete ones without fatal findings are ranked by thickness, contrast agent, kernel known, nearness
    to the preferred thickness, and the kernel to take first.

    Args:
        path: folder of one study (or one series, or one file).
        preference: what is wanted; None for the defaults, which suit head CT.
        series_uid: take this series, whatever its plane, kernel and thickness. Its faults still count.
        accept: codes of fatal findings whose risk the user takes, see ``ACCEPTABLE``.
        files: the study's files, where ``path`` holds others too; None takes all that lie there.

    Returns:
        the series, with ``reason`` and ``dropped`` in words. Accepted findings stay, no longer fatal.

    Raises:
        InputError: no DICOM image there, several studies, no candidate, a fatal finding, or a tie.
    """
    preference, codes = preference or SeriesPreference(), check_accept(accept)
    scan = find_series(path, files=files)
    studies = _by_study(scan, series_uid)
    if len(studies) > 1:
        patients = {series[0].patient for series in studies.values()}
        raise InputError(
            f"{len(studies)} studies of {count(len(patients), 'patient')} in one folder",
            path=path,
            remedy="give the folder of one study, or name a series by its series_uid",
        )
    return _choose(*studies.values(), path=scan.path, preference=preference, uid=series_uid, accept=codes)


def resolve_studies(
    path: str | PathLike, *, preference: SeriesPreference | None = None, accept: Collection[str] = ()
) -> list[Series | Refusal]:
    """Choose a series from each study below a folder.

    Args:
        path: folder that holds studies in any arrangement.
        preference: see :func:`resolve_series`.
        accept: see :func:`resolve_series`.

    Returns:
        one series or refusal for each StudyInstanceUID, in the order of these.

    Raises:
        InputError: no DICOM image there at all.
    """
    preference, codes = preference or SeriesPreference(), check_accept(accept)
    scan = find_series(path)
    results: list[Series | Refusal] = []
    for study_uid, series in _by_study(scan, None).items():
        try:
            results.append(_choose(series, path=scan.path, preference=preference, uid=None, accept=codes))
        except InputError as error:
            results.append(Refusal(study_uid, error, why_dropped(series, preference, codes)))
    return results


def _by_study(scan: Scan, series_uid: str | None) -> dict[str, list[Series]]:
    """Group series by study; reports without pixels make no study."""
    wanted = [one for one in scan.series if series_uid in (None, one.series_uid)]
    images = [one for one in wanted if "not_image" not in one.codes]
    if images:
        studies: dict[str, list[Series]] = defaultdict(list)
        for one in images:
            studies[one.study_uid].append(one)
        return studies
    if series_uid is not None and scan.series:
        raise InputError(
            f"no series {series_uid} here", path=scan.path, remedy=f"there are: {uids_of(scan.series)}"
        )
    if scan.unreadable:
        first = scan.unreadable[0]
        problem = f"no readable DICOM image; {count(len(scan.unreadable), 'file')} damaged: {first.message}"
        raise InputError(problem, path=first.path, remedy="export or copy the study again")
    ignored = count(scan.num_ignored + len(wanted), "other file")
    raise InputError(
        f"no DICOM image here ({ignored})", path=scan.path, remedy="give the folder of a DICOM study"
    )


def _choose(
    series: Sequence[Series],
    *,
    path: str,
    preference: SeriesPreference,
    uid: str | None,
    accept: tuple[str, ...],
) -> Series:
    """Choose from the series of one study."""
    named = uid is not None
    candidates = [one for one in series if not preference.misfit(one, accept=accept, named=named)]
    if not candidates:
        raise no_candidate(series, path, preference, accept, named=named)
    whole = whole_extent(candidates)
    sound = sorted((one for one in whole if not remaining(one, accept)), key=preference.rank)
    if not sound:
        raise faulty(min(whole, key=preference.rank), path, accept)
    equal = [one for one in sound if preference.rank(one) == preference.rank(sound[0])]
    if len(equal) > 1:
        raise InputError(
            f"{len(equal)} series fit equally well: {sound[0].description}",
            path=path,
            remedy=f"name one by series_uid: {uids_of(equal)}",
        )
    found = with_notes(sound[0], preference, accept)
    others = [one for one in series if one is not sound[0]]
    dropped = why_dropped(others, preference, accept, best=found, whole=whole, named=named)
    return replace(found, reason=why_chosen(sound, series, preference, named=named), dropped=dropped)
