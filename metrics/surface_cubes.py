# SPDX-License-Identifier: Apache-2.0
"""The cubes of 2 x 2 x 2 voxels between two neighbouring slices, as bit codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Plane:
    """One slice, made ready for the cubes below and above it.

    Args:
        corners: ``(Y + 1, X + 1)`` uint8, the slice's four corners of each cube: bits 3 to 0 those of the
            prediction (y, x), (y, x+1), (y+1, x), (y+1, x+1), bits 7 to 4 those of the reference.
        inside: ``(Y + 1, X + 1)`` bool, all four corners lie in the region; None where there is no region.
        bands: ``(Y + 2, X + 2)`` uint8, bands of the voxels with a border of 0; None where there are none.
    """

    corners: np.ndarray
    inside: np.ndarray | None = None
    bands: np.ndarray | None = None


def plane_of_slices(
    prediction: np.ndarray,
    reference: np.ndarray,
    *,
    region: np.ndarray | None = None,
    bands: np.ndarray | None = None,
) -> Plane:
    """Make a plane of one slice.

    Args:
        prediction: ``(Y, X)`` uint8 of 0 and 1.
        reference: the same shape and values.
        region: the same, or None.
        bands: ``(Y, X)`` uint8, or None.
    """
    both = np.zeros((prediction.shape[0] + 2, prediction.shape[1] + 2), dtype=np.uint8)
    np.left_shift(reference, 4, out=both[1:-1, 1:-1])
    both[1:-1, 1:-1] |= prediction
    pairs = (both[:, :-1] << 1) | both[:, 1:]  # two neighbours in a row, in the bits 1 and 0 of each half
    inside = None
    if region is not None:  # what lies around the volume is known to be empty, and so belongs to the region
        known = np.pad(region, 1, constant_values=1).view(bool)
        inside = known[:-1, :-1] & known[:-1, 1:] & known[1:, :-1] & known[1:, 1:]
    return Plane(
        corners=(pairs[:-1] << 2) | pairs[1:],
        inside=inside,
        bands=None if bands is None else np.pad(bands, 1),
    )


def plane_outside(plane: Plane) -> Plane:
    """The empty slice before the first and behind the last one, of the size of another plane."""
    return Plane(
        corners=np.zeros_like(plane.corners),
        inside=None if plane.inside is None else np.ones_like(plane.inside),
        bands=None if plane.bands is None else np.zeros_like(plane.bands),
    )


def layer_codes(below: Plane, above: Plane, *, num_bands: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
    """Codes of the cubes between two slices that hold a voxel of either mask.

    Args:
        below: the slice with the smaller z.
        above: the next one.
        num_bands: number of bands B, 0 where the planes have none.

    Returns:
        ``(n,)`` intp: code of the prediction * 256 + code of the reference, in each the corner (z, y, x) of
        the cube at bit 7 - 4z - 2y - x, as MONAI's kernel has it; and ``(n,)`` intp band of each cube, 0 to
        B - 1, or None. The band of a cube is the largest of its reference voxels, and of its prediction
        voxels where it has no other.
    """
    occupied = (below.corners | above.corners).ravel() != 0
    if below.inside is not None and above.inside is not None:
        occupied &= (below.inside & above.inside).ravel()
    index = np.flatnonzero(occupied)
    low = below.corners.ravel()[index].astype(np.intp)
    high = above.corners.ravel()[index].astype(np.intp)
    predicted = (low & 15) << 4 | (high & 15)
    reference = (low & 240) | (high >> 4)
    codes = predicted << 8 | reference
    if below.bands is None or above.bands is None:
        return codes, None
    largest = _largest_corner(below.bands, above.bands, index)
    return codes, (largest.astype(np.intp) - 1) % num_bands


def _largest_corner(below: np.ndarray, above: np.ndarray, index: np.ndarray) -> np.ndarray:
    width = below.shape[1]
    first = index + index // (width - 1)  # cubes have one column less than the planes with their border
    corners = [plane.ravel()[first + step] for plane in (below, above) for step in (0, 1, width, width + 1)]
    return np.maximum.reduce(corners)
