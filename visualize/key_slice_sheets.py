# SPDX-License-Identifier: Apache-2.0
"""A sheet of key slices: each plain, beside itself with heat, its probabilities below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ..utils import InputError
from .colors import Color
from .heat_maps import blend_heat, resize_heat
from .key_slices import KeySlice
from .orientation import AxialView
from .panels import (
    GAP,
    INK,
    PAPER,
    PanelSize,
    draw_panel,
    fit_text,
    font,
    line_height,
    paste_panel,
    wrap_text,
)
from .windows import to_gray

BRAIN_WINDOW = (0.0, 80.0)  # HU: level 40, width 80
GRAY_WINDOW = (0.0, 255.0)  # of 8 bit images, windowed already


def compose_key_slices(
    image: np.ndarray,
    cards: Sequence[KeySlice],
    *,
    colors: Sequence[Color],
    affine: np.ndarray | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    window: tuple[float, float] | None = None,
    with_heat: bool = True,
    panel_pixels: int = 320,
) -> Image.Image:
    """Draw a sheet of key slices: each plain, beside itself with heat, its lines below.

    Args:
        image: (H, W, D) HU, or uint8 gray values.
        cards: the slices in the order of the sheet.
        colors: RGB of the classes.
        affine: (4, 4) of ``image`` in RAS mm, to turn the front up and mark the sides; None where unknown.
        title: line above the slices.
        notes: lines at the foot.
        window: values that become black and white; None takes the brain window, or 0-255 for uint8.
        with_heat: draw the second panel; without, a card is one panel.
        panel_pixels: about the length of a panel's longer side.

    Returns:
        RGB picture, two pairs or four single panels wide.

    Raises:
        InputError: no slice, or one that the image does not have.
    """
    if not cards or not all(0 <= card.index < image.shape[-1] for card in cards):
        raise InputError(f"key slices {[card.index for card in cards]} of {image.shape[-1]}")
    view = AxialView.of(affine)
    window = window or (GRAY_WINDOW if image.dtype == np.uint8 else BRAIN_WINDOW)
    size = PanelSize.fit(*view.apply(image[..., 0]).shape, longest=panel_pixels)
    sheet = _Sheet(size, max(11, round(panel_pixels / 21)), 2 if with_heat else 1, len(cards))
    blocks = [sheet.text_lines(card) for card in cards]
    canvas, tops = sheet.canvas(blocks, title, notes)
    for place, (card, block) in enumerate(zip(cards, blocks, strict=True)):
        gray = to_gray(view.apply(image[..., card.index]), window)
        plain = draw_panel(gray, None, size)
        heats = {k: resize_heat(view.apply(heat), *plain.shape[:2]) for k, heat in card.heats.items()}
        panels = [plain, blend_heat(plain[..., 0], heats, colors=colors)][: sheet.panels]
        left = sheet.left(place % sheet.across)
        sheet.draw_card(canvas, left, tops[place // sheet.across], panels, block, colors, view.known)
    return canvas


_Lines = list[tuple[int | None, str]]


@dataclass(frozen=True)
class _Sheet:
    """Where things lie: cards of some panels, with text below, in rows."""

    size: PanelSize
    text: int
    panels: int
    num_cards: int

    @property
    def across(self) -> int:
        return min(4 // self.panels, self.num_cards)

    @property
    def card_width(self) -> int:
        return self.panels * self.size.width + (self.panels - 1) * 2

    @property
    def width(self) -> int:
        return self.left(self.across) - GAP

    def left(self, column: int) -> int:
        return 2 * GAP + column * (self.card_width + 3 * GAP)

    def text_lines(self, card: KeySlice) -> _Lines:
        """Break a card's title and lines to its width; a line's colour stands before its first piece."""
        pieces: _Lines = [(None, fit_text(card.title, self.card_width, self.text))]
        for k, line in card.lines:
            indent = 0 if k is None else round(1.5 * self.text)
            for place, part in enumerate(wrap_text(line, self.card_width - indent, self.text)):
                pieces.append((k if place == 0 else None, part))
        return pieces

    def canvas(
        self, blocks: Sequence[_Lines], title: str, notes: Sequence[str]
    ) -> tuple[Image.Image, list[int]]:
        """Make the paper with title and notes; return it and the top of each row of cards."""
        step, inner = line_height(self.text), self.width - 4 * GAP
        heading = wrap_text(title, inner, self.text + 3) if title else []
        feet = [line for note in notes for line in wrap_text(note, inner, self.text)]
        top = 2 * GAP + len(heading) * line_height(self.text + 3)
        tops = []
        for first in range(0, len(blocks), self.across):
            tops.append(top)
            longest = max(map(len, blocks[first : first + self.across]))
            top += self.size.height + GAP + longest * step + 3 * GAP
        canvas = Image.new("RGB", (self.width, top + len(feet) * step + GAP), PAPER)
        draw = ImageDraw.Draw(canvas)
        for place, line in enumerate(heading):
            where = (2 * GAP, GAP + place * line_height(self.text + 3))
            draw.text(where, line, fill=INK, font=font(self.text + 3))
        for place, line in enumerate(feet):
            draw.text((2 * GAP, top + place * step), line, fill=(80, 80, 80), font=font(self.text))
        return canvas, tops

    def draw_card(
        self,
        canvas: Image.Image,
        left: int,
        top: int,
        panels: Sequence[np.ndarray],
        lines: _Lines,
        colors: Sequence[Color],
        sides: bool,
    ) -> None:
        draw = ImageDraw.Draw(canvas)
        for place, panel in enumerate(panels):
            x = left + place * (self.size.width + 2)
            paste_panel(canvas, panel, x, top)
            if sides:
                self._mark_sides(draw, x, top)
        y = top + self.size.height + GAP
        for place, (k, line) in enumerate(lines):
            shift = 0 if place == 0 else round(1.5 * self.text)
            if k is not None:
                draw.rectangle((left, y + 2, left + self.text, y + 2 + self.text), fill=colors[k])
            draw.text((left + shift, y), line, fill=INK, font=font(self.text))
            y += line_height(self.text)

    def _mark_sides(self, draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
        """Mark the patient's sides, light with a dark rim so that they show on bone and air."""
        middle, rim = top + self.size.height / 2, {"stroke_width": 1, "stroke_fill": INK}
        style = {"fill": (230, 230, 230), "font": font(self.text), **rim}
        draw.text((left + 4, middle), "R", anchor="lm", **style)
        draw.text((left + self.size.width - 4, middle), "L", anchor="rm", **style)
