# SPDX-License-Identifier: Apache-2.0
"""Random shift and rotation of a stack in plane, in shares of its size."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import Affine, MapTransform, RandomizableTransform

from ..utils import InputError


class RandShiftRotated(RandomizableTransform, MapTransform):
    """Shift and rotate stacks (C, H, W) in plane; all channels and keys share one draw.

    MONAI's RandAffined takes shifts in pixels, so that one config would not fit images of another size; the
    resampling is MONAI's ``Affine``.

    Args:
        keys: keys of float stacks.
        shift: largest shift, as a share of rows and of columns, in [0, 1].
        rotation: largest angle, degrees, not negative.
        prob: probability of a draw.
        padding_mode: what lies outside, see ``torch.nn.functional.grid_sample``; "zeros" is black after
            windowing.
        allow_missing_keys: do not raise where a key is absent.

    Raises:
        InputError: ``shift`` outside [0, 1] or a negative ``rotation``.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        shift: float = 0.0,
        rotation: float = 0.0,
        prob: float = 1.0,
        padding_mode: str = "zeros",
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        if not 0 <= shift <= 1 or rotation < 0:
            raise InputError(
                f"shift {shift}, rotation {rotation}", remedy="give a shift in [0, 1], degrees of 0 or more"
            )
        self.shift = shift
        self.rotation = rotation
        self.padding_mode = padding_mode
        self.shifts = (0.0, 0.0)
        self.angle = 0.0

    def randomize(self, data: Any = None) -> None:
        """Draw ``self.shifts`` (shares of rows and columns) and ``self.angle`` (degrees)."""
        super().randomize(None)
        rows, columns, angle = self.R.uniform(-1, 1, 3)
        self.shifts = (float(rows * self.shift), float(columns * self.shift))
        self.angle = float(angle * self.rotation)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's stack; untouched where the draw says so."""
        result = dict(data)
        self.randomize()
        if not self._do_transform:
            return result
        for key in self.key_iterator(result):
            result[key] = self._apply(result[key])
        return result

    def _apply(self, stack: torch.Tensor) -> torch.Tensor:
        size = stack.shape[-2:]
        affine = Affine(
            rotate_params=math.radians(self.angle),
            translate_params=[share * extent for share, extent in zip(self.shifts, size, strict=True)],
            padding_mode=self.padding_mode,
            image_only=True,
        )
        moved = affine(stack)
        return moved.as_tensor() if hasattr(moved, "as_tensor") else moved
