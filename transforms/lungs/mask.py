# SPDX-License-Identifier: Apache-2.0
"""The lung mask as a step of a chain of dictionary transforms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ...utils import InputError
from .find import LADDER, MARGIN_MM, check_options, find_lungs


class LungMaskd(MapTransform):
    """Find the lungs of a scan, see :func:`find_lungs`.

    The result is kept small, on its own grid of about 2 mm; its affine brings it to any other.

    Args:
        keys: the CT, MetaTensor (1, H, W, D) in HU with an affine in RAS mm.
        mode: "auto"; "none": search the whole image (crops, cubes around nodules); "body": the body's box.
        lungs_key: where the mask goes, MetaTensor uint8 (1, h, w, d): 0 outside, 1 right, 2 left, 3 margin.
        quality_key: where the quality record goes, a dict that JSON can hold.
        spacing_mm: voxel size to work at, mm.
        ladder: thresholds, HU.
        margin_mm: how far the margin reaches, mm.
        allow_missing_keys: do not raise where the CT is absent.

    Raises:
        InputError: what ``find_lungs`` raises; the file is named.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        mode: str = "auto",
        lungs_key: str = "lungs",
        quality_key: str = "lung_quality",
        spacing_mm: float = 2.0,
        ladder: Sequence[int] = LADDER,
        margin_mm: float = MARGIN_MM,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_options(ladder, margin_mm, mode)
        self.lungs_key = lungs_key
        self.quality_key = quality_key
        self.options = {
            "mode": mode,
            "spacing_mm": spacing_mm,
            "ladder": tuple(ladder),
            "margin_mm": margin_mm,
        }

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the mask and its quality record."""
        result = dict(data)
        for key in self.key_iterator(result):
            image = result[key]
            try:
                found = find_lungs(image.as_tensor()[0].numpy(), np.asarray(image.affine), **self.options)
            except InputError as error:
                path = image.meta.get("filename_or_obj")
                raise InputError(error.problem, path=path, remedy=error.remedy) from error
            labels = torch.from_numpy(found.labels).unsqueeze(0)
            result[self.lungs_key] = MetaTensor(labels, affine=torch.as_tensor(found.affine))
            result[self.quality_key] = found.quality
        return result
