# SPDX-License-Identifier: Apache-2.0
"""What networks that pad nothing ask of their input."""

from __future__ import annotations

from torch import Tensor

from ..utils import InputError


def check_image(image: Tensor, *, channels: int, divisor: int) -> None:
    """Check the shape of a network's input.

    Args:
        image: should be ``(B, channels, H, W)``.
        channels: slices in a stack.
        divisor: what H and W are multiples of.

    Raises:
        InputError: for another number of axes or channels, or a size that is not such a multiple.
    """
    if image.ndim != 4 or image.shape[1] != channels:
        raise InputError(
            f"input of shape {tuple(image.shape)} for a network of {channels} slices",
            remedy="Give (batch, slices, rows, columns); num_slices is the network's in_channels.",
        )
    if image.shape[2] % divisor or image.shape[3] % divisor:
        raise InputError(
            f"input of {image.shape[2]} x {image.shape[3]} pixels: both must be multiples of {divisor}",
            remedy="Choose such a patch size, or pad as the inferer does.",
        )


def check_positive(**numbers: int) -> None:
    """Check widths and numbers of channels.

    Raises:
        InputError: for the first that is not a positive integer, by its name.
    """
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise InputError(f"{name} is {number!r}", remedy="Give a positive whole number.")
