# SPDX-License-Identifier: Apache-2.0
"""What random transforms take from a scan on its lung grid."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from torch import Tensor

from ..utils import InputError
from .ct_window import WATER

TRIES = 50  # draws of a point before one that shows nothing but fill is taken


def read_sample(data: Mapping[Hashable, Any], key: Hashable) -> tuple[Tensor, Tensor]:
    """Gray values (H, W, D) uint8, not copied, and the rows (K, 5) of the label.

    Raises:
        InputError: an image of another type or shape, or no label.
    """
    image = plain(data[key])
    if image.dtype != torch.uint8 or image.ndim != 4 or image.shape[0] != 1:
        raise InputError(
            f"'{key}' is {image.dtype} {tuple(image.shape)}",
            remedy="put LungGridd before: uint8 (1, H, W, D)",
        )
    if "label" not in data:
        raise InputError("a sample without 'label'", remedy="put LoadNodulesd and NodulesToGridd before")
    return image[0], plain(data["label"]).reshape(-1, 5)


def false_positive_points(data: Mapping[Hashable, Any]) -> Tensor:
    """The sample's false positives (P, 4), none where it has no such key."""
    return plain(data.get("false_positive_points", torch.zeros(0, 4))).reshape(-1, 4)


def plain(values: Tensor) -> Tensor:
    """A tensor without meta data: indexing it costs nothing more."""
    return values.as_tensor() if isinstance(values, MetaTensor) else values


def random_lung_point(random: np.random.RandomState, gray: Tensor) -> np.ndarray:
    """A random voxel (3,) that is not water, the fill outside the lungs; any voxel if there are few."""
    for _ in range(TRIES):
        point = [int(random.randint(size)) for size in gray.shape]
        if gray[tuple(point)] != WATER:
            break
    return np.array(point, np.float64)
