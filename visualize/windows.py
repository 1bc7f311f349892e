# SPDX-License-Identifier: Apache-2.0
"""Gray values of any type to 8 bit, by one window a volume."""

from __future__ import annotations

import numpy as np

PERCENTILES = (0.5, 99.5)
_MAX_SAMPLES = 1 << 21  # of a float volume; the percentiles of two million values are stable to < 0.1 %


def robust_window(
    volume: np.ndarray, *, percentiles: tuple[float, float] = PERCENTILES
) -> tuple[float, float]:
    """Find the gray values that shall become black and white.

    One window serves all slices of a volume, so that slices can be compared. The volume is never copied: 8
    and 16 bit values are counted slice by slice, others are sampled on a regular grid.

    Args:
        volume: (H, W, D) or (H, W) array of any real type; NaN and infinities are ignored.
        percentiles: lower and upper percentile, 0-100.

    Returns:
        lower and upper gray value. Where the percentiles coincide (nearly empty volumes) the extremes are
        taken.
    """
    values, counts = _distribution(volume)
    if not counts.size:
        return 0.0, 0.0
    cumulative = np.cumsum(counts)
    low, high = (
        float(values[min(np.searchsorted(cumulative, cumulative[-1] * percentile / 100), values.size - 1)])
        for percentile in percentiles
    )
    return (low, high) if high > low else (float(values[0]), float(values[-1]))


def to_gray(pixels: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Map gray values linearly to 0-255 and clip.

    Args:
        pixels: array of any shape and real type, usually one slice (H, W). NaN becomes 0.
        window: the values that become 0 and 255, from :func:`robust_window`. If they are equal, all is 0.

    Returns:
        uint8 array of the same shape.
    """
    low, high = window
    if high <= low:
        return np.zeros(pixels.shape, dtype=np.uint8)
    scaled = (pixels.astype(np.float32) - low) * (255 / (high - low))
    return np.nan_to_num(np.clip(scaled, 0, 255), nan=0).round().astype(np.uint8)


def _distribution(volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ascending values and how often each occurs."""
    slices = np.moveaxis(np.atleast_3d(volume), -1, 0)
    if volume.dtype in (np.uint8, np.uint16):
        counts = sum(np.bincount(one.ravel(), minlength=np.iinfo(volume.dtype).max + 1) for one in slices)
        values = np.flatnonzero(counts)
        return values, counts[values]
    step = max(1, int(np.ceil((volume.size / _MAX_SAMPLES) ** 0.5)))
    sample = slices[:, ::step, ::step].ravel()
    return np.unique(sample[np.isfinite(sample)], return_counts=True)
