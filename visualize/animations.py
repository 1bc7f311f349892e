# SPDX-License-Identifier: Apache-2.0
"""Animated strips: a frame a slice; image, reference, prediction and other variants side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..utils import InputError, atomic_path
from .checks import check_volumes
from .colors import ALPHA, Color, colors_for
from .panels import (
    GAP,
    INK,
    PAPER,
    Legend,
    PanelSize,
    draw_panel,
    draw_titles,
    font,
    line_height,
    paste_panel,
    wrap_text,
)
from .windows import robust_window, to_gray

_TEXT = 13  # font size in pixels
_MAX_LEVELS = 40


def draw_animation(
    path: str | PathLike,
    image: np.ndarray,
    mask: np.ndarray,
    *,
    class_names: Sequence[str],
    reference: np.ndarray | None = None,
    others: Mapping[str, np.ndarray] | None = None,
    title: str = "Prediction",
    class_colors: Sequence[Color] | None = None,
    alpha: float = ALPHA,
    panel_pixels: int = 320,
    max_frames: int = 64,
    frame_ms: int = 120,
) -> Path:
    """Write an animated GIF that runs through the slices, one titled panel a variant.

    Panels from left to right: image, reference (where given), prediction, others. All frames share one
    palette made for this picture (gray levels, each class's tints and full colour), so that nothing flickers.

    Args:
        path: GIF file to write.
        image: (H, W, D) gray values of any real type, windowed once.
        mask: (H, W, D) predicted class indices.
        class_names: names of classes 1..K, for the legend.
        reference: (H, W, D) class indices of the ground truth; 255 (not annotated) is drawn as background.
        others: title -> (H, W, D) class indices of more variants.
        title: title of the prediction's panel.
        class_colors: RGB of classes 1..K; None takes the colour-blind-safe ``CLASS_COLORS``.
        alpha: opacity of the tint, 0-1.
        panel_pixels: length of a panel's longer side in pixels, about.
        max_frames: deeper volumes show this many slices, evenly spaced.
        frame_ms: time a frame stands, in ms.

    Returns:
        ``path``.

    Raises:
        InputError: a mask does not fit the image or holds a class without a name, or no frame is asked for.
    """
    columns = [] if reference is None else [("Reference", reference)]
    columns += [(title, mask), *(others or {}).items()]
    check_volumes(image, *(volume for _, volume in columns))
    if max_frames < 1:
        raise InputError(f"max_frames is {max_frames}", path=path, remedy="give 1 or more")
    depth = image.shape[-1]
    colors = colors_for(len(class_names), class_colors)
    strip = _Strip(
        ["Image", *(name for name, _ in columns)],
        PanelSize.fit(*image.shape[:2], longest=panel_pixels),
        class_names,
        colors,
    )
    window, palette = robust_window(image), make_palette(colors, alpha)
    frames = []
    for index in np.linspace(0, depth - 1, min(depth, max_frames)).round().astype(int):
        gray = to_gray(image[..., index], window)
        masks = [None, *(volume[..., index] for _, volume in columns)]
        panels = [draw_panel(gray, one, strip.size, class_colors=colors, alpha=alpha) for one in masks]
        frame = strip.frame(panels, f"Slice {index + 1}/{depth}")
        frames.append(frame.quantize(palette=palette, dither=Image.Dither.NONE))
    _save(path, frames, frame_ms)
    return Path(path)


def make_palette(class_colors: Sequence[Color], alpha: float) -> Image.Image:
    """Make the 256 colours of a frame: as many tints of each class as gray levels, and the full colours.

    Args:
        class_colors: RGB of classes 1..K, at most 8 or so for smooth tints.
        alpha: opacity of the tint, 0-1.

    Returns:
        1 x 1 palette image for ``Image.quantize``.
    """
    # More levels make larger files; nearer than Pillow's search grid of 4 they turn white into light gray.
    levels = min(_MAX_LEVELS, (256 - len(class_colors)) // (len(class_colors) + 1))
    gray = np.linspace(0, 255, levels)[:, None].repeat(3, axis=1)
    tints = [(1 - alpha) * gray + alpha * np.array(color) for color in class_colors]
    colors = np.concatenate([np.array(class_colors).reshape(-1, 3), gray, *tints])
    palette = Image.new("P", (1, 1))
    palette.putpalette(colors.round().astype(np.uint8).tobytes())
    return palette


class _Strip:
    """The fixed frame around the panels: titles above, slice number and legend below."""

    def __init__(
        self, titles: Sequence[str], size: PanelSize, class_names: Sequence[str], colors: Sequence[Color]
    ) -> None:
        self.size = size
        self.legend = Legend(class_names, _TEXT, colors)
        self.lefts = [GAP + place * (size.width + GAP) for place in range(len(titles))]
        self.titles = [wrap_text(title, size.width, _TEXT) for title in titles]
        self.top = GAP + max(map(len, self.titles)) * line_height(_TEXT)
        self.width = self.lefts[-1] + size.width + GAP

    def frame(self, panels: Sequence[np.ndarray], caption: str) -> Image.Image:
        """Draw one frame."""
        below = self.top + self.size.height + GAP
        legend_top = below + line_height(_TEXT)
        height = legend_top + self.legend.height(self.width - 2 * GAP) + GAP
        canvas = Image.new("RGB", (self.width, height), PAPER)
        draw = ImageDraw.Draw(canvas)
        draw_titles(draw, self.titles, self.lefts, self.size.width, self.top, _TEXT)
        for left, panel in zip(self.lefts, panels, strict=True):
            paste_panel(canvas, panel, left, self.top)
        draw.text((GAP, below), caption, fill=INK, font=font(_TEXT))
        self.legend.draw(draw, GAP, legend_top, self.width - 2 * GAP)
        return canvas


def _save(path: str | PathLike, frames: list[Image.Image], frame_ms: int) -> None:
    with atomic_path(path) as temporary:
        frames[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=frame_ms,
            loop=0,
            optimize=False,  # keeps the palette as made, the same for all frames
        )
