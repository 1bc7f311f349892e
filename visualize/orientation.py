# SPDX-License-Identifier: Apache-2.0
"""Axial slices as radiologists look at them: front up, the patient's right at the left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..utils import InputError


@dataclass(frozen=True)
class AxialView:
    """How a stored slice is turned for display; slices as scanned need no turn, NIfTI's often do.

    Args:
        transpose: rows and columns change places, before any flip.
        flip_rows: the slice is turned upside down.
        flip_columns: left and right change places.
        known: the geometry is known, so that sides may be marked.
    """

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False
    known: bool = False

    @classmethod
    def of(cls, affine: np.ndarray | None) -> AxialView:
        """Find the view of a volume.

        Args:
            affine: (4, 4) of the (H, W, D) array in RAS mm; None, or a volume that is not axial, is shown as
                it is stored, sides unmarked.

        Raises:
            InputError: the affine has another shape.
        """
        if affine is None:
            return cls()
        if np.shape(affine) != (4, 4):
            raise InputError(f"affine of shape {np.shape(affine)} where (4, 4) is expected")
        steps = np.asarray(affine, dtype=np.float64)[:3, :2]  # RAS mm a row, a column
        axes = np.abs(steps).argmax(axis=0).tolist()
        if sorted(axes) != [0, 1]:
            return cls()
        transpose = axes == [0, 1]  # rows run from side to side
        down, across = steps[:, ::-1].T if transpose else steps.T
        # Down the screen goes to the back (-A), across it to the patient's left (-R).
        return cls(transpose, bool(down[1] > 0), bool(across[0] > 0), known=True)

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Turn a slice or a map over it, (H, W, ...); a view, no copy."""
        turned = np.swapaxes(pixels, 0, 1) if self.transpose else pixels
        turned = turned[::-1] if self.flip_rows else turned
        return turned[:, ::-1] if self.flip_columns else turned
