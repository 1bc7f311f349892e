# SPDX-License-Identifier: Apache-2.0
"""Grays to network input: subtract a mean, divide by a standard deviation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform


class NormalizeStack(Transform):
    """Normalise 2.5D stacks, one or a batch of them, to float32.

    With ``mean`` and ``std`` every stack gets the same constants (those of the training set); without, each
    stack its own, over its slices together. MONAI's NormalizeIntensity knows no batch: without constants it
    would mix the stacks of a batch.

    Args:
        mean: gray mean, in stored units; None for each stack's own.
        std: gray standard deviation, in stored units, positive; None for each stack's own.
    """

    def __init__(self, mean: float | None = None, std: float | None = None) -> None:
        if (mean is None) != (std is None) or (std is not None and not std > 0):
            raise ValueError(f"give a mean and a positive std, or neither; got mean={mean}, std={std}")
        self.mean = mean
        self.std = std

    def __call__(self, stacks: torch.Tensor) -> torch.Tensor:
        """Normalise (..., num_slices, H, W) of any number type; a stack of one gray becomes 0."""
        values = stacks.to(torch.float32, copy=True)
        if self.mean is not None:
            return values.sub_(self.mean).div_(self.std)
        mean = values.mean(dim=(-3, -2, -1), keepdim=True)
        std = values.std(dim=(-3, -2, -1), keepdim=True, correction=0)
        return values.sub_(mean).div_(torch.where(std > 0, std, torch.ones_like(std)))


class NormalizeStackd(MapTransform):
    """Dictionary version of ``NormalizeStack``.

    Args:
        keys: keys of stacks.
        normalize: the ``NormalizeStack`` to apply, so that training and inference share one.
        allow_missing_keys: do not raise where a key is absent.
    """

    def __init__(
        self, keys: KeysCollection, *, normalize: NormalizeStack, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.normalize = normalize

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's stack by its normalised float32 version."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.normalize(result[key])
        return result
