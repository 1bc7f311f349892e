# SPDX-License-Identifier: Apache-2.0
"""Within a slice: windows for one too large for one pass, padding to what a network can take, and chains."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.utils import BlendMode
from torch.nn import functional

from .empty_tiles import EmptyTiles

Network = Callable[[torch.Tensor], Any]
Step = Callable[[torch.Tensor, Network], Any]
MAX_PLANE = 2**21


class InPlaneWindows:
    """Cut stacks (K, C, H, W) into overlapping windows and blend the network's maps again.

    MONAI's ``sliding_window_inference`` does the same for maps but refuses a network that also gives a vector
    (presence of a class); here the vectors of the windows are joined by their maximum: a class is present in
    the slice if it is present in one of its windows.

    Args:
        roi_size: rows and columns of a window; None takes whole slices, unless they exceed ``max_plane``.
        overlap: share of a window that it has in common with the next, in [0, 1).
        mode: weights of a window's pixels, "constant" or "gaussian" (sigma an eighth of the window).
        max_plane: pixels of a whole slice at most; larger ones are cut into windows of about as many. Only
            where ``roi_size`` is None.
        skip: windows that it finds empty do not go through the network: they are 0 where no other window
            covers them. Only for a network that gives one map, as probabilities.
    """

    def __init__(
        self,
        *,
        roi_size: Sequence[int] | None = None,
        overlap: float = 0.25,
        mode: BlendMode | str = BlendMode.GAUSSIAN,
        max_plane: int = MAX_PLANE,
        skip: EmptyTiles | None = None,
    ) -> None:
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap must lie in [0, 1), got {overlap}")
        self.roi_size = None if roi_size is None else tuple(int(size) for size in roi_size)
        self.overlap = overlap
        self.mode = mode
        self.max_plane = max_plane
        self.skip = skip

    def __call__(self, stacks: torch.Tensor, network: Network) -> Any:
        """Apply ``network`` window by window; slices no larger than a window go through whole."""
        size = tuple(stacks.shape[-2:])
        roi = self.window(size)
        if roi == size and self.skip is None:
            return network(stacks)
        tissue = self.skip.tissue(stacks) if self.skip else None
        mode = BlendMode.CONSTANT if roi == size else self.mode
        weights = compute_importance_map(roi, mode=mode, device=stacks.device, dtype=torch.float32)
        sums: dict[str, torch.Tensor] = {}
        total = torch.zeros((1 if tissue is None else len(stacks), 1, *size), device=stacks.device)
        for window in dense_patch_slices(size, roi, self._interval(roi, size)):
            rows = self.skip.kept(tissue, window) if self.skip else slice(None)
            if isinstance(rows, torch.Tensor) and not len(rows):
                continue
            place = (rows, slice(None), *window)
            total[place] += weights
            outputs = network(stacks[place])
            for key, value in (outputs if isinstance(outputs, Mapping) else {"": outputs}).items():
                if key not in sums:
                    sums[key] = self._start(value, len(stacks), size)
                _add(sums[key], value.float(), place, weights)
        if not sums:
            return torch.zeros((len(stacks), 1, *size), device=stacks.device)
        total.clamp_(min=torch.finfo(torch.float32).tiny)  # where no window was computed, 0 of 0 is 0
        blended = {key: value / total if value.ndim == 4 else value for key, value in sums.items()}
        return blended[""] if set(blended) == {""} else blended

    def window(self, size: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of the windows of a slice of ``size``."""
        if self.roi_size is not None:
            return tuple(min(window, extent) for window, extent in zip(self.roi_size, size, strict=True))
        if math.prod(size) <= self.max_plane:
            return tuple(size)
        short = min(*size, math.isqrt(self.max_plane))
        long = self.max_plane // short
        limits = (short, long) if size[0] <= size[1] else (long, short)
        return tuple(
            extent if limit >= extent else _whole(limit) for limit, extent in zip(limits, size, strict=True)
        )

    def _interval(self, roi: Sequence[int], size: Sequence[int]) -> tuple[int, ...]:
        return tuple(
            extent if window == extent else max(1, int(window * (1 - self.overlap)))
            for window, extent in zip(roi, size, strict=True)
        )

    def _start(self, value: torch.Tensor, count: int, size: tuple[int, ...]) -> torch.Tensor:
        if value.ndim == 4:
            return torch.zeros((count, value.shape[1], *size), device=value.device)
        empty = -math.inf if self.skip is None else 0.0  # a maximum starts from nothing, or from "absent"
        return torch.full((count, *value.shape[1:]), empty, device=value.device)


class PadToMultiple:
    """Pad stacks to a size that the network can take, and crop its maps again.

    Rows and columns are added below and on the right, as copies of the last ones, so no pixel changes place.

    Args:
        multiple: rows and columns become multiples of it, 16 for a network of four poolings.
    """

    def __init__(self, multiple: int = 16) -> None:
        if multiple < 1:
            raise ValueError(f"multiple must be positive, got {multiple}")
        self.multiple = multiple

    def __call__(self, stacks: torch.Tensor, network: Network) -> Any:
        """Apply ``network`` to padded stacks (K, C, H, W); of its answers, maps of that size are cropped."""
        height, width = stacks.shape[-2:]
        below, right = -height % self.multiple, -width % self.multiple
        if not below and not right:
            return network(stacks)
        padded = functional.pad(stacks, (0, right, 0, below), mode="replicate")

        def crop(value: torch.Tensor) -> torch.Tensor:
            is_map = value.ndim == 4 and value.shape[-2:] == padded.shape[-2:]
            return value[..., :height, :width] if is_map else value

        outputs = network(padded)
        if isinstance(outputs, Mapping):
            return {key: crop(value) for key, value in outputs.items()}
        return crop(outputs)


class Chain:
    """Several steps (windows, views, padding) as one: each has the next as its network.

    Args:
        steps: outermost first; None is left out.
    """

    def __init__(self, *steps: Step | None) -> None:
        self.steps = tuple(step for step in steps if step is not None)

    def __call__(self, stacks: torch.Tensor, network: Network) -> Any:
        """Apply ``network`` through the steps."""
        for step in reversed(self.steps):
            network = _within(step, network)
        return network(stacks)


def _within(step: Step, network: Network) -> Network:
    return lambda stacks: step(stacks, network)


def _whole(extent: int, unit: int = 32) -> int:
    """Round down to what networks take without padding."""
    return extent // unit * unit or extent


def _add(
    sums: torch.Tensor,
    value: torch.Tensor,
    place: tuple[slice | torch.Tensor, ...],
    weights: torch.Tensor,
) -> None:
    if value.ndim == 4:
        sums[place] += value * weights
    else:
        sums[place[0]] = torch.maximum(sums[place[0]], value)
