# SPDX-License-Identifier: Apache-2.0
"""The chest phantom's hard cases: what makes lung segmentation fail, each drawn into a healthy chest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .chest_lungs import APEX_MM, BASE_MM, LEFT, RIGHT, Fluid, Lungs, Shrunken
from .chest_physics import LOWEST_HU

FAULTS = (
    "dense_lung", "effusion", "feet_first", "from_head", "padding", "small_lung", "thick", "wide_table"
)  # fmt: skip
THICK_MM = 5.0
PADDING_HU = -2000
_BELOW_MM, _ABOVE_MM = 10.0, 14.0  # of the lungs, on a usual scan
_BRAIN_MM = 300.0


def spoil_lungs(rng: np.random.Generator, lungs: Lungs, fault: str | None) -> Lungs:
    """The lungs of a patient with this fault; others leave them as they are."""
    side = int(rng.choice((RIGHT, LEFT)))
    if fault == "dense_lung":
        dense, rough = float(rng.uniform(-390, -330)), 35.0
        base, patchy = list(lungs.base_hu), list(lungs.patchy)
        base[side - 1], patchy[side - 1] = dense, rough
        return replace(lungs, base_hu=tuple(base), patchy=tuple(patchy))
    if fault == "small_lung":
        x = 66.0 if side == LEFT else -66.0
        return replace(lungs, shrunken=Shrunken(side, (x, 18.0, 66.0), (48.0, 50.0, 54.0)))
    if fault == "effusion":
        return replace(lungs, fluid=Fluid(side, float(rng.uniform(8, 26))))
    return lungs


def extent_mm(fault: str | None) -> tuple[float, float]:
    """Lowest and highest point of the scan, template mm."""
    return BASE_MM - _BELOW_MM, _BRAIN_MM if fault == "from_head" else APEX_MM + _ABOVE_MM


def padding_hu(fault: str | None) -> int:
    """What is stored outside the circle of reconstruction."""
    return PADDING_HU if fault == "padding" else LOWEST_HU
