# SPDX-License-Identifier: Apache-2.0
"""A volume whose grays are scaled to 0-1 where it is read."""

from __future__ import annotations

import math

import numpy as np

from ...utils import InputError
from .base import Box, Volume


class NormalisedVolume(Volume):
    """Grays scaled so that ``low`` becomes 0 and ``high`` 1, float32, with soft tails.

    x = (gray - low) / (high - low); x > 1 becomes 1 + slope * (x - 1), x < 0 becomes slope * x: what is
    brighter or darker than nearly all voxels stays apart without spreading the range. (The scaling that most
    solutions of the SenNet + HOA contest share, with percentiles 10 and 99.8; see ``measure_intensity``.)

    Args:
        source: volume of any data type.
        low: gray that becomes 0.
        high: gray that becomes 1.
        slope: of the tails, 0 (clipped) to 1 (straight on).

    Raises:
        InputError: ``high`` is not above ``low``, either is not finite, or a slope outside [0, 1].
    """

    def __init__(self, source: Volume, *, low: float, high: float, slope: float = 0.01) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high) or not 0 <= slope <= 1:
            raise InputError(
                f"grays from {low} to {high}, slope {slope}",
                path=source.path or None,
                remedy="low must be below high, both finite, slope between 0 and 1",
            )
        super().__init__(shape=source.shape, dtype=np.float32, spacing_um=source.spacing_um, meta=source.meta)
        self.source = source
        self.low = float(low)
        self.high = float(high)
        self.slope = float(slope)
        self.random_access = source.random_access

    def _read(self, box: Box) -> np.ndarray:
        values = self.source.read(box)
        # a difference of large 32-bit integers does not fit float32
        wide = values.dtype.itemsize > 2
        values = values.astype(np.float64 if wide else np.float32)
        values -= self.low
        values /= self.high - self.low
        middle = np.clip(values, 0, 1)
        values -= middle
        values *= self.slope
        values += middle
        return values.astype(np.float32, copy=False)
