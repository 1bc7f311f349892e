# SPDX-License-Identifier: Apache-2.0
"""Scores by the radius of the vessel: how well are the thin ones found, how well the thick ones?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..utils import InputError
from .vessel_counts import scores_of_counts
from .vessel_radius import voxel_radius

_MOST_BANDS = 127  # bands of the reference and of the prediction share one byte


def band_edges(bounds: Sequence[float]) -> tuple[float, ...]:
    """Edges of radius bands that cover all radii: 0 first, infinity last, added where they are missing.

    Args:
        bounds: ascending radii.

    Raises:
        InputError: bounds that do not ascend from 0, none, or more than 127 bands.
    """
    edges = [float(bound) for bound in bounds]
    if not edges or edges[0] != 0:
        edges.insert(0, 0.0)
    if edges[-1] != math.inf:
        edges.append(math.inf)
    ascending = all(low < high for low, high in pairwise(edges))
    if not ascending or len(edges) - 1 > _MOST_BANDS:
        raise InputError(f"radius bands {list(bounds)}", remedy="give ascending radii, as 0, 2, 4, 8, inf")
    return tuple(edges)


def encode_bands(
    prediction: np.ndarray,
    reference: np.ndarray,
    *,
    lines: tuple[np.ndarray, np.ndarray],
    core: slice,
    edges: Sequence[float],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> np.ndarray:
    """Band of each voxel: by the reference's vessel, and where it has none, by the prediction's.

    Args:
        prediction: ``(dz, Y, X)`` uint8 0 and 1, with a margin.
        reference: the same shape and values.
        lines: centre-lines of prediction and reference, the same shape, bool.
        core: the slices that are asked for.
        edges: B + 1 radii from ``band_edges``; a radius on an edge belongs to the band above.
        spacing: voxel size z, y, x in the unit of the edges.

    Returns:
        ``(core slices, Y, X)`` uint8: 0 in neither mask; 1 to B band of a voxel of the prediction alone;
        B + 1 to 2B band of a voxel of the reference. The larger of two voxels is thus the reference's.
    """
    codes = np.zeros(prediction[core].shape, dtype=np.uint8)
    number = len(edges) - 1
    for mask, line, first in ((prediction, lines[0], 1), (reference, lines[1], number + 1)):
        voxels, radius = voxel_radius(mask, line, within=core, spacing=spacing)
        codes[tuple(voxels.T)] = _band_of(radius, edges) + first
    return codes


class BandScores:
    """Voxels and centre-line voxels of each band, gathered slab by slab.

    Args:
        edges: B + 1 radii from ``band_edges``.
        unit: of the edges, for the rows: "voxels" or "um".
    """

    def __init__(self, edges: Sequence[float], *, unit: str = "voxels") -> None:
        self.edges = tuple(edges)
        self.unit = unit
        number = len(self.edges) - 1
        self._voxels = np.zeros((3, number), dtype=np.int64)  # true positive, false positive, false negative
        self._line = np.zeros((2, number), dtype=np.int64)  # covered, all voxels of the reference's line

    def update(self, prediction: np.ndarray, codes: np.ndarray, line: np.ndarray) -> None:
        """Take in some slices; leave out what must not count by setting its code to 0.

        Args:
            prediction: ``(dz, Y, X)`` uint8 0 and 1.
            codes: from ``encode_bands``, the same shape.
            line: the reference's centre-line, bool, the same shape.
        """
        number = len(self.edges) - 1
        where = np.flatnonzero(codes)
        code = codes.ravel()[where].astype(np.intp)
        predicted = prediction.ravel()[where] != 0
        wanted = code > number
        on_line = line.ravel()[where] & wanted
        band = (code - 1) % number
        chosen = (wanted & predicted, ~wanted, wanted & ~predicted)
        self._voxels += [np.bincount(band[part], minlength=number) for part in chosen]
        chosen = (on_line & predicted, on_line)
        self._line += [np.bincount(band[part], minlength=number) for part in chosen]

    def rows(self, surface_dice: np.ndarray) -> list[dict[str, Any]]:
        """The table of bands.

        Args:
            surface_dice: ``(B,)`` from ``SurfaceDice.by_band``.

        Returns:
            For each band ``band`` (as "2-4 voxels"), ``radius_from``, ``radius_to`` (infinity in the last),
            ``radius_unit``, ``surface_dice``, ``dice``, ``precision``, ``recall``, ``centre_line_recall``
            (NaN where there is nothing to score), ``reference_voxels``, ``predicted_voxels``. A predicted
            voxel in the reference counts to the reference's band, another one to its own vessel's.
        """
        return [self._row(index, float(surface)) for index, surface in enumerate(surface_dice)]

    def _row(self, index: int, surface: float) -> dict[str, Any]:
        low, high = self.edges[index : index + 2]
        hits, wrong, missed = (int(count) for count in self._voxels[:, index])
        covered, line = (int(count) for count in self._line[:, index])
        return {
            "band": f"{low:g}-{high:g} {self.unit}" if high < math.inf else f"{low:g} {self.unit} and more",
            "radius_from": low,
            "radius_to": high,
            "radius_unit": self.unit,
            "surface_dice": surface,
            **scores_of_counts(hits, wrong, missed),
            "centre_line_recall": covered / line if line else math.nan,
            "reference_voxels": hits + missed,
            "predicted_voxels": hits + wrong,
        }


def _band_of(radius: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    band = np.searchsorted(np.asarray(edges), radius, side="right") - 1
    return np.minimum(band, len(edges) - 2)  # an infinite radius: a mask without an outside
