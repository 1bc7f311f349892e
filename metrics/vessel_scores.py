# SPDX-License-Identifier: Apache-2.0
"""All scores of a vessel segmentation in one walk over the volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..utils import InputError
from .cldice import ClDice, cldice_of_counts
from .radius_bands import BandScores, band_edges, encode_bands
from .surface_dice import SurfaceDice
from .thinning import centre_lines
from .vessel_counts import DiceCounts, scores_of_counts
from .vessel_masks import MaskVolume, ReadableVolume, Slab, walk_slabs


class VesselScores:
    """Surface Dice, Dice, precision, recall and centre-line Dice; whole, by slab and by vessel radius.

    The volumes are read slab by slab. Memory is bounded by some 15 bytes a voxel of a slab with its margin
    (2.5 bytes without centre-lines and bands), whatever the number of slices.

    Args:
        threshold: the least probability of a vessel.
        slab: slices that are worked on at once.
        halo: slices of margin on either side, for centre-lines and radii; best no less than the radius of
            the thickest vessel in voxels. Not used without centre-lines and bands.
        per_slab: slices of a row of the table by slab.
        bands: bounds of the bands of vessel radius in voxels, see ``band_edges``; None: no table by radius.
        bands_um: bounds in micrometres, which replace ``bands`` where the reference's ``spacing_um`` is
            known; the rows of the table state the unit.
        cldice: compute the centre-line Dice.

    Raises:
        InputError: a threshold outside (0, 1], bounds that do not ascend, or rows without slices.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        slab: int = 64,
        halo: int = 16,
        per_slab: int = 64,
        bands: Sequence[float] | None = (0, 2, 4, 8),
        bands_um: Sequence[float] | None = None,
        cldice: bool = True,
    ) -> None:
        if not 0 < threshold <= 1:
            raise InputError(f"threshold {threshold}", remedy="give a number above 0, up to 1")
        if per_slab < 1:
            raise InputError(f"rows of {per_slab} slices", remedy="give a number of at least 1")
        self.threshold = threshold
        self.slab = slab
        self.halo = halo
        self.per_slab = per_slab
        self.edges = None if bands is None else band_edges(bands)
        self.edges_um = None if bands_um is None else band_edges(bands_um)
        self.cldice = cldice

    def score(
        self,
        prediction: ReadableVolume,
        reference: ReadableVolume,
        *,
        region: ReadableVolume | None = None,
    ) -> dict[str, Any]:
        """Score a prediction.

        A sparse reference is scored as if it were dense: what it leaves out counts as background, so that
        precision, and all that holds precision, come out too low. Give ``region`` to leave such parts out.

        Args:
            prediction: probabilities 0-1 of any float type, or a mask (0 and 1, or 0 and 255).
            reference: a mask of the same shape.
            region: a mask of the same shape; voxels (for surfaces: cubes of 2 x 2 x 2 voxels) that do not lie
                in it count nowhere. Lines and radii are still those of the whole masks.

        Returns:
            ``surface_dice``, ``dice``, ``precision``, ``recall`` and, unless switched off, ``cldice``,
            ``cldice_precision``, ``cldice_sensitivity``: 0-1, and 1 where both masks are empty;
            ``predicted_voxels``, ``reference_voxels``, ``threshold``; ``slabs``: rows of the same scores
            with ``first_slice`` and ``last_slice`` (counted from 0, inclusive), NaN where there is nothing
            to score; ``bands``: rows, see ``BandScores.rows``.

        Raises:
            InputError: shapes differ, NaN among the probabilities, or masks with other values.
        """
        walk = _Walk(self, spacing_um=getattr(reference, "spacing_um", None))
        volumes = [
            MaskVolume(prediction, threshold=self.threshold),
            MaskVolume(reference),
            None if region is None else MaskVolume(region),
        ]
        for slab in walk_slabs(volumes, slab=self.slab, halo=self.halo if walk.needs_lines else 0):
            walk.take(slab)
        return walk.result()


def vessel_scores(
    prediction: np.ndarray, reference: np.ndarray, *, threshold: float = 0.5
) -> dict[str, float]:
    """Scores of one small volume in memory, exact, without tables.

    Args:
        prediction: ``(Z, Y, X)`` float probabilities, or a mask (0 and 1, or 0 and 255).
        reference: a mask of the same shape.
        threshold: the least probability of a vessel.

    Returns:
        The numbers of ``VesselScores.score``.

    Raises:
        InputError: see there.
    """
    options = {"slab": max(1, len(reference)), "bands": None}
    found = VesselScores(threshold=threshold, **options).score(_Array(prediction), _Array(reference))
    return {name: value for name, value in found.items() if name != "slabs"}


class _Array:
    """An array that is read in boxes."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape = array.shape

    def read(self, box: tuple[slice, slice, slice]) -> np.ndarray:
        return self.array[box]


class _Walk:
    """What is gathered on one walk."""

    def __init__(self, options: VesselScores, *, spacing_um: Sequence[float] | None) -> None:
        self.options = options
        in_um = spacing_um is not None and options.edges_um is not None
        self.edges = edges = options.edges_um if in_um else options.edges
        self.spacing = tuple(spacing_um) if in_um else (1.0, 1.0, 1.0)
        self.counts = DiceCounts()
        self.surface = SurfaceDice(num_bands=0 if edges is None else len(edges) - 1)
        self.lines = ClDice() if options.cldice else None
        self.bands = None if edges is None else BandScores(edges, unit="um" if in_um else "voxels")
        self.needs_lines = self.lines is not None or self.bands is not None

    def take(self, slab: Slab) -> None:
        prediction, reference, region = slab.arrays
        core = slab.core
        known = None if region is None else region[core]
        self.counts.update(prediction[core], reference[core], region=known)
        lines = (centre_lines(prediction), centre_lines(reference)) if self.needs_lines else None
        if self.lines is not None:
            self.lines.update(prediction, reference, core=core, region=region, lines=lines)
        codes = None
        if self.bands is not None:
            options = {"lines": lines, "core": core, "edges": self.edges, "spacing": self.spacing}
            codes = encode_bands(prediction, reference, **options)
            counted = codes if known is None else codes * known
            self.bands.update(prediction[core], counted, lines[1][core])
        self.surface.update(prediction[core], reference[core], region=known, bands=codes)

    def result(self) -> dict[str, Any]:
        hits, wrong, missed = self.counts.by_slice().sum(axis=0)
        result = {"surface_dice": self.surface.compute(), **self.counts.compute()}
        if self.lines is not None:
            result |= self.lines.compute()
        result |= {
            "predicted_voxels": int(hits + wrong),
            "reference_voxels": int(hits + missed),
            "threshold": self.options.threshold,
            "slabs": self._slab_rows(),
        }
        if self.bands is not None:
            result["bands"] = self.bands.rows(self.surface.by_band())
        return result

    def _slab_rows(self) -> list[dict[str, Any]]:
        areas, voxels = self.surface.by_slice(), self.counts.by_slice()
        lines = None if self.lines is None else self.lines.by_slice()
        rows = []
        for first in range(0, len(voxels), self.options.per_slab):
            part = slice(first, first + self.options.per_slab)
            common, whole = areas[part].sum(axis=0)
            hits, wrong, missed = voxels[part].sum(axis=0)
            row = {
                "first_slice": first,
                "last_slice": first + len(voxels[part]) - 1,
                "surface_dice": float(common / whole) if whole > 0 else np.nan,
                **scores_of_counts(hits, wrong, missed),
                "predicted_voxels": int(hits + wrong),
                "reference_voxels": int(hits + missed),
            }
            rows.append(row if lines is None else row | cldice_of_counts(*lines[part].sum(axis=0)))
        return rows
