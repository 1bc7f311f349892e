# SPDX-License-Identifier: Apache-2.0
"""Maximum-intensity projections as PNG: gray values, vessels coloured by depth, prediction and reference."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw

from ..utils import atomic_path
from .agreement import AGREEMENT_COLORS, AGREEMENT_NAMES, agreement
from .color_scales import draw_scale, scale_width
from .panels import GAP, PAPER, Legend, line_height, text_width
from .projections import AXES, Projections, project
from .volume_like import VolumeLike, relative_spacing
from .windows import robust_window, to_gray

MAX_PIXELS = 2000  # of the longer side
SMALL_PIXELS = 600  # up to which small volumes are enlarged
# near to far; the darkest colours are left to the ground
_DEPTHS = (255 * colormaps["plasma"](np.arange(255, 40, -1))[:, :3]).round().astype(np.uint8)
_FAR = np.iinfo(np.int32).max


def draw_projections(
    folder: str | PathLike,
    image_volume: VolumeLike,
    mask_volume: VolumeLike,
    *,
    reference: VolumeLike | None = None,
    max_pixels: int = MAX_PIXELS,
) -> dict[str, Path]:
    """Write maximum-intensity projections along the three axes.

    Each volume is read once, slab by slab. Pixels are square in space: axes with larger voxels are drawn
    larger. Pictures longer than ``max_pixels`` are reduced by the maximum, so that thin vessels stay.

    Args:
        folder: PNGs are written here: ``image_z.png``, ``vessels_z.png`` and, with a reference,
            ``agreement_z.png``; and so for y and x.
        image_volume: (Z, Y, X) gray values; their 0.5 and 99.5 percentiles are drawn black and white.
        mask_volume: (Z, Y, X), 0 is background; coloured by the depth at which the line of sight meets it.
        reference: (Z, Y, X), 0 is background; drawn against the mask in three colours.
        max_pixels: longest side of the projection, the legend below left out.

    Returns:
        name without ".png" -> file.

    Raises:
        InputError: shapes differ.
    """
    known = mask_volume.spacing_um or image_volume.spacing_um
    spacing = relative_spacing(known)
    views = project(image_volume, mask_volume, reference=reference)
    written = {}
    for axis, view in enumerate(views):
        size = picture_size(view.image.shape, _in_plane(spacing, axis), longest=max_pixels)
        depth_mm = None if known is None else known[axis] * mask_volume.shape[axis] / 1000
        pictures = {
            "image": _gray(view, size),
            "vessels": _with_scale(_depth_colors(view, size, mask_volume.shape[axis]), AXES[axis], depth_mm),
        }
        if view.reference is not None:
            pictures["agreement"] = _with_legend(_agreement_colors(view, size))
        for kind, picture in pictures.items():
            name = f"{kind}_{AXES[axis]}"
            written[name] = Path(folder) / f"{name}.png"
            with atomic_path(written[name]) as temporary:
                picture.save(temporary, format="PNG")
    return written


def picture_size(shape: tuple[int, int], spacing: tuple[float, float], *, longest: int) -> tuple[int, int]:
    """Choose rows and columns with square pixels.

    They are as wide as the smaller side of a voxel, a whole fraction of it in small pictures, and wider to
    fit large ones.

    Args:
        shape: rows and columns of the plane.
        spacing: their voxel size.
        longest: largest number of rows or columns.
    """
    extent = np.array(shape) * np.array(spacing)
    pixel = min(spacing) / max(1, int(SMALL_PIXELS * min(spacing) / extent.max()))
    pixel = max(pixel, extent.max() / longest)
    rows, columns = np.maximum(1, np.rint(extent / pixel).astype(int)).tolist()
    return rows, columns


def resize_plane(plane: np.ndarray, size: tuple[int, int], *, pool: np.ufunc) -> np.ndarray:
    """Resize by pooling the pixels that fall together, and repeating them where there are more.

    Args:
        plane: (H, W).
        size: rows and columns wanted.
        pool: ``np.maximum``, ``np.minimum`` or ``np.logical_or``.

    Returns:
        array of ``size`` and the type of ``plane``.
    """
    for axis, wanted in enumerate(size):
        have = plane.shape[axis]
        if wanted < have:
            plane = pool.reduceat(plane, np.arange(wanted) * have // wanted, axis=axis)
        else:
            plane = plane.take((2 * np.arange(wanted) + 1) * have // (2 * wanted), axis=axis)
    return plane


def _in_plane(spacing: tuple[float, float, float], axis: int) -> tuple[float, float]:
    rows, columns = (size for place, size in enumerate(spacing) if place != axis)
    return rows, columns


def _gray(view: Projections, size: tuple[int, int]) -> Image.Image:
    plane = resize_plane(view.image, size, pool=np.maximum)
    return Image.fromarray(to_gray(plane, robust_window(plane)))


def _depth_colors(view: Projections, size: tuple[int, int], depth: int) -> np.ndarray:
    """Return (rows, columns, 3) uint8: near vessels bright, far ones dark, ground black."""
    first = resize_plane(np.where(view.mask, view.depth, _FAR), size, pool=np.minimum)
    colors = _DEPTHS[np.where(first == _FAR, 0, first) * (len(_DEPTHS) - 1) // max(depth - 1, 1)]
    colors[first == _FAR] = 0
    return colors


def _agreement_colors(view: Projections, size: tuple[int, int]) -> np.ndarray:
    masks = (resize_plane(mask, size, pool=np.logical_or) for mask in (view.mask, view.reference))
    return np.array([(0, 0, 0), *AGREEMENT_COLORS], np.uint8)[agreement(*masks)]


def _with_scale(pixels: np.ndarray, axis: str, depth_mm: float | None) -> Image.Image:
    """Add the scale of depths below a picture."""
    ends = (f"{axis} = 0", "last slice" if depth_mm is None else f"{depth_mm:.3g} mm")

    def draw(canvas: ImageDraw.ImageDraw, left: int, top: int, size: int) -> None:
        draw_scale(canvas, ends, _DEPTHS, left, top, size=size)

    return _with_strip(pixels, draw, lambda size: scale_width(ends, size=size))


def _with_legend(pixels: np.ndarray) -> Image.Image:
    def draw(canvas: ImageDraw.ImageDraw, left: int, top: int, size: int) -> None:
        legend = Legend(AGREEMENT_NAMES, size, AGREEMENT_COLORS)
        legend.draw(canvas, left, top, 1 << 20)

    return _with_strip(
        pixels, draw, lambda size: sum(text_width(name, size) + 3 * size for name in AGREEMENT_NAMES)
    )


def _with_strip(
    pixels: np.ndarray,
    draw: Callable[[ImageDraw.ImageDraw, int, int, int], None],
    needed: Callable[[int], int],
) -> Image.Image:
    """Put a white strip with a legend below a picture, widened where the legend is wider."""
    rows, columns = pixels.shape[:2]
    size = int(np.clip(max(rows, columns) // 40, 12, 36))
    sheet = Image.new(
        "RGB", (max(columns, needed(size) + 2 * GAP), rows + line_height(size) + 2 * GAP), PAPER
    )
    sheet.paste(Image.fromarray(pixels), (0, 0))
    draw(ImageDraw.Draw(sheet), GAP, rows + GAP, size)
    return sheet
