# SPDX-License-Identifier: Apache-2.0
"""Stacks on a coarser in-plane grid, for training on big scans without a big machine."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch.nn import functional


class ResizeStackd(MapTransform):
    """Resize stacks in plane just as ``networks.ResizedNetwork`` resizes its input.

    A ResizedNetwork trained on stacks of its own size computes its loss on the coarse grid, and still answers
    on the native grid at inference. MONAI's Resized smooths by another kernel, so that training and inference
    would see different images.

    Args:
        keys: keys of float stacks (C, H, W), bilinear with anti-aliasing, and of whole-number label maps
            (C, H, W), nearest.
        size: rows and columns.
        allow_missing_keys: do not raise where a key is absent.
    """

    def __init__(
        self, keys: KeysCollection, *, size: Sequence[int], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = (int(size[0]), int(size[1]))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's stack."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = resize_stack(result[key], self.size)
        return result


def resize_stack(stack: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize one stack (C, H, W); see ``ResizeStackd``."""
    if stack.is_floating_point():
        return functional.interpolate(
            stack.unsqueeze(0), size=size, mode="bilinear", align_corners=False, antialias=True
        ).squeeze(0)
    return functional.interpolate(stack.unsqueeze(0), size=size, mode="nearest-exact").squeeze(0)
