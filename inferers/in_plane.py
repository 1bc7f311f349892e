# SPDX-License-Identifier: Apache-2.0
"""In-plane windows: a slice too large for one pass, computed in overlapping pieces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.utils import BlendMode


class InPlaneWindows:
    """Cut stacks (K, C, H, W) into overlapping windows and blend the network's maps again.

    MONAI's ``sliding_window_inference`` does the same for maps but refuses a network that also gives a vector
    (presence of a class); here the vectors of the windows are joined by their maximum: a class is present in
    the slice if it is present in one of its windows.

    Args:
        roi_size: rows and columns of a window.
        overlap: share of a window that it has in common with the next, in [0, 1).
        mode: weights of a window's pixels, "constant" or "gaussian" (sigma an eighth of the window).
    """

    def __init__(
        self, *, roi_size: Sequence[int], overlap: float = 0.25, mode: BlendMode | str = BlendMode.GAUSSIAN
    ) -> None:
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap must lie in [0, 1), got {overlap}")
        self.roi_size = tuple(int(size) for size in roi_size)
        self.overlap = overlap
        self.mode = mode

    def __call__(self, stacks: torch.Tensor, network: Callable[[torch.Tensor], Any]) -> Any:
        """Apply ``network`` window by window; slices no larger than a window go through whole."""
        size = tuple(stacks.shape[-2:])
        roi = tuple(min(window, extent) for window, extent in zip(self.roi_size, size, strict=True))
        if roi == size:
            return network(stacks)
        interval = tuple(
            extent if window == extent else max(1, int(window * (1 - self.overlap)))
            for window, extent in zip(roi, size, strict=True)
        )
        weights = compute_importance_map(roi, mode=self.mode, device=stacks.device, dtype=torch.float32)
        sums: dict[str, torch.Tensor] = {}
        total = torch.zeros(size, device=stacks.device)
        for window in dense_patch_slices(size, roi, interval):
            total[window] += weights
            outputs = network(stacks[(..., *window)])
            for key, value in (outputs if isinstance(outputs, Mapping) else {"": outputs}).items():
                _add(sums, key, value.float(), window, weights, size)
        blended = {key: value / total if value.ndim == 4 else value for key, value in sums.items()}
        return blended[""] if set(blended) == {""} else blended


def _add(
    sums: dict[str, torch.Tensor],
    key: str,
    value: torch.Tensor,
    window: tuple[slice, ...],
    weights: torch.Tensor,
    size: tuple[int, ...],
) -> None:
    if value.ndim == 4:
        if key not in sums:
            sums[key] = value.new_zeros((*value.shape[:2], *size))
        sums[key][(..., *window)] += value * weights
    else:
        sums[key] = torch.maximum(sums[key], value) if key in sums else value
