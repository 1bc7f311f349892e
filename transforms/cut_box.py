# SPDX-License-Identifier: Apache-2.0
"""A box of voxels out of a volume, whether or not it lies inside."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def cut_box(volume: Tensor, start: Sequence[int], size: Sequence[int], *, fill: int) -> Tensor:
    """Cut a box; what lies outside the volume is ``fill``. The volume is not copied.

    Args:
        volume: (H, W, D).
        start: first voxel, may be negative.
        size: voxels along each axis.
        fill: value outside.

    Returns:
        A new tensor of ``size`` and the volume's data type.
    """
    box = torch.full(tuple(size), fill, dtype=volume.dtype)
    source, target = [], []
    for first, count, limit in zip(start, size, volume.shape, strict=True):
        low, high = max(first, 0), min(first + count, limit)
        if high <= low:
            return box
        source.append(slice(low, high))
        target.append(slice(low - first, high - first))
    box[tuple(target)] = volume[tuple(source)]
    return box
