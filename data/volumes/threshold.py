# SPDX-License-Identifier: Apache-2.0
"""A mask that is computed from probabilities where it is read."""

from __future__ import annotations

import numpy as np

from .base import Box, Volume


class ThresholdVolume(Volume):
    """1 where a probability reaches the threshold, else 0.

    Args:
        probability: values 0-1.
        threshold: the least probability of a vessel, in (0, 1].
    """

    def __init__(self, probability: Volume, *, threshold: float) -> None:
        super().__init__(
            shape=probability.shape, dtype=np.uint8, spacing_um=probability.spacing_um, meta=probability.meta
        )
        self.probability = probability
        self.threshold = threshold
        self.random_access = probability.random_access

    def _read(self, box: Box) -> np.ndarray:
        return (self.probability.read(box) >= self.threshold).astype(np.uint8)
