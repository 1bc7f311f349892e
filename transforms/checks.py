# SPDX-License-Identifier: Apache-2.0
"""Checks that a loaded sample can be trained on; each names the file at fault."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

from ..utils import InputError


class CheckVolumed(Transform):
    """Refuse volumes with NaN or infinite values, and labels that do not fit their volume.

    MONAI trains on a label of another shape or spacing without a word.

    Args:
        image_key: key of the volume (1, H, W, D).
        label_key: key of the label; a sample without it passes, and so does one whose label is no volume.
        tolerance_mm: largest difference between the affines of volume and label, where both are known.
        constant_slices: False refuses a volume with a slice of one value throughout, which a scanner does not
            make; 8-bit grays pass, since windowing makes the air above a head one black.

    Raises:
        InputError: see above.
    """

    def __init__(
        self,
        *,
        image_key: str = "image",
        label_key: str = "label",
        tolerance_mm: float = 1e-2,
        constant_slices: bool = True,
    ) -> None:
        self.image_key = image_key
        self.label_key = label_key
        self.tolerance_mm = tolerance_mm
        self.constant_slices = constant_slices

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        """Return the sample as it came."""
        _check_finite(data[self.image_key])
        if not self.constant_slices:
            _check_not_constant(data[self.image_key])
        if isinstance(data.get(self.label_key), torch.Tensor):
            _check_fits(data[self.image_key], data[self.label_key], self.tolerance_mm)
        return data


def _check_finite(image: torch.Tensor) -> None:
    if not image.is_floating_point():
        return
    for one_slice in image.as_tensor().movedim(-1, 0):
        if not torch.isfinite(one_slice).all():
            raise InputError(
                "volume has NaN or infinite values",
                path=image.meta.get("filename_or_obj"),
                remedy="replace them before use: what they stand for is not for us to guess",
            )


def _check_not_constant(image: torch.Tensor) -> None:
    if image.dtype == torch.uint8:
        return
    for index, one_slice in enumerate(image.as_tensor().movedim(-1, 0)):
        if one_slice.min() == one_slice.max():
            raise InputError(
                f"slice {index} (from 0) has the value {one_slice.flatten()[0].item():g} throughout",
                path=image.meta.get("filename_or_obj"),
                remedy="its pixels are lost: export the study again, or leave the slice out",
            )


def _check_fits(image: torch.Tensor, label: torch.Tensor, tolerance_mm: float) -> None:
    path = label.meta.get("filename_or_obj")
    if image.shape != label.shape:
        raise InputError(
            f"label is {_size(label)}, its volume is {_size(image)} (rows x columns x slices)",
            path=path,
            remedy="give a label on the volume's own grid",
        )
    if not (image.meta.get("spacing_known") and label.meta.get("spacing_known")):
        return
    difference = (image.affine - label.affine).abs().max().item()
    if difference > tolerance_mm:
        raise InputError(
            f"affines of label and volume differ by up to {difference:.3g} mm",
            path=path,
            remedy="resample the label to the volume's grid",
        )


def _size(volume: torch.Tensor) -> str:
    return " x ".join(map(str, volume.shape[1:]))
