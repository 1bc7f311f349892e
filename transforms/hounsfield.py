# SPDX-License-Identifier: Apache-2.0
"""Check that a chest CT holds Hounsfield units, and bring it to int16."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..utils import InputError

_logger = logging.getLogger("tomobundles")

AIR_HU = -1024  # the lowest number that means something; below it are makers' fill values (-2000, -3024)
_LUNG_HU = -200  # lung and air are below
_LEAST_LUNG = 1e-3  # share of the voxels of a chest that are lung or air, at the very least
_MOST_LABEL = 5  # of LUNA16's lung masks; a CT has more values
_LEAST_RANGE = 400  # between lung and bone there are more
_THICK_MM = 2.5
_SLAB = 16  # slices at a time


@dataclass
class _Counts:
    """What the voxels of a volume are like: extremes without fill, voxels in the range of lung and air."""

    low: float = np.inf
    high: float = -np.inf
    lung: int = 0
    fill: int = 0


class CheckHounsfieldd(MapTransform):
    """Refuse volumes that cannot be a chest CT in HU, and warn of thick slices.

    The result is int16 with the same affine; values below -1024 (fill outside the scanner's circle) become
    -1024, those above 32767 that. A volume that is int16 and has no fill is passed on without a copy, and
    never more than a few slices are handled in another type. Warnings stand in meta "warnings" as well.

    Args:
        keys: keys of volumes (1, H, W, D).
        offset: added to values that are stored without their offset, -1024 as a rule; None adds nothing.
        min_slices: fewest voxels along each axis.
        max_slice_mm: distance of slices from which on to warn: small nodules fall between thick slices.

    Raises:
        InputError: and when called: fewer voxels along an axis, an unknown voxel size, NaN or infinite
            values, one value throughout, the labels of a mask, gray levels that are no HU, or no value in the
            range of lung and air (the offset is missing; or it was given and the values have it already).
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        offset: int | None = None,
        min_slices: int = 8,
        max_slice_mm: float = _THICK_MM,
    ) -> None:
        super().__init__(keys)
        self.offset = offset
        self.min_slices = min_slices
        self.max_slice_mm = max_slice_mm

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each volume by itself in int16 HU."""
        result = dict(data)
        for key in self.key_iterator(result):
            image = result[key]
            path = image.meta.get("filename_or_obj")
            self._check_geometry(image, path)
            voxels = image.as_tensor().numpy()[0]
            counts = _count(voxels, path)
            offset = self.offset or 0
            _check_hounsfield(counts, offset, path)
            if voxels.dtype != np.int16 or offset or counts.fill:
                voxels = _to_int16(voxels, offset)
            meta = {name: value for name, value in image.meta.items() if name != "affine"}
            meta["warnings"] = self._warnings(image, path)
            result[key] = MetaTensor(torch.from_numpy(voxels)[None], affine=image.affine, meta=meta)
        return result

    def _check_geometry(self, image: MetaTensor, path: str | None) -> None:
        if image.ndim != 4 or image.shape[0] != 1 or min(image.shape[1:]) < self.min_slices:
            raise InputError(
                f"a volume of {' x '.join(map(str, image.shape[1:]))} (rows, columns, slices)",
                path=path,
                remedy=f"a chest CT with at least {self.min_slices} slices is needed",
            )
        if not image.meta.get("spacing_known", True):
            raise InputError(
                "its voxel size is not known, so no nodule can be measured or placed",
                path=path,
                remedy="give .mhd, NIfTI or DICOM with their geometry, not images or .npy",
            )

    def _warnings(self, image: MetaTensor, path: str | None) -> list[str]:
        distance = float(torch.linalg.vector_norm(image.affine[:3, 2]))
        if distance <= self.max_slice_mm:
            return []
        warning = f"slices are {distance:.3g} mm apart: nodules smaller than that may be missed"
        _logger.warning("%s: %s", path, warning)
        return [warning]


def _slabs(voxels: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some slices of (H, W, D) at a time, slices first: that is how they lie in memory."""
    slices = np.moveaxis(voxels, -1, 0)
    for start in range(0, len(slices), _SLAB):
        part = slice(start, min(start + _SLAB, len(slices)))
        yield part, slices[part]


def _count(voxels: np.ndarray, path: str | None) -> _Counts:
    """Look at all voxels, a few slices at a time; fill does not count as an extreme.

    Raises:
        InputError: NaN or infinite values.
    """
    counts = _Counts()
    for part, slab in _slabs(voxels):
        low, high = slab.min(), slab.max()
        if not np.isfinite([low, high]).all():
            raise InputError(
                f"NaN or infinite values, first in slices {part.start} to {part.stop - 1} (from 0)",
                path=path,
                remedy="replace them, by -1024 outside the body",
            )
        if low < AIR_HU:
            fill = slab < AIR_HU
            counts.fill += int(np.count_nonzero(fill))
            if high < AIR_HU:  # nothing else
                continue
            slab = np.where(fill, high, slab)
            low = slab.min()
        counts.low, counts.high = min(counts.low, float(low)), max(counts.high, float(high))
        if low < _LUNG_HU:
            counts.lung += int(np.count_nonzero(slab < _LUNG_HU))
    counts.lung = int(counts.lung >= _LEAST_LUNG * voxels.size)
    return counts


def _check_hounsfield(counts: _Counts, offset: int, path: str | None) -> None:
    low, high = counts.low, counts.high
    if low >= high:
        value = f"the value {high:g}" if np.isfinite(low) else "no value above -1024"
        raise InputError(f"{value} throughout", path=path, remedy="the pixels are lost: export it again")
    seen = f"values from {low:g} to {high:g}"
    if low >= 0 and high <= _MOST_LABEL:
        raise InputError(
            f"{seen} are no HU but those of a mask, or scaled",
            path=path,
            remedy="keep masks in a folder of their own (masks), export CTs in HU",
        )
    if high - low < _LEAST_RANGE:
        raise InputError(f"{seen} are no HU", path=path, remedy="export the CT in HU, not windowed or scaled")
    if counts.lung and offset < 0:
        raise InputError(
            f"{seen} are HU already, and an offset of {offset} is given",
            path=path,
            remedy="leave out hu_offset, or give volumes that need it alone",
        )
    if not counts.lung and not offset:
        raise InputError(
            f"{seen}: no lung or air below {_LUNG_HU} HU, so their offset seems to be missing",
            path=path,
            remedy="if air is stored as 0, give --hu_offset -1024; else export the CT in HU",
        )
    if offset and low + offset > _LUNG_HU:
        raise InputError(
            f"{seen}: with an offset of {offset} there is no lung or air",
            path=path,
            remedy="mend hu_offset: air is about -1000 HU",
        )


def _to_int16(voxels: np.ndarray, offset: int) -> np.ndarray:
    """HU in int16, fill raised to -1024; slices stay one piece of memory each."""
    result = np.empty((voxels.shape[-1], *voxels.shape[:-1]), np.int16)
    for part, slab in _slabs(voxels):
        low, high = AIR_HU - offset, np.iinfo(np.int16).max - offset
        if slab.dtype.kind == "f":
            slab = np.rint(np.clip(slab, low, high))
        else:
            slab = np.clip(slab, *_limits(slab.dtype, low, high))
        result[part] = slab.astype(np.int32) + offset if offset else slab
    return np.moveaxis(result, 0, -1)


def _limits(dtype: np.dtype, low: int, high: int) -> tuple[int, int]:
    """Limits within what an integer type can hold."""
    info = np.iinfo(dtype)
    return max(low, info.min), min(high, info.max)
