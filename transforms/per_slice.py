# SPDX-License-Identifier: Apache-2.0
"""A draw of its own for every slice of a stack, to show what sharing one draw is worth."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Compose, MapTransform, Randomizable
from monai.utils import MAX_SEED

from ..utils import InputError


class PerSliced(Randomizable, MapTransform):
    """Apply a random transform to each slice of a stack, drawn anew for each.

    For an ablation only: slices that are moved apart are no longer neighbours. MONAI's spatial transforms,
    on a whole stack (T * C, H, W), share one draw, which is what training should use; some published code
    draws for each slice.

    Args:
        keys: keys of stacks (T * C, H, W).
        transform: an array transform, or a dictionary transform (or Compose of such) for ``keys``; the keys
            of a sample then share a slice's draw.
        channels: C, channels of a slice.
        allow_missing_keys: do not raise where a key is absent.

    Raises:
        InputError: if ``channels`` is not positive.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        transform: Callable[[Any], Any],
        channels: int = 1,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if channels < 1:
            raise InputError(f"channels is {channels}", remedy="Give the number of channels of a slice.")
        self.transform = transform
        self.channels = channels

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> PerSliced:
        """Seed the transform too."""
        super().set_random_state(seed=seed, state=state)
        if isinstance(self.transform, Randomizable):
            self.transform.set_random_state(seed=int(self.R.randint(MAX_SEED, dtype="uint32")))
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's stack by one of the same number of slices.

        Raises:
            InputError: if a stack is not whole slices, or if stacks differ in their number of slices.
        """
        keys = list(self.key_iterator(data))
        stacks = {key: self._split(data[key], key) for key in keys}
        if len({len(slices) for slices in stacks.values()}) > 1:
            raise InputError(f"{' and '.join(map(str, keys))} differ in their number of slices")
        if _takes_dictionary(self.transform):
            samples = [
                self.transform(dict(zip(keys, slices, strict=True)))
                for slices in zip(*stacks.values(), strict=True)
            ]
            moved = {key: [sample[key] for sample in samples] for key in keys}
        else:
            moved = {key: [self.transform(one) for one in slices] for key, slices in stacks.items()}
        return dict(data) | {key: torch.cat([_plain(one) for one in parts]) for key, parts in moved.items()}

    def _split(self, stack: torch.Tensor, key: Hashable) -> tuple[torch.Tensor, ...]:
        if len(stack) % self.channels:
            raise InputError(f"{key} has {len(stack)} channels, slices have {self.channels}")
        return _plain(stack).split(self.channels)


def _takes_dictionary(transform: Callable[[Any], Any]) -> bool:
    if isinstance(transform, Compose):
        return all(_takes_dictionary(one) for one in transform.transforms)
    return isinstance(transform, MapTransform)


def _plain(values: Any) -> torch.Tensor:
    return values.as_tensor() if isinstance(values, MetaTensor) else torch.as_tensor(values)
