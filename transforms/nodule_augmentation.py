# SPDX-License-Identifier: Apache-2.0
"""Random maps of crops: mirror, rotation, scale and elastic distortion in one resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..utils import InputError
from .nodule_warp import CropWarp
from .oblique import rotation_matrix
from .smooth_field import knots, largest_elastic


@dataclass(frozen=True, kw_only=True)
class CropAugmentation:
    """What may happen to a crop; the scale is that of the DSB2017 winners, kept off their limits of size.

    Args:
        mirror: probability for each axis, one number or three.
        rotate_deg: largest angle about the axis from foot to head.
        tilt_deg: largest angle about the two others.
        quarter_turns: turn by 0, 90, 180 or 270 degrees about that axis first.
        scale: least and greatest; 1.25 shows everything 1.25 times as large.
        elastic: largest displacement in voxels of the crop; each crop draws its own strength below it.
        diameters: the scale is cut so that the drawn nodule's diameter in voxels stays between these.

    Raises:
        InputError: probabilities outside [0, 1], negative numbers, or a range upside down.
    """

    mirror: float | Sequence[float] = 0.5
    rotate_deg: float = 15.0
    tilt_deg: float = 5.0
    quarter_turns: bool = False
    scale: Sequence[float] = (0.75, 1.25)
    elastic: float = 2.0
    diameters: Sequence[float] = (3.0, 60.0)

    def __post_init__(self) -> None:
        mirror = np.atleast_1d(np.asarray(self.mirror, np.float64))
        if mirror.shape not in ((1,), (3,)) or mirror.min() < 0 or mirror.max() > 1:
            raise InputError(f"mirror {self.mirror}", remedy="give a probability, or one for each axis")
        if min(self.rotate_deg, self.tilt_deg, self.elastic) < 0:
            raise InputError(
                f"rotate_deg {self.rotate_deg}, tilt_deg {self.tilt_deg}, elastic {self.elastic}",
                remedy="give 0 or more",
            )
        for name in ("scale", "diameters"):
            ends = list(getattr(self, name))
            if len(ends) != 2 or not 0 < ends[0] <= ends[1]:
                raise InputError(f"{name} {ends}", remedy="give a least and a greatest, above 0")

    def check_shape(self, shape: Sequence[int]) -> None:
        """Refuse a displacement too large for crops of a shape, which could fold them.

        Raises:
            InputError: names the largest that is not.
        """
        most = largest_elastic(shape)
        if self.elastic >= most:
            raise InputError(
                f"elastic {self.elastic} voxels for crops of {tuple(shape)}",
                remedy=f"give less than {most:.2f}: more could fold the crop",
            )

    def draw(
        self, random: np.random.RandomState, shape: Sequence[int], diameter: float | None = None
    ) -> CropWarp:
        """Draw a map; ``place`` it next.

        Args:
            random: source of the draws.
            shape: of the crop.
            diameter: of the drawn nodule in voxels, if there is one.
        """
        low, high = self._scales(diameter)
        scale = random.uniform(low, high)
        signs = np.where(random.uniform(size=3) < self.mirror, -1.0, 1.0)
        turn = random.uniform(-1, 1, 3) * [self.tilt_deg, self.tilt_deg, self.rotate_deg]
        if self.quarter_turns:
            turn[2] += 90 * random.randint(4)
        matrix = rotation_matrix(turn) @ np.diag(signs) / scale
        controls = None
        if self.elastic:
            count = [len(knots(size)) for size in shape]
            controls = random.uniform(-1, 1, (*count, 3)) * random.uniform(0, self.elastic)
        return CropWarp(shape, matrix=matrix, controls=controls)

    def _scales(self, diameter: float | None) -> tuple[float, float]:
        low, high = self.scale
        if diameter is None:
            return low, high
        least, greatest = (limit / diameter for limit in self.diameters)
        return min(max(low, least), high), max(min(high, greatest), low)


def read_augmentation(
    options: Mapping[str, Any] | CropAugmentation | None, shape: Sequence[int]
) -> CropAugmentation | None:
    """Make the augmentation that a config names, checked for crops of a shape; None for none.

    Raises:
        InputError: unknown names, and from ``CropAugmentation``.
    """
    if options is None:
        return None
    if not isinstance(options, CropAugmentation):
        known = [field.name for field in fields(CropAugmentation)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise InputError(f"augmentation {', '.join(unknown)}", remedy=f"known: {', '.join(known)}")
        options = CropAugmentation(**options)
    options.check_shape(shape)
    return options
