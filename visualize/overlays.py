# SPDX-License-Identifier: Apache-2.0
"""Class masks drawn over gray slices: one picture, or one PNG a slice.

``monai.visualize.blend_images`` takes its colours from a colormap after rescaling each label to 0-1, so a
class would change colour from slice to slice; here a class has one colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils import InputError
from .checks import check_volumes, without_ignored
from .colors import ALPHA, Color, colors_for
from .folders import atomic_folder
from .windows import robust_window, to_gray


def overlay(
    slice_gray: np.ndarray,
    mask: np.ndarray,
    *,
    class_colors: Sequence[Color] | None = None,
    alpha: float = ALPHA,
    contour: bool = True,
) -> np.ndarray:
    """Tint the classes of one slice and outline them.

    Args:
        slice_gray: (H, W) uint8.
        mask: (H, W) class indices, 0 background, 1..K foreground; 255 (not annotated) is drawn as background.
        class_colors: RGB 0-255 of classes 1..K; None takes the colour-blind-safe ``CLASS_COLORS``.
        alpha: opacity of the tint, 0 (outline only) to 1.
        contour: draw each class's outermost pixels in full colour.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: shapes differ, the image is not uint8, the mask is not of an integer type, alpha is out of
            range, or a class has no colour.
    """
    _check_slice(slice_gray, mask, alpha)
    mask = without_ignored(mask)
    colors = colors_for(int(mask.max(initial=0)), class_colors)
    drawn = _tint_table(colors, alpha)[slice_gray, mask]
    if contour and colors:
        edge = class_edges(mask)
        drawn[edge] = np.array(colors, dtype=np.uint8)[mask[edge] - 1]
    return drawn


def class_edges(mask: np.ndarray) -> np.ndarray:
    """Find foreground pixels with one of their four neighbours in another class.

    Args:
        mask: (H, W) class indices.

    Returns:
        (H, W) bool; pixels at the picture's border count as edges only if a neighbour inside differs.
    """
    edge = np.zeros(mask.shape, dtype=bool)
    vertical, horizontal = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    edge[1:] |= vertical
    edge[:-1] |= vertical
    edge[:, 1:] |= horizontal
    edge[:, :-1] |= horizontal
    return edge & (mask > 0)


def draw_overlays(
    folder: str | PathLike,
    image: np.ndarray,
    mask: np.ndarray,
    *,
    names: Sequence[str] | None = None,
    only_findings: bool = False,
    class_colors: Sequence[Color] | None = None,
    alpha: float = ALPHA,
    contour: bool = True,
) -> list[Path]:
    """Write one overlay PNG a slice, at the image's own size.

    Args:
        folder: folder to write; an older one is replaced when the new one is complete.
        image: (H, W, D) gray values of any real type, windowed once by :func:`robust_window`.
        mask: (H, W, D) class indices.
        names: file name stems of the D slices; None numbers them from 1.
        only_findings: leave out slices whose mask is all background.
        class_colors: RGB of classes 1..K.
        alpha: opacity of the tint, 0-1.
        contour: outline the classes.

    Returns:
        the PNG files, in slice order.

    Raises:
        InputError: image and mask differ in shape, or ``names`` does not name each slice once.
    """
    check_volumes(image, mask)
    depth = image.shape[-1]
    stems = [f"{index:03d}" for index in range(1, depth + 1)] if names is None else list(names)
    if len(set(stems)) != depth:
        raise InputError(f"{len(set(stems))} different names for {depth} slices", path=folder)
    window = robust_window(image)
    chosen = [index for index in range(depth) if not only_findings or mask[..., index].any()]
    options = {"class_colors": class_colors, "alpha": alpha, "contour": contour}
    with atomic_folder(folder) as fresh:
        for index in chosen:
            drawn = overlay(to_gray(image[..., index], window), mask[..., index], **options)
            Image.fromarray(drawn).save(fresh / f"{stems[index]}.png", compress_level=1)
    return [Path(folder) / f"{stems[index]}.png" for index in chosen]


def _check_slice(slice_gray: np.ndarray, mask: np.ndarray, alpha: float) -> None:
    if slice_gray.dtype != np.uint8:
        raise InputError(
            f"slice of type {slice_gray.dtype} where uint8 is expected", remedy="use to_gray first"
        )
    if slice_gray.shape != mask.shape or slice_gray.ndim != 2:
        raise InputError(f"slice of shape {slice_gray.shape} and mask of shape {mask.shape} do not fit")
    if mask.dtype.kind not in "ui":
        raise InputError(
            f"mask of type {mask.dtype} where class indices are expected", remedy="give integers"
        )
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}", remedy="give an opacity from 0 to 1")


def _tint_table(colors: Sequence[Color], alpha: float) -> np.ndarray:
    """Return (256, K + 1, 3) uint8: the RGB of each gray value under each class (0: no tint)."""
    gray = np.arange(256, dtype=np.float32)[:, None, None]
    tinted = (1 - alpha) * gray + alpha * np.array(colors, dtype=np.float32).reshape(1, -1, 3)
    plain = np.broadcast_to(gray, (256, 1, 3))
    return np.concatenate([plain, tinted], axis=1).round().astype(np.uint8)
