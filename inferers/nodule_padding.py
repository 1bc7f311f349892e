# SPDX-License-Identifier: Apache-2.0
"""A lung box as a detector takes it: sizes that are multiples, and where its voxels lie in the lungs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..transforms.ct_window import WATER, gray_to_input
from ..utils import InputError


def check_lung_box(inputs: Tensor) -> Tensor:
    """One scan on its lung grid, as a plain tensor.

    Raises:
        InputError: if it is not (1, 1, H, W, D) with voxels, or neither uint8 nor floating point.
    """
    image = inputs.as_tensor() if hasattr(inputs, "as_tensor") else inputs
    if image.ndim != 5 or image.shape[:2] != (1, 1) or not image.numel():
        raise InputError(
            f"image of shape {tuple(image.shape)}", remedy="Give one scan at a time: (1, 1, H, W, D)."
        )
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise InputError(
            f"image of type {image.dtype}",
            remedy="Give gray values as uint8 (LungGridd), or floats from -1 to 1.",
        )
    return image


def pad_to_multiple(image: Tensor, *, multiple: int) -> Tensor:
    """Fill a scan up with water beyond its last voxels, so that indices stay what they are.

    Args:
        image: (1, 1, H, W, D), uint8 gray or floats from -1 to 1.
        multiple: of which sizes become multiples.

    Returns:
        The scan, itself where nothing lacks.
    """
    lacking = [-size % multiple for size in image.shape[:1:-1]]  # as F.pad wants it: the last axis first
    if not any(lacking):
        return image
    water = torch.tensor(WATER)
    value = water.item() if image.dtype == torch.uint8 else gray_to_input(water).item()
    return functional.pad(image, [pad for last in lacking for pad in (0, last)], value=value)


def padded_box(shape: tuple[int, ...], padded: tuple[int, ...]) -> Tensor:
    """Where the first and last voxel centre of a padded scan lie in the lung box.

    Args:
        shape: (H, W, D) of the lung box: its first voxel centre is -0.5, its last 0.5.
        padded: (H, W, D) of the padded scan.

    Returns:
        (1, 6) float32: low i, j, k, high i, j, k; the high ones are 0.5 and more.
    """
    high = [-0.5 + (more - 1) / max(size - 1, 1) for size, more in zip(shape, padded, strict=True)]
    return torch.tensor([[-0.5] * 3 + high], dtype=torch.float32)


def as_input(image: Tensor, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A scan, or part of one, to what the network computes with; 8-bit gray is exact in bfloat16 too."""
    image = image.to(device)
    return gray_to_input(image, dtype) if image.dtype == torch.uint8 else image.to(dtype)
