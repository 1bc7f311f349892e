# SPDX-License-Identifier: Apache-2.0
"""One HTML page a study: what is called, how sure, where, on which series, and what the model cannot do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from .. import __version__
from ..utils import atomic_path
from .study_page import bullets, element, facts, page, picture, table
from .study_pictures import (
    RESEARCH_NOTE,
    called_text,
    percent,
    slice_place,
    write_contact_sheet,
    write_score_curves,
    write_score_map,
)
from .study_result import StudyResult
from .study_tables import noisy_or

LIMITS = (
    "This software is for research. It is no medical device and must not guide the care of a patient.",
    "A class below its threshold is not excluded: small, thin or isodense bleeds are missed.",
    "Calcification, bone, beam hardening and motion can look like blood to it.",
    "Probabilities hold for patients like those it was calibrated on; elsewhere, above all where fewer scans "
    "show a bleed, they are too high or too low until calibrated on local cases.",
    "Noisy-OR takes slices for independent, which neighbours are not: it is too high in long series.",
    "Heat maps show where a score comes from. They do not outline the bleed.",
)


def write_study_page(path: str | PathLike, result: StudyResult, *, limits: Sequence[str] = LIMITS) -> Path:
    """Write the page of one study; its pictures are inside it, and it loads and runs nothing.

    It shows UIDs, the pseudonyms given in ``result``, probabilities and pictures of the slices (burnt-in text
    would be seen), nothing else of the patient.

    Args:
        path: HTML file to write.
        result: the study.
        limits: what readers must know about the model, one sentence each.

    Returns:
        ``path``.
    """
    body = [*_heading(result), *_classes(result), *_smoothed(result), *_series(result)]
    with tempfile.TemporaryDirectory() as folder:
        body += _pictures(result, Path(folder))
    body += [element("h2", "Limits"), bullets(limits), _footer(result)]
    with atomic_path(path) as temporary:
        temporary.write_text(page(f"Head CT haemorrhage scores: {result.name}", body), encoding="utf-8")
    return Path(path)


def _heading(result: StudyResult) -> list[str]:
    verdict = f"{called_text(result)[:1].upper()}{called_text(result)[1:]}."
    chance = f" Any intracranial haemorrhage: {percent(result.probabilities['patient'][-1])}."
    kind = "verdict called" if result.patient_decisions.any() else "verdict"
    identity = facts(
        [
            ("Study", result.name),
            ("Patient (pseudonym)", result.patient),
            ("StudyInstanceUID", result.study_uid or ""),
            ("SeriesInstanceUID", result.series_uid or ""),
        ]
    )
    return [
        element("h1", "Intracranial haemorrhage scores, head CT"),
        element("p", RESEARCH_NOTE, kind="note"),
        identity,
        element("p", verdict + chance, kind=kind),
    ]


def _classes(result: StudyResult) -> list[str]:
    header = (
        "Class",
        "Patient",
        "Threshold",
        "At or above",
        "Highest slice",
        "Noisy-OR",
        "Positive slices",
        "Key slice",
    )
    calibrated = result.probabilities["calibrated"]
    cuts = result.patient_cuts
    united = noisy_or(calibrated)
    rows = [
        (
            name,
            percent(result.probabilities["patient"][k], digits=1),
            percent(cuts[k], digits=1),
            "yes" if result.patient_decisions[k] else "no",
            percent(calibrated[k].max(), digits=1),
            percent(united[k], digits=1),
            f"{int(result.decisions[k].sum())} of {result.num_slices}",
            slice_place(result, int(result.key_slices[k])),
        )
        for k, name in enumerate(result.class_names)
    ]
    note = (
        "Calibrated probabilities. Patient: for the study. Highest slice and Noisy-OR: from the slices. "
        "Slices are counted from 1 here and in the pictures, from 0 in slices.csv."
    )
    return [
        element("h2", "Probability of each class"),
        table(header, rows, result.patient_decisions.tolist()),
        element("p", note, kind="note"),
    ]


def _smoothed(result: StudyResult) -> list[str]:
    """List the slices that context took below the threshold: a bleed on one slice may be among them."""
    found = np.argwhere(result.smoothed_away).tolist()
    if not found:
        return []
    alone, context = result.compared
    lines = [
        f"{result.class_names[k]}, slice {slice_place(result, index)}: {percent(alone[k, index])} alone, "
        f"{percent(context[k, index])} with context"
        for k, index in found
    ]
    note = (
        "The slice alone is at the threshold, with its neighbours it is not. Check for a bleed on one slice."
    )
    return [element("h2", "Called alone, not with context"), element("p", note), bullets(lines)]


def _series(result: StudyResult) -> list[str]:
    spacing = None if result.spacing is None else tuple(float(step) for step in result.spacing)
    rows, columns, slices = result.image.shape
    read = [
        ("Chosen because", result.series_reason),
        ("Size", f"{slices} slices of {rows} x {columns}"),
        ("Spacing", "unknown" if spacing is None else "{:.3g} x {:.3g} x {:.3g} mm".format(*spacing)),
    ]
    found = bullets(result.findings) if result.findings else element("p", "Nothing was found to be unusual.")
    return [element("h2", "Series and quality"), facts(read), found]


def _pictures(result: StudyResult, folder: Path) -> list[str]:
    reference = "" if result.label is None else " The reference is marked."
    return [
        element("h2", "Key slices"),
        picture(write_contact_sheet(folder / "sheet.png", result), "key slices, plain and with heat"),
        element("h2", "Along the slices"),
        picture(write_score_curves(folder / "curves.png", result), "probability of each class by slice"),
        element("p", _scale(result) + reference, kind="note"),
        picture(write_score_map(folder / "map.png", result), "map of probabilities, slices by classes"),
        element("p", "Map: calibrated probabilities." + reference, kind="note"),
    ]


def _scale(result: StudyResult) -> str:
    if "calibrated_raw" in result.probabilities:
        return "Curves: calibrated probabilities of each slice alone and with its neighbours."
    return (
        "Curves: probabilities before calibration, alone and with neighbours; thresholds are calibrated ones."
    )


def _footer(result: StudyResult) -> str:
    made_by = [result.model, f"tomobundles {__version__}", RESEARCH_NOTE]
    return element("footer", "; ".join(part for part in made_by if part))
