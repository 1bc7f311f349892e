# SPDX-License-Identifier: Apache-2.0
"""The lungs in a chest CT: where to search for nodules, and how far to trust that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage

from ...utils import InputError
from .body import find_body
from .finish import MARGIN, add_margin
from .ladder import PROFILE_HU, Found, climb
from .report import record
from .shrink import SmallGrid, shrink, small_grid

LADDER = (-600, -500, -400, -320, -150)
MARGIN_MM = 7.0
MODES = ("auto", "none", "body")
_LEAST_ML = 50.0
_FULL_LENGTH_MM = 150.0
_LEAST_SCORE = 0.1
_REMEDY = 'give a CT of the chest in HU, or search the whole image: lung mask mode "none"'


@dataclass(frozen=True)
class LungMask:
    """Lungs of a scan on a grid of about 2 mm.

    Attributes:
        labels: uint8 (h, w, d), rows to the back, columns to the patient's left, slices to the head:
            0 outside, 1 right lung, 2 left lung, 3 margin around them (or all that is to be searched).
        affine: (4, 4) RAS mm of ``labels``.
        quality: plain record, see :func:`find_lungs`.
    """

    labels: np.ndarray
    affine: np.ndarray
    quality: dict[str, Any] = field(default_factory=dict)


def find_lungs(
    hu: np.ndarray,
    affine: np.ndarray,
    *,
    spacing_mm: float = 2.0,
    ladder: Sequence[int] = LADDER,
    margin_mm: float = MARGIN_MM,
    mode: str = "auto",
) -> LungMask:
    """Find the lungs in a CT of any stored direction.

    The scan is shrunk to about 2 mm. Air within the body is judged at each threshold of the ladder, and the
    level with the best score (see ``climb``) is kept. -600 HU is that of the DSB2017 winners
    (Liao et al. 2019, https://arxiv.org/abs/1711.08324), higher ones find dense lungs, and -150 is the
    highest that keeps fat out. Their 10 dilations of 0.7 mm are the margin of 7 mm.

    The result is never empty. Where the scan shows lung but no mask can be trusted, or where a crop shows
    part of the chest only, the body's box is to be searched (label 3), with a warning.

    ``quality`` has: "method" ("ladder", "body box" or "whole image"), "level_hu" (None without lungs),
    "scores" (level as text -> terms), "volumes_ml" {"right", "left"}, "slices" (first and last stored
    slice that show lung, from 0; None without), "warnings" (sentences) and "seconds".

    Args:
        hu: (H, W, D), any real type, at least one slice.
        affine: (4, 4) RAS mm of ``hu``.
        spacing_mm: voxel size to work at, mm; thicker slices are kept.
        ladder: thresholds, HU.
        margin_mm: how far the margin reaches beyond lungs and hulls, mm.
        mode: "auto"; "body": no lungs are looked for, the body's box is the result; "none": the whole image.

    Raises:
        InputError: no lung in the field of view (mode "auto"); arguments out of range; a bad shape or affine.
    """
    check_options(ladder, margin_mm, mode)
    start = time.perf_counter()
    grid = small_grid(hu.shape, affine, spacing_mm=spacing_mm)
    if mode == "none":
        labels, quality = np.full(grid.shape, MARGIN, np.uint8), record(method="whole image", grid=grid)
    else:
        labels, quality = _search(hu, grid, ladder=ladder, margin_mm=margin_mm, mode=mode)
    quality["seconds"] = round(time.perf_counter() - start, 3)
    return LungMask(labels, grid.affine, quality)


def _search(
    hu: np.ndarray, grid: SmallGrid, *, ladder: Sequence[int], margin_mm: float, mode: str
) -> tuple[np.ndarray, dict[str, Any]]:
    small = shrink(hu, grid).transpose(2, 0, 1)
    if mode == "body":
        box = body_box(find_body(small, spacing=grid.zyx).mask)
        return _stored(box), record(method="body box", grid=grid)
    found = climb(small, ladder=ladder, spacing=grid.zyx, middle_x=_middle(grid))
    _check_lung(found, small, grid)
    if found.total < _LEAST_SCORE or found.body.crop:
        body = np.zeros_like(found.body.mask) if found.body.crop else found.body.mask
        labels, method = body_box(body), "body box"
        if found.sides is not None:
            labels = np.where(found.sides > 0, found.sides, labels)
    else:
        labels, method = add_margin(found.sides, spacing=grid.zyx, margin_mm=margin_mm), "ladder"
    return _stored(labels), record(method=method, grid=grid, found=found)


def body_box(body: np.ndarray) -> np.ndarray:
    """Label 3 in the box around a body (z, y, x), everywhere where there is none."""
    labels = np.zeros(body.shape, np.uint8)
    box = ndimage.find_objects(body.astype(np.uint8))
    labels[box[0] if box else ...] = MARGIN
    return labels


def _middle(grid: SmallGrid) -> float:
    """The column where the world's x is 0, the middle of most scanners' tables."""
    first = grid.affine @ [(grid.shape[0] - 1) / 2, 0, (grid.shape[2] - 1) / 2, 1]
    return float(-first[0] / grid.affine[0, 1])


def _stored(labels: np.ndarray) -> np.ndarray:
    return labels.transpose(1, 2, 0)


def _check_lung(found: Found, small: np.ndarray, grid: SmallGrid) -> None:
    """A short scan need not hold as much; in a crop, air that is not enclosed may be lung too."""
    most = max((sum(terms["volumes_ml"].values()) for terms in found.scores.values()), default=0.0)
    if found.body.crop:
        most = np.count_nonzero(small < PROFILE_HU) * np.prod(grid.zyx) / 1000
    if most < _LEAST_ML * min(1.0, len(small) * grid.zyx[0] / _FULL_LENGTH_MM):
        raise InputError(
            f"no lung in the field of view ({most:.0f} ml of air that could be lung)", remedy=_REMEDY
        )


def check_options(ladder: Sequence[int], margin_mm: float, mode: str) -> None:
    """Refuse options out of range.

    Raises:
        InputError: an unknown mode, no threshold or one outside -1000..0 HU, a negative margin.
    """
    if mode not in MODES:
        raise InputError(f"lung mask mode {mode!r}", remedy=f"one of {', '.join(MODES)}")
    if not len(ladder) or not all(-1000 < level < 0 for level in ladder):
        raise InputError(f"ladder of thresholds {list(ladder)}", remedy="give HU between -1000 and 0")
    if not margin_mm >= 0:
        raise InputError(f"margin of {margin_mm} mm", remedy="give 0 or more")
