# SPDX-License-Identifier: Apache-2.0
"""Pictures and the page of one scan: candidates in three planes, the lungs, and what the model cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from ... import __version__
from ...utils.world import world_to_voxel
from ...visualize.nodule_overview import compose_lung_slices, compose_projections
from ...visualize.nodule_page import write_nodule_page
from ...visualize.nodule_planes import NoduleMark
from ...visualize.nodule_sheets import (
    compose_nodule_card,
    compose_nodule_sheet,
    nodule_panels,
    write_png,
)
from .case import NoduleCase
from .mask import labels_on_grid
from .tables import lung_volumes

SHOWN = 12  # candidates in pictures
RESEARCH_NOTE = "Research use only: not a diagnosis, no medical device. The whole scan must be read."
LIMITS = (
    "This software is for research. It must not guide the care of a patient.",
    "The probability is the network's score for a nodule, not the chance of cancer.",
    "Nodules are missed, above all ground-glass, very small and pleural ones; vessels, scars and the chest "
    "wall can look like nodules to it. An empty list does not rule nodules out.",
    "Diameters are the network's estimate of a sphere, not a measurement by hand.",
    "What lies outside the lung mask was not searched: check its pictures above.",
    "The pictures show what the network sees: outside the lung mask, and where bone meets it, all is painted "
    "as gray as water.",
)


def nodule_marks(case: NoduleCase, *, count: int = SHOWN) -> list[NoduleMark]:
    """Make marks of the first ``count`` candidates on the lung grid, with what to say about them."""
    return [
        NoduleMark(centre, diameter, str(index + 1), _lines(case, index))
        for index, (centre, diameter) in enumerate(_spheres(case, case.nodules[:count]))
    ]


def truth_marks(case: NoduleCase) -> list[NoduleMark]:
    """Make marks of the annotated nodules; none where they are not known."""
    return [] if case.truth is None else [NoduleMark(*one) for one in _spheres(case, case.truth)]


def compose_case_sheet(case: NoduleCase, *, count: int = SHOWN, width_mm: float = 56.0) -> Image.Image:
    """Draw the contact sheet of a scan's first candidates, RGB; see ``compose_nodule_sheet``."""
    notes = [
        "Orange: the candidate's circle; bar: 10 mm."
        + (" Blue: annotated nodules." if case.truth is not None else ""),
        RESEARCH_NOTE,
    ]
    return compose_nodule_sheet(
        case.image,
        nodule_marks(case, count=count),
        spacing=case.spacing,
        annotated=truth_marks(case),
        title=f"{case.name}: {_found(case, count)}",
        notes=notes,
        width_mm=width_mm,
    )


def write_contact_sheet(path: str | PathLike, case: NoduleCase) -> Path:
    """Write :func:`compose_case_sheet` as PNG; return ``path``."""
    return write_png(path, compose_case_sheet(case))


def write_case_page(path: str | PathLike, case: NoduleCase, *, limits: Sequence[str] = LIMITS) -> Path:
    """Write the page of one scan.

    It shows UIDs, the pseudonyms given in ``case``, numbers and pictures of the lungs, nothing else of the
    patient.

    Args:
        path: HTML file to write.
        case: the scan.
        limits: what readers must know about the model, one sentence each.

    Returns:
        ``path``.
    """
    header, rows = _table(case)
    return write_nodule_page(
        path,
        title=f"Lung nodule candidates, chest CT: {case.name}",
        intended_use=RESEARCH_NOTE,
        identity=[
            ("Scan", case.name),
            ("Patient (pseudonym)", case.patient),
            ("StudyInstanceUID", case.study_uid or ""),
            ("SeriesInstanceUID", case.series_uid or ""),
            ("Size", "{} rows, {} columns, {} slices".format(*case.native_shape)),
        ],
        verdict=f"{_found(case, SHOWN)[:1].upper()}{_found(case, SHOWN)[1:]}.",
        header=header,
        rows=rows,
        table_note=f"Slices count from 1, {case.slice_order}; x is the column, y the row, from 0. "
        "World: LPS mm.",
        warnings=[*map(str, case.lung_quality.get("warnings") or ()), *case.findings],
        overview=_overview(case),
        cards=_cards(case),
        quality=_quality(case),
        limits=limits,
        footer="; ".join(filter(None, [case.model, f"tomobundles {__version__}", RESEARCH_NOTE])),
    )


def _spheres(case: NoduleCase, nodules: np.ndarray) -> list[tuple[list[float], float]]:
    centres = world_to_voxel(nodules[:, :3], case.affine).tolist()
    return list(zip(centres, nodules[:, 3].tolist(), strict=True))


def _found(case: NoduleCase, count: int) -> str:
    if not len(case):
        return "no candidate"
    shown = f", the first {count} shown" if len(case) > count else ""
    plural = "s" if len(case) > 1 else ""
    return f"{len(case)} candidate{plural}, probability at most {case.probability[0]:.3f}{shown}"


def _lines(case: NoduleCase, index: int) -> list[str]:
    scores = "" if case.classifier is None else (
        f" (detector {case.detector[index]:.3f}, classifier {_classifier(case, index, digits=3)})"
    )  # fmt: skip
    hit = f", annotated nodule {case.hits[index] + 1}" if case.hits[index] >= 0 else ""
    return [
        f"{index + 1}: probability {case.probability[index]:.3f}{scores}",
        f"{case.nodules[index, 3]:.1f} mm, slice {case.place(index)}{hit}",
    ]


def _classifier(case: NoduleCase, index: int, *, digits: int) -> str:
    """The second stage's score, a dash for a candidate that it did not judge."""
    value = case.classifier[index]
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def _table(case: NoduleCase) -> tuple[list[str], list[list[str]]]:
    header = ["Rank", "Probability", "Diameter (mm)", "Slice", "x", "y", "World x", "y", "z", "Detector"]
    header += ["Classifier"] * (case.classifier is not None) + ["Annotated"] * (case.truth is not None)
    rows = []
    for index in range(len(case)):
        world = [f"{value:.1f}" for value in case.nodules[index, :3]]
        cells = [str(index + 1), f"{case.probability[index]:.6f}", f"{case.nodules[index, 3]:.1f}"]
        cells += [str(case.slices[index] + 1), *map(str, case.pixels[index].tolist()), *world]
        cells.append(f"{case.detector[index]:.4f}")
        cells += [] if case.classifier is None else [_classifier(case, index, digits=4)]
        cells += [] if case.truth is None else [str(case.hits[index] + 1) if case.hits[index] >= 0 else "-"]
        rows.append(cells)
    return header, rows


def _cards(case: NoduleCase) -> dict[str, Image.Image]:
    options = {"spacing": case.spacing, "annotated": truth_marks(case)}
    return {
        "; ".join(mark.lines): compose_nodule_card(nodule_panels(case.image, mark, **options))
        for mark in nodule_marks(case)
    }


def _overview(case: NoduleCase) -> dict[str, Image.Image]:
    lungs = None
    if case.lungs is not None:
        grid = {"affine": case.affine, "shape": case.image.shape}
        # in the image's own order in memory, or every plane of it costs as much as the whole
        lungs = np.ascontiguousarray(labels_on_grid(case.lungs, case.lungs_affine, **grid))
    options = {"spacing": case.spacing, "annotated": truth_marks(case), "lungs": lungs}
    pictures = {
        "From the front and from the side, numbered by rank (orange)"
        + (", annotated nodules (blue)" if case.truth is not None else ""): compose_projections(
            case.image, nodule_marks(case), **options
        )
    }
    if lungs is not None:
        caption = "Lung mask: right lung blue, left lung green, margin purple"
        pictures[caption] = compose_lung_slices(case.image, lungs, spacing=case.spacing)
    return pictures


def _quality(case: NoduleCase) -> list[tuple[str, str]]:
    quality = case.lung_quality
    right, left = lung_volumes(quality)
    level = quality.get("level_hu")
    seconds = {} if quality.get("seconds") is None else {"lung mask": float(quality["seconds"])}
    rows = [
        ("Method", str(quality.get("method") or "")),
        ("Threshold", "" if level is None else f"{level:g} HU"),
        ("Right lung", "" if right is None else f"{right:,.0f} ml"),
        ("Left lung", "" if left is None else f"{left:,.0f} ml"),
    ]
    stages = dict(case.seconds) | seconds
    return rows + [(f"Seconds, {stage}", f"{value:.2f}") for stage, value in stages.items()]
