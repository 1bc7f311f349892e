# SPDX-License-Identifier: Apache-2.0
"""The augmentation of the 2.5D vessel recipe, with its one probability."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import (
    Compose,
    EnsureTyped,
    MapTransform,
    RandAdjustContrastd,
    RandFlipd,
    RandGaussianSmoothd,
    RandGridDistortiond,
    RandomizableTransform,
    RandRotate90d,
    RandRotated,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandZoomd,
)

from ..utils import InputError
from .motion_blur import RandMotionBlurd


class RandReverseStackd(RandomizableTransform, MapTransform):
    """Reverse the order of slices in stacks (C, H, W): a flip across the slices.

    Args:
        keys: keys of stacks; image, label and weight go together.
        prob: probability of a flip.
        allow_missing_keys: do not raise where a key is absent.
    """

    def __init__(self, keys: KeysCollection, *, prob: float = 0.5, allow_missing_keys: bool = False) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Reverse each key's stack where the draw says so."""
        result = dict(data)
        self.randomize(None)
        if self._do_transform:
            for key in self.key_iterator(result):
                result[key] = result[key].flip(0)
        return result


def vessel_augmentation(
    *,
    probability: float,
    rotate_probability: float = 0.5,
    flip_probability: float = 0.5,
    keys: Sequence[str] = ("image", "label", "weight"),
    zoom: Sequence[float] = (0.8, 1.25),
    rotate_degrees: float = 270.0,
    gamma: Sequence[float] = (0.8, 1.2),
    brightness: float = 0.2,
    contrast: float = 0.2,
    blur_sigma: Sequence[float] = (0.5, 1.5),
    motion_length: Sequence[float] = (3.0, 7.0),
    distortion: float = 0.3,
) -> Compose:
    """The augmentation of the contest's public 2.5D recipe on patches, MONAI's transforms where it has them.

    Geometry acts on all keys alike: the image bilinear with edges repeated, label and weight by the nearest
    pixel, so that the label stays 0/1; where the patch was left, the weight is 0. Flips in all three
    directions and quarter turns come first; they lose nothing.

    Each of zoom, brightness, contrast, blur, motion blur and grid distortion has ``probability``, gamma two
    thirds of it (the recipe's 0.05; a variant had 0.5, and the slides that this bundle follows compare the
    two). The recipe draws brightness and contrast together; here each has its own draw.

    Args:
        probability: the recipe's one number, 0-1.
        rotate_probability: of a turn by any angle.
        flip_probability: of each of the three flips; quarter turns have 1.5 times it, at most 1, since one
            of four turns is none. 0 leaves them out.
        keys: of image, label and weight, float tensors (C, H, W).
        zoom: least and largest factor; the patch keeps its size.
        rotate_degrees: largest angle, either way.
        gamma: least and largest exponent, over the range of the patch.
        brightness: largest shift, in units of the normalised image.
        contrast: largest relative change of the scale.
        blur_sigma: least and largest standard deviation, pixels.
        motion_length: least and largest line, pixels.
        distortion: largest relative change of a cell of the 5 x 5 grid.

    Returns:
        A transform of dictionaries; the keys are plain float32 tensors afterwards.

    Raises:
        InputError: probabilities outside [0, 1], or not three keys.
    """
    if not all(0 <= value <= 1 for value in (probability, rotate_probability, flip_probability)):
        raise InputError(
            f"probabilities {probability}, {rotate_probability}, {flip_probability}",
            remedy="give numbers from 0 to 1",
        )
    if len(keys) != 3:
        raise InputError(f"keys are {list(keys)}", remedy="name image, label and weight")
    image = keys[0]
    sampling = {
        "mode": ("bilinear", "nearest", "nearest"),
        "padding_mode": ("border", "border", "zeros"),
    }
    return Compose(
        [
            *_flips(keys, flip_probability),
            RandRotated(keys, range_x=math.radians(rotate_degrees), prob=rotate_probability, **sampling),
            RandZoomd(
                keys,
                prob=probability,
                min_zoom=zoom[0],
                max_zoom=zoom[1],
                mode=("bilinear", "nearest-exact", "nearest-exact"),
                padding_mode=("edge", "edge", "constant"),
            ),
            RandGridDistortiond(keys, prob=probability, distort_limit=distortion, **sampling),
            RandAdjustContrastd(image, prob=probability * 2 / 3, gamma=tuple(gamma)),
            RandScaleIntensityd(image, factors=contrast, prob=probability),
            RandShiftIntensityd(image, offsets=brightness, prob=probability),
            RandGaussianSmoothd(
                image, sigma_x=tuple(blur_sigma), sigma_y=tuple(blur_sigma), prob=probability
            ),
            RandMotionBlurd(image, length=motion_length, prob=probability),
            EnsureTyped(keys, dtype=np.float32, track_meta=False),
        ]
    )


def _flips(keys: Sequence[str], probability: float) -> list[MapTransform]:
    return [
        RandReverseStackd(keys, prob=probability),
        *(RandFlipd(keys, prob=probability, spatial_axis=axis) for axis in (0, 1)),
        RandRotate90d(keys, prob=min(1.0, 1.5 * probability), max_k=3),
    ]
