# SPDX-License-Identifier: Apache-2.0
"""Where candidates lie in the lungs, and where the lungs were found: projections and outlined slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from ..utils import InputError
from .colors import CLASS_COLORS
from .nodule_planes import ANNOTATED, CANDIDATE, LIGHT, LUNG_WINDOW, PLANES, NoduleMark, Plane
from .overlays import overlay
from .panels import INK, font, text_width
from .windows import robust_window, to_gray

LUNG_COLORS = (CLASS_COLORS[0], CLASS_COLORS[6], CLASS_COLORS[5])  # right, left, margin
_LEVELS = (0.25, 0.5, 0.75)  # of the lungs' height, from the feet
_BESIDE = 40  # gray of what lies beside the lungs in a projection
_PERCENTILES = (1.0, 95.0)  # the lungs' rim is bright: partial volume of the chest wall


def compose_projections(
    image: np.ndarray,
    marks: Sequence[NoduleMark],
    *,
    spacing: Sequence[float],
    lungs: np.ndarray | None = None,
    annotated: Sequence[NoduleMark] = (),
    height: int = 420,
) -> Image.Image:
    """Draw the lungs from the front and from the patient's left, each candidate a circle with its label.

    The gray is the mean of the lungs' voxels along the line of sight, as :func:`project` has it.

    Args:
        image: (H, W, D) uint8 gray on the lung grid.
        marks: candidates; the first is drawn on top.
        spacing: mm between rows, columns and slices.
        lungs: (H, W, D) labels, 1 and 2 are the lungs; or None.
        annotated: annotated nodules, drawn in blue without labels.
        height: of the picture in pixels.

    Returns:
        RGB picture, coronal and sagittal beside each other.

    Raises:
        InputError: lungs on another grid.
    """
    _check(image, lungs)
    parts = []
    for plane in PLANES[1:]:
        projected = project(image, plane.axis, lungs)
        shown = projected.T[::-1]
        parts.append(_draw(shown, plane, image.shape, spacing, height, marks, annotated))
    return _beside(parts)


def compose_lung_slices(
    image: np.ndarray, lungs: np.ndarray, *, spacing: Sequence[float], height: int = 260
) -> Image.Image:
    """Draw three axial slices and a coronal one with the lung mask: right blue, left green, margin purple.

    Args:
        image: (H, W, D) uint8 gray on the lung grid.
        lungs: (H, W, D) labels: 1 right, 2 left, 3 margin, 0 elsewhere.
        spacing: mm between rows, columns and slices.
        height: of the picture in pixels.

    Returns:
        RGB picture: axial at a quarter, a half and three quarters of the lungs' height, then coronal through
        their middle.

    Raises:
        InputError: lungs on another grid.
    """
    _check(image, lungs)
    cuts = [(PLANES[0], _at(lungs, 2, share)) for share in _LEVELS] + [(PLANES[1], _at(lungs, 0, 0.5))]
    parts = []
    for plane, index in cuts:
        gray = to_gray(plane.cut(image, index), LUNG_WINDOW)
        drawn = overlay(gray, np.minimum(plane.cut(lungs, index), 3), class_colors=LUNG_COLORS, alpha=0.2)
        parts.append(_draw(drawn, plane, image.shape, spacing, height))
    return _beside(parts)


def compose_marked_slices(
    image: np.ndarray,
    slices: Sequence[int],
    marks: Sequence[NoduleMark],
    *,
    spacing: Sequence[float],
    annotated: Sequence[NoduleMark] = (),
    height: int = 180,
) -> Image.Image:
    """Draw whole axial slices with the circles in which they cut spheres: marks orange, annotated blue.

    Args:
        image: (H, W, D) uint8 gray on the lung grid.
        slices: 0-based, drawn from left to right.
        marks: candidates, with their labels; the first is drawn on top.
        spacing: mm between rows, columns and slices.
        annotated: annotated nodules.
        height: of the picture in pixels.

    Returns:
        RGB picture, the slices beside each other.

    Raises:
        InputError: an image that is not (H, W, D) uint8, no slice, or one that it does not have.
    """
    _check(image, None)
    if not slices or not all(0 <= index < image.shape[2] for index in slices):
        raise InputError(f"slices {list(slices)} where 0 to {image.shape[2] - 1} are possible")
    axial, parts = PLANES[0], []
    for index in slices:
        gray = to_gray(axial.cut(image, index), LUNG_WINDOW)
        circles = (_cut(marks, index, spacing[2]), _cut(annotated, index, spacing[2]))
        parts.append(_draw(gray, axial, image.shape, spacing, height, *circles))
    return _beside(parts)


def _cut(marks: Sequence[NoduleMark], index: int, step: float) -> list[NoduleMark]:
    """The circles in which an axial slice cuts spheres."""
    circles = []
    for one in marks:
        square = (one.diameter_mm / 2) ** 2 - ((one.centre[2] - index) * step) ** 2
        # a sphere thinner than a slice is drawn in the slice nearest to it
        if square > 0 or abs(one.centre[2] - index) <= 0.5:
            circles.append(replace(one, diameter_mm=2 * math.sqrt(max(square, 0.0))))
    return circles


def project(image: np.ndarray, axis: int, lungs: np.ndarray | None) -> np.ndarray:
    """Project a volume like a radiograph of the lungs alone: the mean of their voxels along ``axis``.

    The brightest voxel would show the lungs' border and their vessels only, in lungs of 200 mm.

    Args:
        image: (H, W, D) uint8.
        axis: 0, 1 or 2.
        lungs: (H, W, D) labels, 1 and 2 count; None, or none of them, for all voxels.

    Returns:
        uint8 of the two other axes, windowed by its own percentiles; dark gray beside the lungs.
    """
    if lungs is None:
        mean = image.mean(axis=axis, dtype=np.float32)
        return to_gray(mean, robust_window(mean, percentiles=_PERCENTILES))
    shape = tuple(size for other, size in enumerate(image.shape) if other != axis)
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for index in range(image.shape[axis]):  # plane by plane: no copy of the volume
        plane, labels = (np.moveaxis(one, axis, 0)[index] for one in (image, lungs))
        inside = (labels == 1) | (labels == 2)
        total += plane * inside
        count += inside
    if not count.any():  # a mask that searches the whole body
        return project(image, axis, None)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    gray = to_gray(mean, robust_window(mean, percentiles=_PERCENTILES))
    return np.where(count > 0, gray, np.uint8(_BESIDE))


def _check(image: np.ndarray, lungs: np.ndarray | None) -> None:
    if image.ndim != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"image {image.dtype} {image.shape} where (H, W, D) uint8 is expected")
    if lungs is not None and lungs.shape != image.shape:
        raise InputError(f"lungs of shape {lungs.shape} do not fit the image of shape {image.shape}")


def _at(lungs: np.ndarray, axis: int, share: float) -> int:
    """Index at a share of the lungs' extent along an axis; of the volume's where there are none."""
    others = tuple(other for other in range(3) if other != axis)
    there = np.flatnonzero(((lungs == 1) | (lungs == 2)).any(axis=others))
    first, last = (there[0], there[-1]) if there.size else (0, lungs.shape[axis] - 1)
    return round(float(first + share * (last - first)))


def _draw(
    shown: np.ndarray,
    plane: Plane,
    shape: tuple[int, ...],
    spacing: Sequence[float],
    height: int,
    marks: Sequence[NoduleMark] = (),
    annotated: Sequence[NoduleMark] = (),
) -> Image.Image:
    """Scale a plane to ``height`` with square millimetres and draw the marks."""
    steps = np.array([spacing[plane.down], spacing[plane.across]], np.float64)
    scale = height / (shown.shape[0] * steps[0])
    size = (max(1, round(shown.shape[1] * steps[1] * scale)), height)
    picture = Image.fromarray(shown).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    draw = ImageDraw.Draw(picture)
    rim = {"stroke_width": 1, "stroke_fill": INK}
    pairs = [(one, ANNOTATED) for one in annotated] + [(one, CANDIDATE) for one in reversed(marks)]
    for one, color in pairs:
        row, column = (np.array(plane.place(one.centre, shape)) + 0.5) * steps * scale - 0.5
        radius = max(one.diameter_mm / 2 * scale, 3)
        draw.ellipse((column - radius, row - radius, column + radius, row + radius), outline=color, width=2)
        if one.label:
            where = (min(column + radius + 2, size[0] - text_width(one.label, 13) - 2), row - radius)
            draw.text(where, one.label, anchor="ls", fill=color, font=font(13), **rim)
    style = {"fill": LIGHT, "font": font(13), **rim}
    draw.text((4, 2), plane.name, **style)
    draw.text((4, height / 2), plane.sides[0], anchor="lm", **style)
    draw.text((size[0] - 4, height / 2), plane.sides[1], anchor="rm", **style)
    return picture


def _beside(parts: Sequence[Image.Image]) -> Image.Image:
    width = sum(part.width for part in parts) + 4 * (len(parts) - 1)
    whole = Image.new("RGB", (width, max(part.height for part in parts)), INK)
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width + 4
    return whole
