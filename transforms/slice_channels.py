# SPDX-License-Identifier: Apache-2.0
"""Hounsfield units to network channels: windows, neighbours, size."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform

from ..utils import InputError
from .resize import resize_stack

# Level and width in HU.
WINDOWS: dict[str, tuple[float, float]] = {
    "brain": (40.0, 80.0),
    "subdural": (80.0, 200.0),
    "bone": (600.0, 2800.0),
    "soft": (40.0, 380.0),
    "stroke": (32.0, 8.0),
}
_REMEDY = f"Name one of {', '.join(WINDOWS)}, or give [level, width] in HU."


class SliceChannels(Transform):
    """Turn stacks of CT slices into the channels that a slice classifier sees.

    Each slice is seen through each window, 0 at ``level - width / 2`` and below, 1 at ``level + width / 2``
    and above. Volumes of uint8 are taken as windowed already, and are only divided by 255.

    S slices become T = S - 2 * ``neighbours``, each of which has C = number of windows * (2 * ``neighbours``
    + 1) channels: first the slice ``neighbours`` before it in every window, and so on to the one after it.

    Args:
        windows: (level, width) in HU or a name of ``WINDOWS``, one or several; in their order.
        neighbours: slices on each side that a slice has among its channels.
        size: rows and columns of the result, or one number for both; bilinear with anti-aliasing, after the
            window. None keeps the size.

    Attributes:
        channels_per_slice: C.

    Raises:
        InputError: an unknown window, a width or size that is not positive, a negative ``neighbours``.
    """

    def __init__(
        self,
        *,
        windows: Sequence[str | Sequence[float]] | str = ((40, 80),),
        neighbours: int = 0,
        size: int | Sequence[int] | None = None,
    ) -> None:
        self.windows = [_window(one) for one in ([windows] if isinstance(windows, str) else windows)]
        if not self.windows:
            raise InputError("windows is empty", remedy=_REMEDY)
        if neighbours < 0:
            raise InputError(f"neighbours is {neighbours}", remedy="Give 0 or more slices on each side.")
        self.neighbours = neighbours
        self.size = _size(size)
        self.channels_per_slice = len(self.windows) * (2 * neighbours + 1)

    def __call__(self, stacks: torch.Tensor) -> torch.Tensor:
        """Convert stacks.

        Args:
            stacks: (..., S, H, W), in HU, of any number type; or uint8, windowed.

        Returns:
            (..., T * C, H', W') float32 in [0, 1], the first slice's channels first; a copy.

        Raises:
            InputError: uint8 for several windows, or fewer slices than one with its neighbours.
        """
        span = 2 * self.neighbours + 1
        if stacks.shape[-3] < span:
            raise InputError(f"a stack of {stacks.shape[-3]} slices, but one with its neighbours is {span}")
        if isinstance(stacks, MetaTensor):
            stacks = stacks.as_tensor()
        seen = self._resize(self._apply_windows(stacks))
        if self.neighbours:
            seen = seen.unfold(-4, span, 1).movedim(-1, -4).flatten(-5, -4)
        return seen.flatten(-4, -3).contiguous()

    def _apply_windows(self, stacks: torch.Tensor) -> torch.Tensor:
        """(..., S, H, W) to (..., S, number of windows, H, W)."""
        if stacks.dtype == torch.uint8:
            if len(self.windows) > 1:
                raise InputError(
                    f"{len(self.windows)} windows, but the images are 8-bit: one window was applied already",
                    remedy="Use one window for such images, or give CT in Hounsfield units.",
                )
            return (stacks.float() / 255).unsqueeze(-3)
        values = stacks.float()
        return torch.stack(
            [((values - (level - width / 2)) / width).clamp_(0, 1) for level, width in self.windows], dim=-3
        )

    def _resize(self, maps: torch.Tensor) -> torch.Tensor:
        if self.size is None or tuple(maps.shape[-2:]) == self.size:
            return maps
        resized = resize_stack(maps.reshape(-1, *maps.shape[-2:]), self.size)
        # Weights of the filter sum to 1 up to rounding.
        return resized.clamp_(0, 1).reshape(*maps.shape[:-2], *self.size)


class SliceChannelsd(MapTransform):
    """Dictionary version of ``SliceChannels``.

    Args:
        keys: keys of stacks.
        channels: the ``SliceChannels`` to apply, so that training and inference share one.
        allow_missing_keys: do not raise where a key is absent.
    """

    def __init__(
        self, keys: KeysCollection, *, channels: SliceChannels, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.channels = channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's stack (S, H, W) by its channels (T * C, H', W')."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.channels(result[key])
        return result


def _window(window: str | Sequence[float]) -> tuple[float, float]:
    if isinstance(window, str):
        if window not in WINDOWS:
            raise InputError(f"window is {window!r}", remedy=_REMEDY)
        return WINDOWS[window]
    if not isinstance(window, Sequence) or len(window) != 2 or not window[1] > 0:
        raise InputError(f"window is {window!r}", remedy=_REMEDY)
    return float(window[0]), float(window[1])


def _size(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(extent, int) and extent > 0 for extent in pair):
        raise InputError(f"size is {size!r}", remedy="Give [rows, columns], one number for both, or null.")
    return pair
