# SPDX-License-Identifier: Apache-2.0
"""From a stored CT to what the lung networks see: the lung box, 1 mm voxels, 8-bit gray, clean outside."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from ..utils import InputError
from ..utils.world import voxel_to_world
from .ct_window import BONE, WATER, WINDOW_HU, hu_to_gray
from .regrid import Grid, Regridder, patient_grid

SLAB = 32  # rows of the grid made at once: bounds the float copies
MARGIN_LABEL = 3
CORNERS = np.array(list(np.ndindex(2, 2, 2)))
MOST_VOXELS = 512**3  # a lung box of 1 mm has about 26 million


class LungGridd(MapTransform):
    """Resample the box around the lungs to voxels that are cubes and lie along the patient's axes.

    The image becomes uint8 gray (``ct_window``), (1, H, W, D): rows to the back, columns to the patient's
    left, slices to the head, whatever the stored direction was. Only the box is resampled, linearly; masks
    take the nearest voxel. Outside the mask of the lungs (label 0) and outside the stored image gray is
    water; in its margin (label 3) what is brighter than bone becomes water too, as in the clean images of
    the DSB2017 winners (Liao et al. 2019, https://arxiv.org/abs/1711.08324).

    The box is that of all labels > 0, widened by ``margin_mm`` and cut at the image's border.

    The affine of the results is that of the new grid (RAS mm). Their meta keeps the stored image's and adds
    "native_affine" (4, 4) and "native_shape" (H, W, D) of the stored array.

    Args:
        keys: image key, then keys of masks, resampled where a sample has them.
        lungs_key: key of the lungs, MetaTensor (1, h, w, d) 0 outside, 1 and 2 lungs, 3 margin, on any grid
            of its own; it is kept. None: the whole image, nothing painted over.
        spacing: size of a voxel in mm.
        margin_mm: widens the box towards the right, front and foot, and towards the left, back and head;
            one number for both.
        fill: False leaves the surroundings of the lungs as they are.

    Raises:
        InputError: spacing not positive, negative margins; no voxel size in the file, an empty lung mask, a
            mask of another shape than its image, or a box too large to be a chest.
    """

    def __init__(
        self,
        keys: KeysCollection = ("image", "mask"),
        *,
        lungs_key: str | None = "lungs",
        spacing: float = 1.0,
        margin_mm: float | Sequence[float] = (5.0, 10.0),
        fill: bool = True,
    ) -> None:
        super().__init__(keys)
        margins = np.broadcast_to(np.asarray(margin_mm, np.float64), (2,)).tolist()
        if spacing <= 0 or min(margins) < 0:
            raise InputError(
                f"spacing {spacing}, margin_mm {margins}",
                remedy="give a positive spacing and margins of 0 or more",
            )
        self.lungs_key, self.spacing, self.margins, self.fill = lungs_key, float(spacing), margins, fill

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace image and masks by what lies on the lung grid."""
        result = dict(data)
        image = result[self.keys[0]]
        lungs = None if self.lungs_key is None else result[self.lungs_key]
        grid = self._grid(image, lungs)
        meta = _grid_meta(image)
        for key in self.keys[1:]:
            if key in result:
                result[key] = _wrap(_mask_on_grid(result[key], image, grid), grid, meta)
        result[self.keys[0]] = _wrap(self._gray(image, lungs if self.fill else None, grid), grid, meta)
        return result

    def _grid(self, image: MetaTensor, lungs: MetaTensor | None) -> Grid:
        if image.meta.get("spacing_known") is False:
            raise InputError(
                "the file does not say how large a voxel is",
                path=image.meta.get("filename_or_obj"),
                remedy="give the CT as .mhd, NIfTI or DICOM with its voxel size",
            )
        low, high = world_box(_affine(image), CORNERS * (np.array(image.shape[1:]) - 1))
        if lungs is not None:
            low_lungs, high_lungs = self._lung_box(lungs, image)
            low, high = np.maximum(low, low_lungs), np.minimum(high, high_lungs)
        grid = patient_grid(low, np.maximum(high, low + self.spacing), self.spacing)
        if np.prod(grid.shape, dtype=np.int64) > MOST_VOXELS:
            raise InputError(
                f"a lung box of {' x '.join(f'{size * self.spacing:.0f}' for size in grid.shape)} mm",
                path=image.meta.get("filename_or_obj"),
                remedy="check the voxel size in the header",
            )
        return grid

    def _lung_box(self, lungs: MetaTensor, image: MetaTensor) -> tuple[np.ndarray, np.ndarray]:
        ends = line_ends(lungs.as_tensor()[0])
        if not len(ends):
            raise InputError(
                "the lung mask is empty",
                path=image.meta.get("filename_or_obj"),
                remedy="is this a chest CT? use the lung mask's 'none' mode to work without a mask",
            )
        low, high = world_box(_affine(lungs), ends)
        return low - self.margins[0], high + self.margins[1]

    def _gray(self, image: MetaTensor, lungs: MetaTensor | None, grid: Grid) -> Tensor:
        hu = Regridder(image.as_tensor(), _affine(image), grid, limits=WINDOW_HU)
        inner = lungs is not None and Regridder(lungs.as_tensor(), _affine(lungs), grid, nearest=True)
        gray = torch.empty(grid.shape, dtype=torch.uint8)
        for start in range(0, grid.shape[0], SLAB):
            stop = min(start + SLAB, grid.shape[0])
            values, inside = hu.rows(start, stop)
            slab = torch.from_numpy(hu_to_gray(values.numpy()))
            if inside is not None:
                slab[~inside] = WATER
            if inner:
                labels, known = inner.rows(start, stop)
                _clean(slab, labels if known is None else labels * known)
            gray[start:stop] = slab
        return gray


def world_box(affine: np.ndarray, voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box of the world (LPS mm) that holds voxels, their bodies included.

    Args:
        affine: (4, 4) to RAS mm.
        voxels: (N, 3) indices, N at least 1.

    Returns:
        Least and greatest x, y, z.
    """
    centres = voxel_to_world(voxels, affine)
    half = np.abs(affine[:3, :3]).sum(axis=1) / 2
    return centres.min(axis=0) - half, centres.max(axis=0) + half


def line_ends(mask: Tensor) -> np.ndarray:
    """First and last voxel > 0 of every line along the last axis: (N, 3) indices.

    A linear function has its extremes there, so that these say all about a mask's box in any direction.
    """
    found = mask > 0
    lines = found.any(dim=2).nonzero()
    rows = found[lines[:, 0], lines[:, 1]].to(torch.uint8)
    first = rows.argmax(dim=1)
    last = rows.shape[1] - 1 - rows.flip(1).argmax(dim=1)
    return torch.cat([torch.cat([lines, end[:, None]], dim=1) for end in (first, last)]).numpy()


def _clean(slab: Tensor, labels: Tensor) -> None:
    slab[(labels == 0) | ((labels == MARGIN_LABEL) & (slab > BONE))] = WATER


def _mask_on_grid(mask: MetaTensor, image: MetaTensor, grid: Grid) -> Tensor:
    if mask.shape != image.shape:
        raise InputError(
            f"mask is {tuple(mask.shape[1:])}, its image {tuple(image.shape[1:])}",
            path=mask.meta.get("filename_or_obj"),
            remedy="give a mask on the image's own grid",
        )
    read = Regridder(mask.as_tensor(), _affine(mask), grid, nearest=True)
    made = torch.empty(grid.shape, dtype=mask.dtype)
    for start in range(0, grid.shape[0], SLAB):
        stop = min(start + SLAB, grid.shape[0])
        values, inside = read.rows(start, stop)
        made[start:stop] = values if inside is None else values * inside
    return made


def _affine(volume: MetaTensor) -> np.ndarray:
    return volume.affine.numpy().astype(np.float64)


def _grid_meta(image: MetaTensor) -> dict[str, Any]:
    native = {"native_affine": torch.from_numpy(_affine(image)), "native_shape": tuple(image.shape[1:])}
    return {key: value for key, value in image.meta.items() if key != "affine"} | native


def _wrap(values: Tensor, grid: Grid, meta: Mapping[str, Any]) -> MetaTensor:
    return MetaTensor(values.unsqueeze(0), affine=torch.from_numpy(grid.affine), meta=dict(meta))
