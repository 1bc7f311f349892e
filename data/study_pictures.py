# SPDX-License-Identifier: Apache-2.0
"""Pictures of one study: key slices with heat, curves along the slices, and the map of slices x classes."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils import atomic_path
from ..visualize.colors import CLASS_COLORS, Color, colors_for
from ..visualize.heat_maps import scale_heat
from ..visualize.key_slice_sheets import compose_key_slices
from ..visualize.key_slices import KeySlice, choose_key_slices
from ..visualize.score_pictures import draw_score_curves, draw_score_map
from .study_result import StudyResult

ANY_COLOR: Color = (110, 110, 110)  # the union is no class of its own
# Of the colour-blind-safe colours those that are light enough for thin outlines on dark slices.
_ON_DARK = [CLASS_COLORS[place] for place in (0, 1, 2, 5, 6, 4)]

RESEARCH_NOTE = "Research use only: not a diagnosis. All slices must be read."
HEAT_NOTE = (
    "Colour shows where the score of a class comes from (Grad-CAM; outline at half of the slice's peak). "
    "It is coarse and is not the outline of the bleed."
)


def study_colors(result: StudyResult) -> tuple[Color, ...]:
    """Return K + 1 colours: one a subtype, gray for their union."""
    return (*colors_for(len(result.class_names) - 1, _ON_DARK), ANY_COLOR)


def study_heat(result: StudyResult) -> dict[int, np.ndarray]:
    """Scale the activation of the subtypes that are called in the study, by :func:`scale_heat`.

    Classes that are not called get no map: what is left of their activation is noise.

    Args:
        result: the study.

    Returns:
        class (from 0) -> (h, w, D) float32 heat 0-1, on the activation's own grid; nothing without ``cam``.
    """
    if result.cam is None:
        return {}
    calibrated, thresholds = result.probabilities["calibrated"], np.asarray(result.thresholds)
    called = np.flatnonzero(result.shown_classes[:-1]).tolist()
    return {k: scale_heat(result.cam[k], calibrated[k], thresholds[k]) for k in called}


def key_slice_cards(result: StudyResult) -> list[KeySlice]:
    """Choose the study's key slices and say what is in them.

    Args:
        result: the study.

    Returns:
        cards in the order of the scan, with the heat of the classes called in each slice.
    """
    flagged = np.where(result.smoothed_away, result.compared[0], 0)
    chosen = choose_key_slices(
        result.probabilities["calibrated"], result.decisions, shown=result.shown_classes, flagged=flagged
    )
    heat = study_heat(result)
    return [_card(result, index, heat) for index in chosen]


def compose_study_sheet(result: StudyResult, *, title: str | None = None) -> Image.Image:
    """Draw the contact sheet of a study's key slices, RGB.

    Args:
        result: the study.
        title: line above the slices; None takes the study's name and what is called.
    """
    cards = key_slice_cards(result)
    with_heat = any(card.heats for card in cards)
    return compose_key_slices(
        result.image,
        cards,
        colors=study_colors(result),
        affine=None if result.spacing is None else result.affine,
        title=f"{result.name}: {called_text(result)}" if title is None else title,
        notes=(HEAT_NOTE, RESEARCH_NOTE) if with_heat else (RESEARCH_NOTE,),
        with_heat=with_heat,
    )


def called_text(result: StudyResult) -> str:
    """Say in words which classes are called in the patient."""
    called = [name for name, yes in zip(result.class_names, result.patient_decisions, strict=True) if yes]
    subtypes = [name for name in called if name != result.class_names[-1]]
    if subtypes:
        return f"{', '.join(subtypes)} at or above threshold"
    return f"{result.class_names[-1]} at or above threshold" if called else "no class at or above threshold"


def write_contact_sheet(path: str | PathLike, result: StudyResult) -> Path:
    """Write :func:`compose_study_sheet` as PNG; return ``path``."""
    with atomic_path(path) as temporary:
        compose_study_sheet(result).save(temporary, format="PNG")
    return Path(path)


def write_score_curves(path: str | PathLike, result: StudyResult) -> Path:
    """Write the probabilities along the slices, alone and with context, as PNG; return ``path``."""
    return draw_score_curves(
        path,
        *result.compared,
        class_names=result.class_names,
        thresholds=result.thresholds,
        colors=study_colors(result),
        flagged=result.smoothed_away,
        label=result.label,
    )


def write_score_map(path: str | PathLike, result: StudyResult) -> Path:
    """Write the calibrated probabilities as a map of slices x classes, PNG; return ``path``."""
    return draw_score_map(
        path,
        result.probabilities["calibrated"],
        class_names=result.class_names,
        thresholds=result.thresholds,
        flagged=result.smoothed_away,
        label=result.label,
    )


def slice_place(result: StudyResult, index: int) -> str:
    """Say where a slice is, counted from 1 as viewers do: ``13 of 33, z 45.0 mm``."""
    position = result.position(index)
    return f"{index + 1} of {result.num_slices}" + ("" if position is None else f", z {position:.1f} mm")


def _card(result: StudyResult, index: int, heat: dict[int, np.ndarray]) -> KeySlice:
    called, flagged = result.decisions[:, index], result.smoothed_away[:, index]
    highest = result.shown_classes & (result.key_slices == index)
    told = called[:-1] | flagged[:-1] | highest[:-1]
    rows = np.flatnonzero(told).tolist() or [len(result.class_names) - 1]
    maps = {k: volume[..., index] for k, volume in heat.items() if called[k]}
    return KeySlice(
        index, f"Slice {slice_place(result, index)}", [(k, _line(result, k, index)) for k in rows], maps
    )


def _line(result: StudyResult, k: int, index: int) -> str:
    """Write a class's probabilities: calibrated, then alone and with context before calibration."""
    values = result.probabilities
    numbers = f"raw {percent(values['raw'][k, index])}, context {percent(values['context'][k, index])}"
    text = f"{result.class_names[k]} {percent(values['calibrated'][k, index])} ({numbers})"
    if result.smoothed_away[k, index]:
        return f"{text}: called alone, not with context"
    return text if result.decisions[k, index] else f"{text}: below threshold"


def percent(value: float, *, digits: int = 0) -> str:
    """Write a probability in percent; never as 0 or 100 unless it is.

    Args:
        value: probability, 0-1.
        digits: places after the point.
    """
    scaled, step = 100 * float(value), 10.0**-digits
    if 0 < scaled < step:
        return f"<{step:.{digits}f}%"
    return f">{100 - step:.{digits}f}%" if 100 - step < scaled < 100 else f"{scaled:.{digits}f}%"
