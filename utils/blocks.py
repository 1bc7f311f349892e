# SPDX-License-Identifier: Apache-2.0
"""Mean grays of blocks and of their surroundings: the one measure by which tiles count as empty."""

from __future__ import annotations

import torch
from torch.nn import functional


def surrounding_gray(planes: torch.Tensor, *, block: int, reach: int) -> torch.Tensor:
    """Greatest block mean in the surroundings of each block of a plane.

    A vessel's lumen may be as dark as the medium around an organ, but tissue lies beside it; so what tells
    the two apart is not a block's own gray but the brightest block nearby.

    Args:
        planes: (N, H, W) float grays. Blocks are counted from the first row and column; those at the far
            edges may be smaller.
        block: rows and columns of a block.
        reach: blocks looked at on each side.

    Returns:
        (N, ceil(H / block), ceil(W / block)).
    """
    return greatest_nearby(block_means(planes, block=block), reach=reach)


def block_means(planes: torch.Tensor, *, block: int) -> torch.Tensor:
    """(N, H, W) to the mean of each block, the first step of ``surrounding_gray``."""
    return functional.avg_pool2d(planes.unsqueeze(1), block, ceil_mode=True).squeeze(1)


def greatest_nearby(means: torch.Tensor, *, reach: int) -> torch.Tensor:
    """(N, h, w) to the greatest of the values within ``reach``, its second step."""
    found = functional.max_pool2d(means.unsqueeze(1), 2 * reach + 1, stride=1, padding=reach)
    return found.squeeze(1)


def labelled_blocks(planes: torch.Tensor, *, block: int) -> torch.Tensor:
    """Which of the same blocks hold a voxel that is not zero.

    Args:
        planes: (N, H, W) of a label.
        block: see ``surrounding_gray``.

    Returns:
        (N, ceil(H / block), ceil(W / block)) bool.
    """
    labelled = (planes != 0).float().unsqueeze(1)
    return functional.max_pool2d(labelled, block, ceil_mode=True).squeeze(1) > 0
