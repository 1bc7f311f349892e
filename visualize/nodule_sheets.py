# SPDX-License-Identifier: Apache-2.0
"""Nodule candidates in three planes each, with their circles, and sheets of them."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..utils import InputError, atomic_path
from .nodule_planes import ANNOTATED, CANDIDATE, LIGHT, LUNG_WINDOW, PLANES, NoduleMark, Plane
from .panels import GAP, INK, PAPER, fit_text, font, line_height, paste_panel, wrap_text
from .windows import to_gray

_CARDS_ACROSS = 3
_BAR_MM = 10


def nodule_panels(
    image: np.ndarray,
    mark: NoduleMark,
    *,
    spacing: Sequence[float],
    annotated: Sequence[NoduleMark] = (),
    width_mm: float = 56.0,
    pixels_per_mm: float = 3.0,
) -> list[np.ndarray]:
    """Draw the surroundings of a candidate in three planes through its centre.

    Radiological view: the patient's right at the left, the front up or at the left, the head up. The
    candidate's circle is orange, those of annotated nodules that the plane cuts are blue; a bar of 10 mm.

    Args:
        image: (H, W, D) uint8 gray on the lung grid.
        mark: the candidate.
        spacing: mm between rows, columns and slices.
        annotated: annotated nodules.
        width_mm: side of the squares.
        pixels_per_mm: scale.

    Returns:
        three square RGB pictures, uint8: axial, coronal, sagittal. Black where the image ends.

    Raises:
        InputError: an image that is not (H, W, D) uint8.
    """
    if image.ndim != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"image {image.dtype} {image.shape} where (H, W, D) uint8 is expected")
    options = {"spacing": spacing, "width_mm": width_mm, "scale": pixels_per_mm}
    return [_draw_plane(image, plane, mark, annotated, **options) for plane in PLANES]


def compose_nodule_card(panels: Sequence[np.ndarray], lines: Sequence[str] = ()) -> Image.Image:
    """Put the panels of a candidate side by side, its lines below; RGB."""
    height, width = panels[0].shape[:2]
    step, total = line_height(_text_size(width)), len(panels) * (width + 2) - 2
    card = Image.new("RGB", (total, height + (GAP + len(lines) * step if lines else 0)), PAPER)
    for place, panel in enumerate(panels):
        paste_panel(card, panel, place * (width + 2), 0)
    draw = ImageDraw.Draw(card)
    for place, line in enumerate(lines):
        style = {"fill": INK, "font": font(_text_size(width))}
        draw.text((0, height + GAP + place * step), fit_text(line, total, _text_size(width)), **style)
    return card


def compose_nodule_sheet(
    image: np.ndarray,
    marks: Sequence[NoduleMark],
    *,
    spacing: Sequence[float],
    annotated: Sequence[NoduleMark] = (),
    title: str = "",
    notes: Sequence[str] = (),
    width_mm: float = 56.0,
    pixels_per_mm: float = 3.0,
) -> Image.Image:
    """Draw a sheet of candidates, three a row, each in three planes; arguments as :func:`nodule_panels`.

    Args:
        image: (H, W, D) uint8 gray on the lung grid.
        marks: candidates in the order of the sheet; none gives a sheet of title and notes.
        spacing: mm between rows, columns and slices.
        annotated: annotated nodules.
        title: line above.
        notes: lines at the foot.
        width_mm: side of the squares.
        pixels_per_mm: scale.

    Returns:
        RGB picture.
    """
    options = {"spacing": spacing, "annotated": annotated}
    options |= {"width_mm": width_mm, "pixels_per_mm": pixels_per_mm}
    cards = [compose_nodule_card(nodule_panels(image, mark, **options), mark.lines) for mark in marks]
    side = round(width_mm * pixels_per_mm)
    across = max(1, min(_CARDS_ACROSS, len(cards)))
    width = across * (3 * side + 4 + 3 * GAP) + GAP
    text = _text_size(side)
    heading = wrap_text(title, width - 4 * GAP, text + 3) if title else []
    feet = [line for note in notes for line in wrap_text(note, width - 4 * GAP, text)]
    top = 2 * GAP + len(heading) * line_height(text + 3)
    row = max((card.height for card in cards), default=0) + 3 * GAP
    foot = top + -(-len(cards) // across) * row
    sheet = Image.new("RGB", (width, foot + len(feet) * line_height(text) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, line in enumerate(heading):
        where = (2 * GAP, GAP + place * line_height(text + 3))
        draw.text(where, line, fill=INK, font=font(text + 3))
    for place, card in enumerate(cards):
        sheet.paste(card, (2 * GAP + place % across * (card.width + 3 * GAP), top + place // across * row))
    for place, line in enumerate(feet):
        draw.text((2 * GAP, foot + place * line_height(text)), line, fill=(80, 80, 80), font=font(text))
    return sheet


def write_png(path: str | PathLike, picture: Image.Image) -> Path:
    """Write a picture as PNG, whole or not at all; return ``path``."""
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")
    return Path(path)


def _draw_plane(
    image: np.ndarray,
    plane: Plane,
    mark: NoduleMark,
    annotated: Sequence[NoduleMark],
    *,
    spacing: Sequence[float],
    width_mm: float,
    scale: float,
) -> np.ndarray:
    index = int(np.clip(round(mark.centre[plane.axis]), 0, image.shape[plane.axis] - 1))
    steps = np.array([spacing[plane.down], spacing[plane.across]], np.float64)
    middle = np.array(plane.place(mark.centre, image.shape))
    counts = np.maximum(np.rint(width_mm / steps), 1).astype(int)
    start = np.rint(middle - (counts - 1) / 2).astype(int)
    crop = _crop(plane.cut(image, index), start, counts)
    side = round(width_mm * scale)
    gray = Image.fromarray(to_gray(crop, LUNG_WINDOW)).resize((side, side), Image.Resampling.BICUBIC)
    panel = gray.convert("RGB")
    draw = ImageDraw.Draw(panel)
    pixels = side / counts  # of a voxel, down and across
    for one, color in [*((one, ANNOTATED) for one in annotated), (mark, CANDIDATE)]:
        offset = 0.0 if one is mark else abs(one.centre[plane.axis] - index) * spacing[plane.axis]
        radius = np.sqrt(max((one.diameter_mm / 2) ** 2 - offset**2, 0)) / steps * pixels
        if radius.min() > 0:
            row, column = (np.array(plane.place(one.centre, image.shape)) - start + 0.5) * pixels - 0.5
            box = (column - radius[1], row - radius[0], column + radius[1], row + radius[0])
            draw.ellipse(box, outline=color)
    _annotate(draw, plane, side, _BAR_MM * scale)
    return np.asarray(panel)


def _crop(plane: np.ndarray, start: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Cut a window that may leave the plane, black outside."""
    crop = np.zeros(tuple(counts), plane.dtype)
    low, high = np.maximum(start, 0), np.minimum(start + counts, plane.shape)
    if (low < high).all():
        to, end = low - start, high - start
        crop[to[0] : end[0], to[1] : end[1]] = plane[low[0] : high[0], low[1] : high[1]]
    return crop


def _annotate(draw: ImageDraw.ImageDraw, plane: Plane, side: int, bar: float) -> None:
    """Name the plane and its sides, light with a dark rim so that they show on bone and air."""
    style = {"fill": LIGHT, "font": font(_text_size(side)), "stroke_width": 1, "stroke_fill": INK}
    draw.text((3, 1), plane.name, **style)
    draw.text((3, side / 2), plane.sides[0], anchor="lm", **style)
    draw.text((side - 3, side / 2), plane.sides[1], anchor="rm", **style)
    draw.line((side - 5 - bar, side - 5, side - 3, side - 5), fill=INK, width=4)
    draw.line((side - 4 - bar, side - 5, side - 4, side - 5), fill=LIGHT, width=2)


def _text_size(side: int) -> int:
    return max(10, round(side / 13))
