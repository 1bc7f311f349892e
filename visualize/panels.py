# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the figures: panels of one size, titles, legends, and rows of panels on one canvas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .checks import without_ignored
from .colors import ALPHA, Color, colors_for
from .overlays import overlay

PAPER, INK, FRAME = (255, 255, 255), (0, 0, 0), (128, 128, 128)
GAP = 6  # pixels between panels and around the figure


@dataclass(frozen=True)
class PanelSize:
    """How slices of one volume are scaled: by a whole number up, or by area averaging down.

    Args:
        width: panel width in pixels.
        height: panel height in pixels.
    """

    width: int
    height: int

    @classmethod
    def fit(cls, rows: int, columns: int, *, longest: int) -> PanelSize:
        """Choose the size at which the longer side of a (rows, columns) slice is about ``longest`` pixels.

        Small slices are enlarged by a whole factor, so that every pixel is a square block of equal size.
        """
        if max(rows, columns) <= longest:
            factor = longest // max(rows, columns)
            return cls(columns * factor, rows * factor)
        shrink = longest / max(rows, columns)
        return cls(max(1, round(columns * shrink)), max(1, round(rows * shrink)))


def draw_panel(
    slice_gray: np.ndarray,
    mask: np.ndarray | None,
    size: PanelSize,
    *,
    class_colors: Sequence[Color] | None = None,
    alpha: float = ALPHA,
) -> np.ndarray:
    """Scale one slice and its mask to the panel and draw the mask over it.

    The outline is drawn after scaling, so it is one pixel wide at any size.

    Args:
        slice_gray: (H, W) uint8.
        mask: (H, W) class indices, or None for the bare image.
        size: the panel's size.
        class_colors: RGB of classes 1..K.
        alpha: opacity of the tint, 0-1.

    Returns:
        (size.height, size.width, 3) uint8 RGB.
    """
    shrinks = size.height < slice_gray.shape[0] or size.width < slice_gray.shape[1]
    method = Image.Resampling.BOX if shrinks else Image.Resampling.NEAREST
    gray = np.asarray(Image.fromarray(slice_gray).resize((size.width, size.height), method))
    if mask is None:
        return np.repeat(gray[..., None], 3, axis=2)
    return overlay(gray, resize_mask(mask, size), class_colors=class_colors, alpha=alpha)


def resize_mask(mask: np.ndarray, size: PanelSize) -> np.ndarray:
    """Scale class indices to the panel without losing a class.

    Each panel pixel takes the class that covers most of it. A class too small to win anywhere keeps the one
    panel pixel that it covers most, so that a slice with a finding never looks empty.

    Args:
        mask: (H, W) class indices; 255 (not annotated) becomes background.
        size: the panel's size.

    Returns:
        (size.height, size.width) uint8 class indices.
    """
    mask = without_ignored(mask)
    target = (size.width, size.height)
    if size.height >= mask.shape[0] and size.width >= mask.shape[1]:
        return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(target, Image.Resampling.NEAREST))
    classes = np.unique(mask)
    covers = np.stack([_coverage(mask == index, target) for index in classes])
    scaled = classes[covers.argmax(axis=0)].astype(np.uint8)
    for index, cover in zip(classes, covers, strict=True):
        if index > 0 and not (scaled == index).any():
            scaled.flat[cover.argmax()] = index
    return scaled


def _coverage(member: np.ndarray, target: tuple[int, int]) -> np.ndarray:
    """Return the share of each panel pixel that a class covers, as float32 0-1."""
    return np.asarray(Image.fromarray(member.astype(np.float32)).resize(target, Image.Resampling.BOX))


def paste_panel(canvas: Image.Image, panel: np.ndarray, left: int, top: int) -> None:
    """Put a panel on a canvas in a thin gray frame: white image corners shall not run into the paper."""
    canvas.paste(Image.fromarray(panel), (left, top))
    box = (left - 1, top - 1, left + panel.shape[1], top + panel.shape[0])
    ImageDraw.Draw(canvas).rectangle(box, outline=FRAME)


def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own scalable font at ``size`` pixels; no font needs to be installed."""
    return ImageFont.load_default(size=size)


def text_width(text: str, size: int) -> int:
    """Return the width of a line of text in pixels."""
    return int(np.ceil(font(size).getlength(text)))


def fit_text(text: str, width: int, size: int) -> str:
    """Shorten a text with three dots until it is at most ``width`` pixels wide."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "...", size) > width:
        text = text[:-1]
    return text.rstrip() + "..."


def wrap_text(text: str, width: int, size: int) -> list[str]:
    """Break a text at spaces into lines of at most ``width`` pixels; longer words are shortened."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size) <= width:
            lines[-1] = joined
        else:
            lines.append(fit_text(word, width, size))
    return lines or [""]


def draw_titles(
    draw: ImageDraw.ImageDraw,
    titles: Sequence[Sequence[str]],
    lefts: Sequence[int],
    width: int,
    bottom: int,
    size: int,
) -> None:
    """Write the wrapped titles centred over their columns, their last lines ending at ``bottom``."""
    for lines, left in zip(titles, lefts, strict=True):
        for place, line in enumerate(lines):
            top = bottom - (len(lines) - place) * line_height(size)
            draw.text((left + width / 2, top), line, fill=INK, font=font(size), anchor="ma")


def line_height(size: int) -> int:
    """Return the distance between lines of text of ``size`` pixels."""
    return round(size * 1.3)


@dataclass(frozen=True)
class Legend:
    """Colour boxes with class names, broken into lines that fit a width.

    Args:
        class_names: names of classes 1..K.
        size: font size in pixels.
        class_colors: RGB of classes 1..K; None takes ``CLASS_COLORS``.
    """

    class_names: Sequence[str]
    size: int
    class_colors: Sequence[Color] | None = None

    def lines(self, width: int) -> list[list[int]]:
        """Group class indices (from 0) into lines of at most ``width`` pixels."""
        lines: list[list[int]] = []
        used = 0
        for index, name in enumerate(self.class_names):
            needed = self._entry_width(name)
            if not lines or used + needed > width:
                lines.append([])
                used = 0
            lines[-1].append(index)
            used += needed
        return lines

    def height(self, width: int) -> int:
        """Return the height in pixels at a given width."""
        return len(self.lines(width)) * line_height(self.size)

    def draw(self, draw: ImageDraw.ImageDraw, left: int, top: int, width: int) -> None:
        """Draw with the upper left corner at (left, top)."""
        colors = colors_for(len(self.class_names), self.class_colors)
        for line in self.lines(width):
            x = left
            for index in line:
                name = fit_text(self.class_names[index], width - 2 * self.size, self.size)
                draw.rectangle((x, top + 2, x + self.size, top + 2 + self.size), fill=colors[index])
                draw.text((x + round(1.5 * self.size), top), name, fill=INK, font=font(self.size))
                x += self._entry_width(name)
            top += line_height(self.size)

    def _entry_width(self, name: str) -> int:
        return round(2.5 * self.size) + text_width(name, self.size)
