# SPDX-License-Identifier: Apache-2.0
"""A network at another in-plane size than its input's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError
from .outputs import MultiTaskOutput


def check_size(size: Sequence[int] | None, name: str) -> tuple[int, int] | None:
    """Two positive numbers of pixels, or None.

    Raises:
        InputError: if ``size`` is anything else.
    """
    if size is None:
        return None
    if isinstance(size, Sequence) and len(size) == 2 and all(isinstance(n, int) and n > 0 for n in size):
        return size[0], size[1]
    raise InputError(f"{name} is {size!r}", remedy="Give [height, width] in pixels, or null.")


def resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resample maps ``(B, C, H, W)`` to ``(B, C, *size)``, bilinear, low-pass filtered where they shrink.

    Args:
        maps: floating point, whose precision the result has.
        size: height and width in pixels.
    """
    here = tuple(maps.shape[-2:])
    if here == tuple(size):
        return maps
    # Antialiasing changes nothing in a map that grows, but costs time.
    shrinks = size[0] < here[0] or size[1] < here[1]
    # At least in float32, because the filter has no bfloat16 kernel on a CPU.
    wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
    resized = F.interpolate(wide, size=tuple(size), mode="bilinear", align_corners=False, antialias=shrinks)
    return resized.to(maps.dtype)


class ResizedNetwork(nn.Module):
    """Run a network on a resized input; its maps come back in the input's size.

    For experiments with big scans on a small computer: a quarter of the height and of the width is a
    sixteenth of the work. Fine structures are lost.

    Args:
        network: takes ``(B, num_slices, H, W)``, returns a dictionary as :class:`GridUNet` does.
        size: height and width in pixels that the network sees; None changes nothing.

    Raises:
        InputError: if ``size`` is not two positive integers or None.
    """

    def __init__(self, network: nn.Module, *, size: Sequence[int] | None) -> None:
        super().__init__()
        self.network = network
        self.size = check_size(size, "size")

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Resize, run, and resize "segmentation" back.

        Args:
            image: ``(B, num_slices, H, W)``, floating point.

        Returns:
            The network's dictionary, with "segmentation", if there is one, as ``(B, C, H, W)``.
        """
        if self.size is None:
            return self.network(image)
        output = MultiTaskOutput(self.network(resize(image, self.size)))
        if "segmentation" in output:
            output["segmentation"] = resize(output["segmentation"], image.shape[-2:])
        return output
