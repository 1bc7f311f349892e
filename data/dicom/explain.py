# SPDX-License-Identifier: Apache-2.0
"""Why a series was chosen, why the others were not, and what to do where none could be, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...utils import InputError
from .findings import ACCEPTABLE, EXCLUDING, Finding
from .preference import SeriesPreference
from .series import Series

_NAMED = 2  # series that a message names; the rest is counted


def remaining(series: Series, accept: tuple[str, ...]) -> list[Finding]:
    """List fatal findings that the user did not accept; those that nobody may accept come first."""
    left = [finding for finding in series.fatal if finding.code not in accept]
    return sorted(left, key=lambda finding: finding.code in ACCEPTABLE)


def no_candidate(
    series: Sequence[Series], path: str, preference: SeriesPreference, accept: tuple[str, ...], *, named: bool
) -> InputError:
    """Make the error for a study in which no series is a candidate."""
    remedy = "name a series by series_uid, or change the preference"
    reasons = [
        f"series {one.short_uid}: {preference.misfit(one, accept=accept, named=named)}" for one in series
    ]
    more = f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    excluding = [finding for finding in series[0].findings if finding.code in EXCLUDING]
    if len(series) == 1 and excluding:
        remedy = excluding[0].remedy
    elif named or len({one.modality for one in series} - {preference.modality}) == len(series):
        remedy = f"give a study that has one ({preference.plane} {preference.modality})"
    return InputError(f"no series fits: {'; '.join(reasons[:_NAMED])}{more}", path=path, remedy=remedy)


def faulty(series: Series, path: str, accept: tuple[str, ...]) -> InputError:
    """Make the error for a study whose best candidate has fatal findings."""
    left = remaining(series, accept)
    first = left[0]
    more = f" (also {', '.join(finding.code for finding in left[1:])})" if len(left) > 1 else ""
    remedy = first.remedy
    if first.code in ACCEPTABLE:  # then all are
        codes = ", ".join(f'"{finding.code}"' for finding in left)
        remedy = f"complete the series, or take the risk with accept=[{codes}]"
    return InputError(
        f"series {series.short_uid}: {first.message}{more}", path=first.path or path, remedy=remedy
    )


def with_notes(series: Series, preference: SeriesPreference, accept: tuple[str, ...]) -> Series:
    """Mark accepted findings as such, and note where the series is not what was wanted."""
    findings = [
        replace(finding, fatal=False, message=f"{finding.message} (accepted)") if finding.fatal else finding
        for finding in series.findings
    ]
    if part := preference.other_part(series):
        findings.append(Finding("body_part", part))
    misfit = preference.misfit(series, accept=accept)
    if misfit:
        findings.append(Finding("unlike_preference", misfit))
    if not preference.in_range(series):
        low, high = preference.thickness_mm
        thickness = series.thickness_mm or series.spacing_mm
        findings.append(Finding("thickness_outside", f"{thickness:.4g} mm thick, not {low:g} to {high:g} mm"))
    return replace(series, findings=tuple(findings))


def why_chosen(
    sound: Sequence[Series], series: Sequence[Series], preference: SeriesPreference, *, named: bool
) -> str:
    """Say why the first of ``sound``, the ranked candidates without faults, is chosen from ``series``."""
    best = sound[0]
    if named:
        return f"named by the user: {best.description}"
    if len(sound) == 1:
        return f"the only sound candidate of {len(series)} series: {best.description}"
    return f"best of {len(sound)} candidates ({_criterion(best, sound[1], preference)}): {best.description}"


def _criterion(best: Series, other: Series, preference: SeriesPreference) -> str:
    """Name the first criterion in which two candidates differ."""
    low, high = preference.thickness_mm
    names = (
        f"thickness of {low:g} to {high:g} mm",
        "with contrast agent" if preference.contrast else "without contrast agent",
        "kernel known",
        f"nearest to {preference.nearest_mm:g} mm",
        f"{preference.first_kernel} kernel",
    )
    pairs = zip(preference.rank(best), preference.rank(other), names, strict=True)
    return next(name for one, two, name in pairs if one != two)


def why_dropped(
    series: Sequence[Series],
    preference: SeriesPreference,
    accept: tuple[str, ...],
    *,
    best: Series | None = None,
    whole: Sequence[Series] = (),
    named: bool = False,
) -> tuple[str, ...]:
    """Say of each series that was not chosen why."""
    lines = []
    for one in series:
        why = preference.misfit(one, accept=accept, named=named)
        left = remaining(one, accept)
        if not why and best is not None and not any(one is other for other in whole):
            why = f"covers only {one.extent_mm:.0f} mm"
        if not why and left:
            why = left[0].message
        if not why:
            why = _criterion(best, one, preference) + " preferred" if best is not None else "not unique"
        lines.append(f"series {one.short_uid} ({one.description}): {why}")
    return tuple(lines)


def uids_of(series: Sequence[Series]) -> str:
    """List SeriesInstanceUIDs for a message."""
    uids = sorted({one.series_uid for one in series})
    more = f" and {len(uids) - _NAMED} more" if len(uids) > _NAMED else ""
    return ", ".join(uids[:_NAMED]) + more
