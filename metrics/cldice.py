# SPDX-License-Identifier: Apache-2.0
"""Centre-line Dice of a volume that is given slab by slab."""

from __future__ import annotations

import math

import numpy as np

from .thinning import centre_lines
from .vessel_masks import binary_mask


class ClDice:
    r"""Centre-line Dice with hard skeletons (Shit et al. 2021, CVPR, arXiv:2003.07311).

    With the masks P and T and their skeletons S(P) and S(T),

    .. math:: T_{prec} = |S(P) \cap T| / |S(P)|, \quad T_{sens} = |S(T) \cap P| / |S(T)|,

    and clDice is the harmonic mean of the two: a broken or missing vessel costs sensitivity, a false one
    precision; a vessel that is too thick or too thin costs nothing as long as the lines stay inside.

    Exact where the whole volume is one slab. Otherwise lines are thinned from the slab with its margin, and
    can differ by single voxels from those of the whole volume; the margin should be as thick as the thickest
    vessel's radius.
    """

    def __init__(self) -> None:
        self._slices: list[tuple[int, int, int, int]] = []

    def update(
        self,
        prediction: np.ndarray,
        reference: np.ndarray,
        *,
        core: slice = slice(None),
        region: np.ndarray | None = None,
        lines: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """Take in the next slices.

        Args:
            prediction: ``(dz, Y, X)`` bool or integers, vessel where not 0, with the slab's margin.
            reference: the same shape.
            core: the slices that are counted; the others are margin.
            region: the same shape; centre-line voxels outside count nowhere. None: all count.
            lines: centre-lines of prediction and reference, the same shape, where they are known already.

        Raises:
            ValueError: shapes differ.
        """
        given = [array for array in (reference, region, *(lines or ())) if array is not None]
        if prediction.ndim != 3 or any(array.shape != prediction.shape for array in given):
            shapes = [prediction.shape, *(array.shape for array in given)]
            raise ValueError(f"slabs must be (dz, Y, X) and of one shape, not {shapes}")
        of_prediction, of_reference = lines or (centre_lines(prediction), centre_lines(reference))
        for index in range(*core.indices(len(prediction))):
            line_p, line_t = of_prediction[index], of_reference[index]
            if region is not None:
                known = binary_mask(region[index]).view(bool)
                line_p, line_t = line_p & known, line_t & known
            counts = (
                line_p & binary_mask(reference[index]).view(bool),
                line_p,
                line_t & binary_mask(prediction[index]).view(bool),
                line_t,
            )
            self._slices.append(tuple(int(np.count_nonzero(part)) for part in counts))

    def by_slice(self) -> np.ndarray:
        """``(Z, 4)`` int64 voxels of each slice: S(P) and T, S(P), S(T) and P, S(T)."""
        return np.array(self._slices, dtype=np.int64).reshape(-1, 4)

    def compute(self) -> dict[str, float]:
        """See ``cldice_of_counts``; two empty masks score 1."""
        return cldice_of_counts(*self.by_slice().sum(axis=0), empty=1.0)


def cldice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Centre-line Dice of two masks in memory, see ``ClDice``.

    Args:
        prediction: ``(Z, Y, X)`` bool or integers, vessel where not 0.
        reference: the same shape.

    Returns:
        A number in [0, 1]; 1 where both are empty, 0 where one is.

    Raises:
        ValueError: shapes differ.
    """
    score = ClDice()
    score.update(prediction, reference)
    return score.compute()["cldice"]


def cldice_of_counts(
    predicted_hits: int, predicted: int, reference_hits: int, reference: int, *, empty: float = math.nan
) -> dict[str, float]:
    """Centre-line Dice and its two parts from voxel counts.

    Args:
        predicted_hits: voxels of the prediction's line in the reference.
        predicted: voxels of the prediction's line.
        reference_hits: voxels of the reference's line in the prediction.
        reference: voxels of the reference's line.
        empty: all three where neither line has a voxel. Where one has none, all three are 0.

    Returns:
        ``cldice``, ``cldice_precision``, ``cldice_sensitivity``, in [0, 1] or ``empty``.
    """
    if predicted + reference == 0:
        return {"cldice": empty, "cldice_precision": empty, "cldice_sensitivity": empty}
    precision = float(predicted_hits) / max(float(predicted), 1.0)
    sensitivity = float(reference_hits) / max(float(reference), 1.0)
    both = precision + sensitivity
    return {
        "cldice": 2 * precision * sensitivity / both if both > 0 else 0.0,
        "cldice_precision": precision,
        "cldice_sensitivity": sensitivity,
    }
