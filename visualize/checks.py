# SPDX-License-Identifier: Apache-2.0
"""Checks on volumes and presence probabilities before anything is drawn or written."""

from __future__ import annotations

import numpy as np

from ..utils import InputError

IGNORE_LABEL = 255  # of pixels that a reference leaves open; drawn like background


def without_ignored(mask: np.ndarray) -> np.ndarray:
    """Return the mask with ``IGNORE_LABEL`` replaced by background; the mask itself where there is none."""
    ignored = mask == IGNORE_LABEL
    return np.where(ignored, 0, mask) if ignored.any() else mask


def check_volumes(image: np.ndarray, *masks: np.ndarray) -> None:
    """Check that the image is a volume and that each mask holds class indices on its grid.

    Args:
        image: (H, W, D) gray values.
        masks: (H, W, D) class indices 0-255 of an integer type.

    Raises:
        InputError: the image has not three axes, a mask differs in shape or is not of an integer type.
    """
    if image.ndim != 3 or 0 in image.shape:
        raise InputError(f"image of shape {image.shape} where (rows, columns, slices) is expected")
    for mask in masks:
        if mask.shape != image.shape:
            raise InputError(f"mask of shape {mask.shape} does not fit the image of shape {image.shape}")
        if mask.dtype.kind not in "ui":
            raise InputError(
                f"mask holds {mask.dtype} values",
                remedy="give class indices as integers: arg-max or label numbers, not logits or bool",
            )


def check_presence(presence: np.ndarray, num_classes: int, depth: int) -> None:
    """Check that presence probabilities are (K, D) and lie in 0-1.

    Args:
        presence: probability that class k + 1 is in slice d, (K, D).
        num_classes: number K of foreground classes.
        depth: number D of slices.

    Raises:
        InputError: another shape, a NaN, or a value outside 0-1.
    """
    if presence.shape != (num_classes, depth):
        raise InputError(
            f"presence of shape {presence.shape} where (classes, slices) = {(num_classes, depth)} is expected"
        )
    if not ((presence >= 0) & (presence <= 1)).all():  # false for NaN too
        raise InputError(
            "presence holds values outside 0-1 or NaN",
            remedy="give probabilities (after the sigmoid), not logits",
        )
