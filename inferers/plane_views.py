# SPDX-License-Identifier: Apache-2.0
"""Test-time augmentation: a slice seen flipped and turned, the answers turned back and averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch


class PlaneViews:
    """Average a network's maps over views of the slice: a subgroup of the square's eight symmetries.

    Give it a network whose maps are probabilities; the mean of logits is something else. Where the network
    sees windows of rows x columns, quarter turns show it columns x rows too.

    Args:
        flips: rows and columns flipped.
        quarter_turns: turned by 90, 180 and 270 degrees. With ``flips`` all eight views, else four, and one
            with neither.
    """

    def __init__(self, *, flips: bool = False, quarter_turns: bool = False) -> None:
        self.flips = flips
        self.quarter_turns = quarter_turns

    def __call__(self, stacks: torch.Tensor, network: Callable[[torch.Tensor], Any]) -> Any:
        """Apply ``network`` to each view of stacks (K, C, H, W).

        Returns:
            what ``network`` gives, a tensor or a dictionary of tensors: maps (K, C, H, W) and vectors (K, C)
            averaged over the views.
        """
        count, sums, single = 0, {}, True
        for flipped, turns in self._views():
            outputs = network(stacks.flip(flipped).rot90(turns, (-2, -1)))
            single = not isinstance(outputs, Mapping)
            for key, value in ({"": outputs} if single else outputs).items():
                if value.ndim == 4:
                    value = value.rot90(-turns, (-2, -1)).flip(flipped)
                sums[key] = sums[key] + value if key in sums else value
            count += 1
        mean = {key: value / count if count > 1 else value for key, value in sums.items()}
        return mean[""] if single else mean

    def _views(self) -> Iterator[tuple[tuple[int, ...], int]]:
        """Axes flipped first, quarter turns after."""
        flips = [()]
        if self.flips:  # with turns, the other flips are turns of this one
            flips = [(), (-1,)] if self.quarter_turns else [(), (-1,), (-2,), (-2, -1)]
        for flipped in flips:
            for turns in range(4 if self.quarter_turns else 1):
                yield flipped, turns
