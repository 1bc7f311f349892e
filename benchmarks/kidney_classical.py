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
    """Frangi's vesselness (MICCAI 1998), cut at a quantile of each volume's own values.

    Args:
        sigmas: scales in voxels.
        planar: filter slice by slice, for slices much thicker than their pixels.
        quantile: the share of a volume's voxels that is left below the threshold.
    """

    sigmas: Sequence[float]
    planar: bool
    quantile: float


class FrangiBaseline:
    """The filter's answers to volumes with labels, each computed once.

    Args:
        cases: gray volumes (Z, Y, X) and their labels.
        dark: vessels darker than what is around them.
    """

    def __init__(self, cases: Sequence[Case], *, dark: bool) -> None:
        self.cases = list(cases)
        self.dark = dark
        self._scores: dict[tuple[int, FrangiSettings], float] = {}

    def choose(self, indices: Iterable[int]) -> FrangiSettings:
        """The scales, the threshold and 2D or 3D with the best mean surface Dice on some of the cases.

        Args:
            indices: of cases; those without vessels tell nothing and are left out.
        """
        shown = [index for index in indices if self.cases[index][1].any()]
        grid = itertools.product(SCALES, (False, True), QUANTILES)
        settings = [FrangiSettings(*one) for one in grid]
        return max(settings, key=lambda one: np.mean([self._score(index, one) for index in shown]))

    def mask(self, index: int, settings: FrangiSettings) -> np.ndarray:
        """Vessels (Z, Y, X) in one of the cases."""
        response = vesselness(
            self.cases[index][0], sigmas=settings.sigmas, planar=settings.planar, dark=self.dark
        )
        return cut(response, settings.quantile)

    def _score(self, index: int, settings: FrangiSettings) -> float:
        if (index, settings) not in self._scores:
            image, label = self.cases[index]
            response = vesselness(image, sigmas=settings.sigmas, planar=settings.planar, dark=self.dark)
            for quantile in QUANTILES:
                one = FrangiSettings(settings.sigmas, settings.planar, quantile)
                self._scores[index, one] = surface_dice(cut(response, quantile), label)
        return self._scores[index, settings]


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
