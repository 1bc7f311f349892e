# SPDX-License-Identifier: Apache-2.0
"""Spheres on the lung grid and the three planes through them, as radiologists look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .colors import CLASS_COLORS

# Of the gray values of transforms.ct_window: 0-191 are -1200 to 148 HU, a lung window.
LUNG_WINDOW = (0.0, 191.0)
CANDIDATE, ANNOTATED = CLASS_COLORS[4], CLASS_COLORS[0]  # orange, sky blue
LIGHT = (235, 235, 235)


@dataclass(frozen=True)
class NoduleMark:
    """A sphere on the lung grid.

    Args:
        centre: i, j, k in voxels, fractions allowed.
        diameter_mm: above 0.
        label: short name, as the rank.
        lines: what to say about it.
    """

    centre: Sequence[float]
    diameter_mm: float
    label: str = ""
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Plane:
    """One of three planes of the lung grid (rows to the back, columns to the left, slices to the head).

    Args:
        name: shown on the picture.
        axis: that the plane cuts.
        down: axis that runs down the picture (from the head where it is the slices').
        across: axis that runs across it.
        sides: letters of the left and right edge.
    """

    name: str
    axis: int
    down: int
    across: int
    sides: tuple[str, str]

    def cut(self, volume: np.ndarray, index: int) -> np.ndarray:
        """Take one plane of (H, W, D), as it is shown; a view."""
        plane = np.moveaxis(volume, self.axis, 0)[index]
        return plane if self.axis == 2 else plane.T[::-1]

    def place(self, centre: Sequence[float], shape: Sequence[int]) -> tuple[float, float]:
        """Row and column of a point in the plane as it is shown."""
        row = centre[self.down]
        return (row if self.axis == 2 else shape[2] - 1 - row), centre[self.across]


PLANES = (
    Plane("axial", 2, 0, 1, ("R", "L")),
    Plane("coronal", 0, 2, 1, ("R", "L")),
    Plane("sagittal", 1, 2, 0, ("A", "P")),
)
