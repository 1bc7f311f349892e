# SPDX-License-Identifier: Apache-2.0
"""Which tiles hold nothing but air or embedding medium, told from block means."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..utils.blocks import surrounding_gray


class EmptyTiles:
    """Find tiles that need not go through the network.

    A tile is empty where no block that it touches has tissue in its surroundings: the greatest mean gray of
    the blocks within ``reach`` stays below ``threshold`` (``utils.blocks.surrounding_gray``). Where the
    threshold is at most the least such gray of all labelled blocks of a volume, no tile that holds a labelled
    voxel can be empty: the voxel's own block is touched by the tile and reaches the threshold. Blocks are
    counted from the slice's first row and column, whichever way it is tiled.

    Args:
        threshold: gray as the network gets it, see ``data.training_empty_threshold``; None finds no
            tile empty.
        block: rows and columns of a block.
        reach: blocks looked at on each side.
    """

    def __init__(self, *, threshold: float | None, block: int = 8, reach: int = 4) -> None:
        if block < 1 or reach < 0:
            raise ValueError(f"block must be positive and reach not negative, got {block} and {reach}")
        self.threshold = threshold
        self.block = block
        self.reach = reach

    def tissue(self, stacks: torch.Tensor) -> torch.Tensor | None:
        """Blocks of the centre slices that have tissue in their surroundings.

        Args:
            stacks: (K, num_slices, H, W).

        Returns:
            (K, ceil(H / block), ceil(W / block)) bool; None where all count as tissue.
        """
        if self.threshold is None:
            return None
        centres = stacks[:, stacks.shape[1] // 2].float()
        # NaN is not below anything: the network's answer to it comes to light
        return ~(surrounding_gray(centres, block=self.block, reach=self.reach) < self.threshold)

    def kept(self, tissue: torch.Tensor | None, window: Sequence[slice]) -> torch.Tensor | slice:
        """Index of those of the K slices whose tile is not empty.

        Args:
            tissue: what ``tissue`` gave.
            window: rows and columns of the tile.
        """
        if tissue is None:
            return slice(None)
        rows, cols = (slice(part.start // self.block, -(-part.stop // self.block)) for part in window)
        kept = tissue[:, rows, cols].flatten(1).any(dim=1)
        return slice(None) if kept.all() else kept.nonzero().squeeze(1)
