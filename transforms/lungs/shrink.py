# SPDX-License-Identifier: Apache-2.0
"""A CT shrunk by block means to about 2 mm, with axes aligned with the patient."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import nibabel.orientations as ornt
import numpy as np

from ...utils import InputError

AIR_HU, TOP_HU = -1024, 3071  # fills of scanners (-2000, -3024) are cut to air
_SLAB_BYTES = 16 << 20
_THREADS = 2
_TO_PATIENT = ornt.axcodes2ornt("PLS")  # rows to the back, columns to the left, slices to the head


@dataclass(frozen=True)
class SmallGrid:
    """Grid of the shrunk scan: axes i to the back, j to the patient's left, k to the head.

    Attributes:
        factors: voxels of each stored axis in a block.
        turn: nibabel orientation (3, 2) from stored axes to the grid's.
        shape: (h, w, d) of the grid.
        affine: (4, 4) RAS mm of the grid. Oblique directions stay in it.
        spacing: mm along i, j, k.
        stored: (H, W, D) of the scan.
    """

    factors: tuple[int, int, int]
    turn: np.ndarray
    shape: tuple[int, int, int]
    affine: np.ndarray
    spacing: tuple[float, float, float]
    stored: tuple[int, int, int]

    @property
    def zyx(self) -> tuple[float, float, float]:
        """Spacing along slices, rows, columns, mm."""
        return self.spacing[2], self.spacing[0], self.spacing[1]


def small_grid(shape: tuple[int, ...], affine: np.ndarray, *, spacing_mm: float = 2.0) -> SmallGrid:
    """Plan the shrinking of a scan; no voxel is read.

    Axes with voxels of ``spacing_mm`` and more are kept as they are, others are divided by a whole number.

    Args:
        shape: (H, W, D) as stored.
        affine: (4, 4) RAS mm of the stored array, in any direction.
        spacing_mm: voxel size aimed at, mm.

    Raises:
        InputError: an array that is not 3D or has no voxel, an affine that spans no volume, a spacing that
            is not positive.
    """
    affine = np.asarray(affine, np.float64)
    _check(shape, affine, spacing_mm)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    factors = tuple(int(max(1, round(spacing_mm / size))) for size in sizes)
    small = tuple(-(-count // factor) for count, factor in zip(shape, factors, strict=True))
    blocks = np.diag([*factors, 1.0])
    blocks[:3, 3] = (np.array(factors) - 1) / 2  # centre of the first block
    turn = ornt.ornt_transform(ornt.io_orientation(affine), _TO_PATIENT)
    turned = affine @ blocks @ ornt.inv_ornt_aff(turn, small)
    final = [0, 0, 0]
    for axis, place in enumerate(turn[:, 0].astype(int)):
        final[place] = small[axis]
    spacing = tuple(float(size) for size in np.linalg.norm(turned[:3, :3], axis=0))
    return SmallGrid(factors, turn, tuple(final), turned, spacing, tuple(shape))


def shrink(hu: np.ndarray, grid: SmallGrid) -> np.ndarray:
    """Block means of a scan on its small grid.

    Values are cut to -1024..3071 HU first, NaN counts as air. The last block of an axis is filled up with the
    last voxel where it is incomplete. Memory beside the result: two slabs of 16 MiB and their sums.

    Args:
        hu: (H, W, D) HU of any real type, in any memory layout.
        grid: from :func:`small_grid` for this scan.

    Returns:
        float32 HU (h, w, d), slice-contiguous: a view of (d, h, w).
    """
    order = np.argsort(-np.abs(hu.strides), kind="stable")  # read as it lies in memory
    factors = [grid.factors[axis] for axis in order]
    small = _block_means(hu.transpose(order), factors).transpose(np.argsort(order))
    turned = ornt.apply_orientation(small, grid.turn)
    return np.ascontiguousarray(turned.transpose(2, 0, 1)).transpose(1, 2, 0)


def _check(shape: tuple[int, ...], affine: np.ndarray, spacing_mm: float) -> None:
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(
            f"a volume of shape {tuple(shape)}", remedy="give one 3D scan (rows, columns, slices)"
        )
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError("the affine of the scan spans no volume", remedy="mend the image's header")
    if not spacing_mm > 0:
        raise InputError(f"spacing of {spacing_mm} mm", remedy="give a positive one, e.g. 2.0")


def _block_means(array: np.ndarray, factors: list[int]) -> np.ndarray:
    first = factors[0]
    layer = max(1, array[:1].nbytes * first)
    step = first * max(1, _SLAB_BYTES // layer)
    slabs = (array[start : start + step] for start in range(0, len(array), step))
    with ThreadPoolExecutor(_THREADS) as pool:  # numpy sums without the interpreter's lock
        return np.concatenate(list(pool.map(lambda slab: _slab_means(slab, factors), slabs)))


def _slab_means(slab: np.ndarray, factors: list[int]) -> np.ndarray:
    if slab.dtype not in (np.int16, np.int32):
        slab = np.nan_to_num(np.asarray(slab, np.float32), nan=AIR_HU, posinf=TOP_HU, neginf=AIR_HU)
    sums, summed = np.clip(slab, AIR_HU, TOP_HU), 1
    for axis, factor in enumerate(factors):
        summed *= factor
        sums = _sum_blocks(sums, axis, factor, _sum_type(sums.dtype, summed))
    return sums.astype(np.float32) / np.float32(np.prod(factors))


def _sum_type(dtype: np.dtype, count: int) -> type:
    if dtype.kind != "i":
        return np.float32
    return np.int16 if count * TOP_HU < 2**15 else np.int32  # narrow sums are twice as fast


def _sum_blocks(array: np.ndarray, axis: int, factor: int, dtype: type) -> np.ndarray:
    if factor == 1:
        return array
    missing = -array.shape[axis] % factor
    if missing:
        array = np.pad(array, [(0, missing if other == axis else 0) for other in range(3)], mode="edge")
    steps = [
        tuple(slice(part, None, factor) if a == axis else slice(None) for a in range(3))
        for part in range(factor)
    ]
    total = array[steps[0]].astype(dtype)
    for place in steps[1:]:
        total += array[place]
    return total
