# SPDX-License-Identifier: Apache-2.0
"""Attention maps of a network over the slice that it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw

from ..utils import InputError, atomic_path
from .agreement import AGREEMENT_COLORS, AGREEMENT_NAMES, agreement
from .color_scales import draw_scale
from .heat_maps import resize_heat
from .panels import (
    GAP,
    PAPER,
    Legend,
    PanelSize,
    draw_panel,
    draw_titles,
    line_height,
    paste_panel,
    wrap_text,
)
from .windows import robust_window, to_gray

PANEL_PIXELS = 420
_OPACITY = 0.65  # of the heat: the tissue stays visible
_HEAT = (255 * colormaps["inferno"](np.arange(256))[:, :3]).round().astype(np.uint8)


def draw_attention_maps(
    path: str | PathLike,
    image: np.ndarray,
    attention: Sequence[np.ndarray],
    *,
    titles: Sequence[str] | None = None,
    prediction: np.ndarray | None = None,
    reference: np.ndarray | None = None,
    panel_pixels: int = PANEL_PIXELS,
) -> Path:
    """Draw the attention coefficients of each gate over a slice, beside it the prediction.

    Heat is the coefficient itself, 0-1, on the scale of matplotlib's inferno, not stretched: a gate that lets
    everything through is bright all over, one that shuts is dark.

    Args:
        path: PNG file to write.
        image: (H, W) gray values.
        attention: (h, w) coefficients 0-1 of each gate on any grid over the same field of view, coarse first.
        titles: name of each gate; None numbers them and says their grid.
        prediction: (H, W), 0 is background.
        reference: (H, W), 0 is background; drawn against the prediction in three colours.
        panel_pixels: about the length of a panel's longer side.

    Returns:
        ``path``.

    Raises:
        InputError: no map, one that is not two-dimensional or outside 0-1, another number of titles than of
            maps, or masks of another shape than the image.
    """
    names = _checked(path, image, attention, titles, prediction, reference)
    gray = to_gray(image, robust_window(image))
    size = PanelSize.fit(*image.shape, longest=panel_pixels)
    bare = draw_panel(gray, None, size)
    panels = [("Slice", bare)]
    if prediction is not None:
        title = "Prediction" if reference is None else "Prediction and reference"
        compared = agreement(prediction, reference)
        panels.append((title, draw_panel(gray, compared, size, class_colors=AGREEMENT_COLORS)))
    heats = (resize_heat(one, size.height, size.width) for one in attention)
    panels += [(name, _blend(bare, heat)) for name, heat in zip(names, heats, strict=True)]
    legend = () if prediction is None or reference is None else AGREEMENT_NAMES
    sheet = _compose(panels, size, legend, text=max(12, panel_pixels // 26))
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")
    return Path(path)


def _checked(
    path: str | PathLike,
    image: np.ndarray,
    attention: Sequence[np.ndarray],
    titles: Sequence[str] | None,
    *masks: np.ndarray | None,
) -> list[str]:
    if image.ndim != 2 or not attention or any(one.ndim != 2 for one in attention):
        shapes = [one.shape for one in attention]
        raise InputError(f"slice of shape {image.shape}, attention maps of shapes {shapes}", path=path)
    if not all(((one >= 0) & (one <= 1)).all() for one in attention):
        raise InputError("attention outside 0-1 or NaN", path=path, remedy="give coefficients, not logits")
    for mask in masks:
        if mask is not None and mask.shape != image.shape:
            raise InputError(
                f"slice of shape {image.shape} and mask of shape {mask.shape} do not fit", path=path
            )
    names = [f"Gate {place} ({one.shape[0]} x {one.shape[1]})" for place, one in enumerate(attention, 1)]
    if titles is not None and len(titles) != len(names):
        raise InputError(f"{len(titles)} titles for {len(names)} attention maps", path=path)
    return names if titles is None else list(titles)


def _blend(bare: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay the heat's colours over a slice, equally dense everywhere, so that bright tissue hides none."""
    colors = _HEAT[(255 * np.clip(heat, 0, 1)).round().astype(np.uint8)]
    return ((1 - _OPACITY) * bare + _OPACITY * colors).round().astype(np.uint8)


def _compose(
    panels: list[tuple[str, np.ndarray]], size: PanelSize, names: Sequence[str], *, text: int
) -> Image.Image:
    """Put the panels in rows of at most three, titles above them; below, the scale of heat and a legend."""
    columns = min(3, len(panels))
    wrapped = [wrap_text(title, size.width, text) for title, _ in panels]
    head = max(map(len, wrapped)) * line_height(text) + GAP
    pitch = size.height + head + GAP
    rows = -(-len(panels) // columns)
    legend = Legend(names, text, AGREEMENT_COLORS)
    width = columns * (size.width + GAP) + GAP
    bottom = rows * pitch + GAP
    height = bottom + line_height(text) + legend.height(width - 2 * GAP) + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, ((_, panel), title) in enumerate(zip(panels, wrapped, strict=True)):
        left, top = GAP + place % columns * (size.width + GAP), GAP + place // columns * pitch
        draw_titles(draw, [title], [left], size.width, top + head - GAP // 2, text)
        paste_panel(sheet, panel, left, top + head)
    draw_scale(draw, ("attention 0", "1"), _HEAT, GAP, bottom, size=text)
    legend.draw(draw, GAP, bottom + line_height(text), width - 2 * GAP)
    return sheet
