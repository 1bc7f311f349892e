# SPDX-License-Identifier: Apache-2.0
"""Random motion blur of a stack in plane."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from ..utils import InputError


class RandMotionBlurd(RandomizableTransform, MapTransform):
    """Blur stacks (C, H, W) along a random line in plane; all channels and keys share one draw.

    Args:
        keys: keys of float stacks.
        length: shortest and longest line, pixels, at least 1.
        prob: probability of a draw.
        allow_missing_keys: do not raise where a key is absent.

    Raises:
        InputError: lengths below 1 or not in rising order.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        length: Sequence[float] = (3.0, 7.0),
        prob: float = 0.1,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        if len(length) != 2 or not 1 <= length[0] <= length[1]:
            raise InputError(
                f"length is {list(length)}", remedy="give shortest and longest line, pixels, from 1"
            )
        self.lengths = tuple(length)
        self.length = 1.0
        self.angle = 0.0

    def randomize(self, data: Any = None) -> None:
        """Draw ``self.length`` (pixels) and ``self.angle`` (radians against the rows, in [0, pi))."""
        super().randomize(None)
        self.length = float(self.R.uniform(*self.lengths))
        self.angle = float(self.R.uniform(0, math.pi))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's stack; untouched where the draw says so."""
        result = dict(data)
        self.randomize()
        if self._do_transform:
            for key in self.key_iterator(result):
                result[key] = motion_blur(result[key], length=self.length, angle=self.angle)
        return result


def motion_blur(stack: torch.Tensor, *, length: float, angle: float) -> torch.Tensor:
    """Average each slice along a line through every pixel; edges repeat.

    Args:
        stack: (C, H, W) float.
        length: of the line, pixels; 1 leaves the stack as it is.
        angle: of the line against the rows, radians.
    """
    kernel = line_kernel(length=length, angle=angle).to(stack)
    reach = kernel.shape[0] // 2
    padded = torch.nn.functional.pad(stack[:, None], [reach] * 4, mode="replicate")
    return torch.nn.functional.conv2d(padded, kernel[None, None])[:, 0]


def line_kernel(*, length: float, angle: float) -> torch.Tensor:
    """A line about the middle of a square kernel of odd size, anti-aliased, sum 1, the same on both sides.

    The line has ``length - 1`` pixels between its ends, so that along the rows an odd length gives that many
    pixels, the outer ones by their share.
    """
    half = (length - 1) / 2
    reach = math.ceil(half)
    along = torch.linspace(-half, half, 16 * reach + 1, dtype=torch.float64)
    grid = torch.arange(-reach, reach + 1, dtype=torch.float64)
    rows = (1 - (grid[:, None] - along * math.sin(angle)).abs()).clamp(min=0)
    columns = (1 - (grid[:, None] - along * math.cos(angle)).abs()).clamp(min=0)
    kernel = rows @ columns.T
    return (kernel / kernel.sum()).float()
