# SPDX-License-Identifier: Apache-2.0
"""The classical baseline for vessels: Frangi's filter, its settings chosen on other specimens."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.filters import frangi

from tomobundles.metrics import surface_dice

SCALES = ((1.0, 2.0), (1.0, 2.0, 4.0), (2.0, 4.0, 8.0))
QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)

Case = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class FrangiSettings:
    """Frangi's vesselness (MICCAI 1998) above a share of its own values.

    Args:
        sigmas: scales in voxels.
        quantile: the share of a volume's voxels that is left below the threshold.
        planar: filter slice by slice, for slices much thicker than their pixels.
        dark: vessels darker than what is around them.
    """

    sigmas: Sequence[float]
    quantile: float
    planar: bool
    dark: bool

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Mask (Z, Y, X) of a gray volume."""
        return cut(vesselness(image, sigmas=self.sigmas, planar=self.planar, dark=self.dark), self.quantile)


def vesselness(image: np.ndarray, *, sigmas: Sequence[float], planar: bool, dark: bool) -> np.ndarray:
    """Frangi's filter of a volume (Z, Y, X), or of each of its slices."""
    image = image.astype(np.float32)
    options = {"sigmas": list(sigmas), "black_ridges": dark, "mode": "reflect"}
    if planar or len(image) == 1:
        return np.stack([frangi(plane, **options) for plane in image])
    return frangi(image, **options)


def cut(response: np.ndarray, quantile: float) -> np.ndarray:
    """Voxels above a quantile of the response."""
    return (response > np.quantile(response, quantile)).astype(np.uint8)


def choose_settings(cases: Iterable[Case], *, dark: bool) -> FrangiSettings:
    """The scales, the threshold and 2D or 3D with the best mean surface Dice on volumes with labels."""
    cases = list(cases)
    best, chosen = -1.0, None
    for sigmas, planar in itertools.product(SCALES, (False, True)):
        responses = [
            (vesselness(image, sigmas=sigmas, planar=planar, dark=dark), label) for image, label in cases
        ]
        for quantile in QUANTILES:
            scores = [surface_dice(cut(response, quantile), label) for response, label in responses]
            if np.mean(scores) > best:
                best = float(np.mean(scores))
                chosen = FrangiSettings(sigmas=sigmas, quantile=quantile, planar=planar, dark=dark)
    return chosen
