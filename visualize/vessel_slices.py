# SPDX-License-Identifier: Apache-2.0
"""A sheet of telling slices of a volume of any size: image, and vessels against the reference."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..utils import InputError, atomic_path
from .agreement import AGREEMENT_COLORS, AGREEMENT_NAMES, agreement
from .panels import GAP, PAPER, Legend, PanelSize, draw_panel, draw_titles, line_height, paste_panel
from .projections import AXES
from .selection import choose_slices
from .volume_like import VolumeLike, check_same_shape, read_slab, relative_spacing, slab_ranges
from .windows import robust_window, to_gray

PANEL_PIXELS = 480


def draw_slices(
    path: str | PathLike,
    image_volume: VolumeLike,
    mask_volume: VolumeLike,
    *,
    reference: VolumeLike | None = None,
    axis: int = 0,
    count: int = 6,
    slices: Sequence[int] | None = None,
    panel_pixels: int = PANEL_PIXELS,
) -> Path:
    """Draw slices in pairs, bare and with the vessels tinted and outlined.

    The masks are read once, slab by slab, to choose the slices; of the image only those are read.

    Args:
        path: PNG file to write.
        image_volume: (Z, Y, X) gray values; one window for all slices.
        mask_volume: (Z, Y, X), 0 is background.
        reference: (Z, Y, X), 0 is background; compared with the mask in three colours.
        axis: slices across z (0), y (1) or x (2).
        count: how many slices.
        slices: which slices, from 0; None takes those with most vessels (of the reference, where given),
            spread over the volume.
        panel_pixels: about the length of a panel's longer side; larger voxel sides are drawn longer.

    Returns:
        ``path``.

    Raises:
        InputError: shapes differ, an axis or a slice that is not there, or no slice asked for.
    """
    check_same_shape(image_volume, mask_volume, reference)
    if axis not in (0, 1, 2) or count < 1:
        raise InputError(f"axis {axis}, {count} slices", remedy="give axis 0, 1 or 2 and at least one slice")
    if slices is None:
        found = count_voxels(mask_volume if reference is None else reference, axis=axis)
        slices = choose_slices(found[None], count)
    depth = image_volume.shape[axis]
    if not slices or not all(0 <= index < depth for index in slices):
        raise InputError(f"slices {list(slices)} where 0 to {depth - 1} are possible", path=path)
    planes = [read_plane(image_volume, index, axis=axis) for index in slices]
    window = robust_window(np.stack(planes, axis=-1))
    size = _panel_size(image_volume, axis, panel_pixels)
    pairs = []
    for index, plane in zip(slices, planes, strict=True):
        masks = [
            None if one is None else read_plane(one, index, axis=axis) for one in (mask_volume, reference)
        ]
        gray = to_gray(plane, window)
        pairs.append(
            [
                draw_panel(gray, None, size),
                draw_panel(gray, agreement(*masks), size, class_colors=AGREEMENT_COLORS),
            ]
        )
    titles = [f"{AXES[axis]} = {index} (0 to {depth - 1})" for index in slices]
    names = ("vessel",) if reference is None else AGREEMENT_NAMES
    with atomic_path(path) as temporary:
        _compose(pairs, titles, names, size, text=max(12, panel_pixels // 26)).save(temporary, format="PNG")
    return Path(path)


def count_voxels(mask_volume: VolumeLike, *, axis: int = 0) -> np.ndarray:
    """Count the voxels of a mask in each slice, reading it slab by slab.

    Args:
        mask_volume: (Z, Y, X), 0 is background.
        axis: slices across z (0), y (1) or x (2).

    Returns:
        (number of slices,) int64.
    """
    counts = np.zeros(mask_volume.shape[axis], np.int64)
    others = tuple(one for one in range(3) if one != axis)
    for start, stop in slab_ranges(tuple(mask_volume.shape)):
        part = np.count_nonzero(read_slab(mask_volume, start, stop), axis=others)
        counts[slice(start, stop) if axis == 0 else slice(None)] += part
    return counts


def read_plane(volume: VolumeLike, index: int, *, axis: int = 0) -> np.ndarray:
    """Read one slice; its rows and columns are the other two axes in the order z, y, x."""
    box = [slice(0, size) for size in volume.shape]
    box[axis] = slice(index, index + 1)
    return np.squeeze(volume.read(tuple(box)), axis=axis)


def _panel_size(volume: VolumeLike, axis: int, longest: int) -> PanelSize:
    rows, columns = (size for place, size in enumerate(volume.shape) if place != axis)
    high, wide = (one for place, one in enumerate(relative_spacing(volume.spacing_um)) if place != axis)
    if np.isclose(high, wide):
        return PanelSize.fit(rows, columns, longest=longest)
    scale = longest / max(rows * high, columns * wide)
    return PanelSize(max(1, round(columns * wide * scale)), max(1, round(rows * high * scale)))


def _compose(
    pairs: list[list[np.ndarray]], titles: list[str], names: Sequence[str], size: PanelSize, *, text: int
) -> Image.Image:
    """Put two pairs in a row, the slice's number above each, the legend below."""
    columns = min(2, len(pairs))
    pair_width = 2 * size.width + GAP
    pitch = size.height + line_height(text) + 2 * GAP
    rows = -(-len(pairs) // columns)
    legend = Legend(names, text, AGREEMENT_COLORS)
    width = columns * (pair_width + 3 * GAP) + GAP
    sheet = Image.new("RGB", (width, rows * pitch + legend.height(width) + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, (pair, title) in enumerate(zip(pairs, titles, strict=True)):
        left, top = GAP + place % columns * (pair_width + 3 * GAP), GAP + place // columns * pitch
        draw_titles(draw, [[title]], [left], pair_width, top + line_height(text), text)
        for panel, x in zip(pair, (left, left + size.width + GAP), strict=True):
            paste_panel(sheet, panel, x, top + line_height(text) + GAP // 2)
    legend.draw(draw, GAP, rows * pitch + GAP, width - 2 * GAP)
    return sheet
