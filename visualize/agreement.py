# SPDX-License-Identifier: Apache-2.0
"""Prediction against reference in three colours."""

from __future__ import annotations

import numpy as np

from .colors import CLASS_COLORS

AGREEMENT_NAMES = ("in both", "prediction only", "reference only")
# The three that lie farthest apart for colour-blind readers: yellow, vermilion, sky blue.
AGREEMENT_COLORS = (CLASS_COLORS[2], CLASS_COLORS[1], CLASS_COLORS[0])


def agreement(prediction: np.ndarray, reference: np.ndarray | None) -> np.ndarray:
    """Say of each voxel or pixel which of two masks hold it.

    Args:
        prediction: 0 is background.
        reference: of the same shape; None is taken as equal to the prediction.

    Returns:
        uint8: 0 neither, 1 both, 2 the prediction alone, 3 the reference alone.
    """
    predicted = prediction != 0
    wanted = predicted if reference is None else reference != 0
    return np.where(predicted, np.where(wanted, 1, 2), np.where(wanted, 3, 0)).astype(np.uint8)
