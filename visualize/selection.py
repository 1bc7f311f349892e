# SPDX-License-Identifier: Apache-2.0
"""Which slices are worth showing: pixels of each class in each slice, and a choice spread over the depth."""

from __future__ import annotations

import numpy as np

from ..utils import InputError


def count_pixels(mask: np.ndarray, num_classes: int, *, ignore_label: int | None = None) -> np.ndarray:
    """Count the pixels of each foreground class in each slice.

    Args:
        mask: (H, W, D) class indices, 0 background, 1..K foreground.
        num_classes: number K of foreground classes.
        ignore_label: label of pixels that belong to no class, or None.

    Returns:
        (K, D) int64 counts; row k belongs to class k + 1.

    Raises:
        InputError: the mask holds a class above K or below 0.
    """
    counts = np.zeros((num_classes, mask.shape[-1]), dtype=np.int64)
    for index in range(mask.shape[-1]):
        pixels = mask[..., index].ravel().astype(np.intp, copy=False)
        if ignore_label is not None:
            pixels = pixels[pixels != ignore_label]
        if pixels.min(initial=0) < 0:
            raise InputError(
                f"mask holds class {pixels.min()} in slice {index + 1}",
                remedy="class indices are 0, 1, 2, ...: replace ignored pixels by 0 first",
            )
        found = np.bincount(pixels, minlength=num_classes + 1)
        if found.size > num_classes + 1:
            raise InputError(
                f"mask holds class {found.size - 1} in slice {index + 1}, but classes end at {num_classes}",
                remedy="map the label's gray values to class indices 0, 1, 2, ... first",
            )
        counts[:, index] = found[1:]
    return counts


def choose_slices(counts: np.ndarray, num_slices: int) -> list[int]:
    """Choose the slices that show most, spread over the depth.

    Each class is shown where it is largest, rarest class first; the other places go one by one to the slice
    with the best product of content (classes present, and share of each class's largest area) and
    squared distance to the slices already chosen. Without any finding the choice is evenly spaced.

    Args:
        counts: (K, D) pixels of each class in each slice, from :func:`count_pixels`.
        num_slices: how many slices to choose; all D if there are fewer.

    Returns:
        ascending 0-based slice indices.
    """
    depth = counts.shape[1]
    num_slices = min(num_slices, depth)
    if not counts.any():
        return [int((2 * place + 1) * depth // (2 * num_slices)) for place in range(num_slices)]
    chosen: list[int] = []
    totals = counts.sum(axis=1)
    for row in sorted(np.flatnonzero(totals), key=lambda row: totals[row])[:num_slices]:
        best = int(counts[row].argmax())
        if best not in chosen:
            chosen.append(best)
    content = _content(counts)
    while len(chosen) < num_slices:
        distance = np.abs(np.arange(depth)[:, None] - np.array(chosen)).min(axis=1)
        spread = np.minimum(distance * num_slices / depth, 1.0) ** 2  # no gain beyond even spacing
        # The small constant lets empty slices in when nothing else is left.
        chosen.append(int(((content + 1e-3) * spread).argmax()))
    return sorted(chosen)


def _content(counts: np.ndarray) -> np.ndarray:
    """Score each slice 0-2: mean over classes of presence plus area relative to the class's largest."""
    relative = counts / np.maximum(counts.max(axis=1, keepdims=True), 1)
    return ((counts > 0) + relative).mean(axis=0)
