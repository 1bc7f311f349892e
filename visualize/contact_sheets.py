# SPDX-License-Identifier: Apache-2.0
"""Contact sheets: a few telling slices as rows; the image, the reference and each variant as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..utils import InputError, atomic_path
from .checks import IGNORE_LABEL, check_volumes
from .colors import ALPHA, Color
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
    text_width,
    wrap_text,
)
from .selection import choose_slices, count_pixels
from .windows import robust_window, to_gray


def draw_contact_sheet(
    path: str | PathLike,
    image: np.ndarray,
    columns: Mapping[str, np.ndarray],
    slices: Sequence[int] | None = None,
    *,
    class_names: Sequence[str],
    num_slices: int = 5,
    class_colors: Sequence[Color] | None = None,
    alpha: float = ALPHA,
    panel_pixels: int = 400,
) -> Path:
    """Draw slices as rows and the image and each mask as columns, with titles and a legend.

    Args:
        path: PNG file to write.
        image: (H, W, D) gray values of any real type.
        columns: title -> (H, W, D) class indices, drawn from left to right after the image; 255 (not
            annotated) is drawn as background.
        slices: 0-based slices to show; None takes the ``num_slices`` that show most, judged by the first mask
            (put the reference first) and spread over the depth.
        class_names: names of classes 1..K, for the legend.
        num_slices: number of rows when ``slices`` is None.
        class_colors: RGB of classes 1..K; None takes the colour-blind-safe ``CLASS_COLORS``.
        alpha: opacity of the tint, 0-1.
        panel_pixels: about the length of a panel's longer side in pixels; small slices are enlarged by a
            whole factor.

    Returns:
        ``path``.

    Raises:
        InputError: a mask does not fit the image, there is none, or a slice number is out of range.
    """
    check_volumes(image, *columns.values())
    if not columns:
        raise InputError("a contact sheet needs at least one mask", path=path)
    if slices is None:
        first = next(iter(columns.values()))
        counts = count_pixels(first, len(class_names), ignore_label=IGNORE_LABEL)
        slices = choose_slices(counts, num_slices)
    if not slices or not all(0 <= index < image.shape[-1] for index in slices):
        raise InputError(f"slices {list(slices)} where 0 to {image.shape[-1] - 1} are possible", path=path)
    size = PanelSize.fit(*image.shape[:2], longest=panel_pixels)
    window = robust_window(image)
    rows = [
        [
            draw_panel(to_gray(image[..., index], window), mask, size, class_colors=class_colors, alpha=alpha)
            for mask in (None, *(volume[..., index] for volume in columns.values()))
        ]
        for index in slices
    ]
    labels = [f"{index + 1}/{image.shape[-1]}" for index in slices]
    text = max(12, round(panel_pixels / 20))
    sheet = _compose(rows, labels, ["Image", *columns], Legend(class_names, text, class_colors), size)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")
    return Path(path)


def _compose(
    rows: list[list[np.ndarray]], labels: list[str], titles: list[str], legend: Legend, size: PanelSize
) -> Image.Image:
    """Put row labels, titles, panels and legend on a white sheet."""
    text = legend.size
    margin = 2 * GAP + max(text_width(label, text) for label in [*labels, "Slice"])
    lefts = [margin + place * (size.width + GAP) for place in range(len(titles))]
    wrapped = [wrap_text(title, size.width, text) for title in titles]
    top = GAP + max(map(len, wrapped)) * line_height(text) + GAP // 2
    width = lefts[-1] + size.width + GAP
    legend_top = top + len(rows) * (size.height + GAP) + GAP
    sheet = Image.new("RGB", (width, legend_top + legend.height(width - margin) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text(
        (margin - GAP, top - line_height(text) - GAP // 2), "Slice", fill=INK, font=font(text), anchor="ra"
    )
    draw_titles(draw, wrapped, lefts, size.width, top - GAP // 2, text)
    for place, (panels, label) in enumerate(zip(rows, labels, strict=True)):
        y = top + place * (size.height + GAP)
        draw.text((margin - GAP, y + size.height / 2), label, fill=INK, font=font(text), anchor="rm")
        for left, panel in zip(lefts, panels, strict=True):
            paste_panel(sheet, panel, left, y)
    legend.draw(draw, margin, legend_top, width - margin)
    return sheet
