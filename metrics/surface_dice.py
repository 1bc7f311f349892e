# SPDX-License-Identifier: Apache-2.0
"""Surface Dice at tolerance 0 of a volume that is given slab by slab."""

from __future__ import annotations

import math

import numpy as np
from monai.metrics.utils import create_table_neighbour_code_to_surface_area

from .surface_cubes import Plane, layer_codes, plane_of_slices, plane_outside
from .vessel_masks import binary_mask


class SurfaceDice:
    r"""Surface Dice at tolerance 0: how much of both surfaces lies in the same place.

    The zero-padded volume is seen as cubes of 2 x 2 x 2 voxels. The 8-bit code of a cube says which of its
    corners are in the mask, and gives the area of the piece of surface in it by the table of marching cubes
    in google-deepmind/surface-distance (Nikolov et al. 2018, arXiv:1809.04430) for voxels of 1 x 1 x 1. With
    the areas :math:`P_i` and :math:`T_i` of prediction and reference in cube :math:`i`,

    .. math:: S = \sum_{i: P_i > 0, T_i > 0} (P_i + T_i) \Big/ \sum_i (P_i + T_i),

    which is the metric of the SenNet + HOA contest, and MONAI's ``compute_surface_dice`` with
    ``class_thresholds=[0]``, ``use_subvoxels=True``, ``include_background=True``, ``spacing=[1, 1, 1]``. Two
    empty masks score 1 (MONAI: NaN); one empty mask scores 0.

    Two planes of voxels and two numbers a slice are kept, whatever the volume's size. Areas are summed layer
    by layer, so that the thickness of the slabs changes nothing, not even by rounding.

    Args:
        num_bands: number of bands B in which areas are summed besides, see ``update``.
    """

    def __init__(self, *, num_bands: int = 0) -> None:
        self.num_bands = num_bands
        self._pairs, self._common = _area_tables()
        self._last: Plane | None = None
        self._layers: list[tuple[float, float]] = []  # common and whole area of each layer of cubes
        self._bands = np.zeros((2, num_bands))

    def update(
        self,
        prediction: np.ndarray,
        reference: np.ndarray,
        *,
        region: np.ndarray | None = None,
        bands: np.ndarray | None = None,
    ) -> None:
        """Take in the next slices.

        Args:
            prediction: ``(dz, Y, X)`` bool or integers, vessel where not 0; any dz.
            reference: the same shape.
            region: the same shape; only cubes whose corners in the volume all lie in it are counted.
                None: all.
            bands: the same shape, uint8, see ``radius_bands.encode_bands``.

        Raises:
            ValueError: shapes differ, or bands are missing where they were asked for.
        """
        given = [array for array in (reference, region, bands) if array is not None]
        if prediction.ndim != 3 or any(array.shape != prediction.shape for array in given):
            shapes = [prediction.shape, *(array.shape for array in given)]
            raise ValueError(f"slabs must be (dz, Y, X) and of one shape, not {shapes}")
        if (bands is None) != (self.num_bands == 0):
            raise ValueError(f"bands must be given where num_bands > 0 and only there ({self.num_bands})")
        for index in range(len(prediction)):
            plane = plane_of_slices(
                binary_mask(prediction[index]),
                binary_mask(reference[index]),
                region=None if region is None else binary_mask(region[index]),
                bands=None if bands is None else bands[index],
            )
            below = self._last or plane_outside(plane)
            if below.corners.shape != plane.corners.shape:
                raise ValueError(f"slices of {prediction.shape[1:]} follow slices of another size")
            common, whole, by_band = self._areas(below, plane)
            self._layers.append((common, whole))
            self._bands += by_band
            self._last = plane

    def compute(self) -> float:
        """Surface Dice of the slices given so far, in [0, 1]; 1 where neither mask has a voxel.

        Raises:
            ValueError: nothing was given.
        """
        common, whole = self.by_slice().sum(axis=0)
        return float(common / whole) if whole > 0 else 1.0

    def by_slice(self) -> np.ndarray:
        """Areas in voxel faces, to be summed over any slices.

        Returns:
            ``(Z, 2)`` float64: common and whole area (P + T) of the cubes between a slice and the one before
            it; those behind the last slice count to the last.

        Raises:
            ValueError: nothing was given.
        """
        closing = self._closing()
        areas = np.array(self._layers, dtype=np.float64)
        areas[-1] += closing[:2]
        return areas

    def by_band(self) -> np.ndarray:
        """Surface Dice of each band.

        Returns:
            ``(B,)`` float64 in [0, 1], NaN for a band in which neither mask has a surface.

        Raises:
            ValueError: nothing was given.
        """
        common, whole = self._bands + self._closing()[2]
        return np.divide(common, whole, out=np.full(len(whole), math.nan), where=whole > 0)

    def _closing(self) -> tuple[float, float, np.ndarray]:
        if self._last is None:
            raise ValueError("no slices were given")
        return self._areas(self._last, plane_outside(self._last))

    def _areas(self, below: Plane, above: Plane) -> tuple[float, float, np.ndarray]:
        """Common area, whole area, and both by band (2, B) of one layer of cubes."""
        codes, bands = layer_codes(below, above, num_bands=self.num_bands)
        pairs, common = self._pairs[codes], self._common[codes]
        by_band = np.zeros((2, self.num_bands))
        if bands is not None:
            weights = (common, pairs)
            by_band[:] = [np.bincount(bands, weights=w, minlength=self.num_bands) for w in weights]
        return float(common.sum()), float(pairs.sum()), by_band


def surface_dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Surface Dice at tolerance 0 of two masks in memory, see ``SurfaceDice``.

    Args:
        prediction: ``(Z, Y, X)`` bool or integers, vessel where not 0.
        reference: the same shape.

    Returns:
        A number in [0, 1]; 1 where both are empty, 0 where one is.

    Raises:
        ValueError: shapes differ.
    """
    score = SurfaceDice()
    score.update(prediction, reference)
    return score.compute()


def _area_tables() -> tuple[np.ndarray, np.ndarray]:
    """Areas by the pair of codes prediction * 256 + reference: P + T, and P + T where both are above 0."""
    area = create_table_neighbour_code_to_surface_area((1, 1, 1))[0].numpy().astype(np.float64)
    predicted, reference = area[:, None], area[None, :]
    pairs = predicted + reference
    common = np.where((predicted > 0) & (reference > 0), pairs, 0.0)
    return pairs.ravel(), common.ravel()
