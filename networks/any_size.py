# SPDX-License-Identifier: Apache-2.0
"""Padding and cropping that stay right at other sizes when a network is traced or exported."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def is_recorded() -> bool:
    """Whether a trace or an export records what is computed, so that no branch may depend on a size."""
    return torch.jit.is_tracing() or torch.compiler.is_exporting()


def pad_by_edge(image: Tensor, multiple: int) -> Tensor:
    """Repeat the lower and the right edge up to a multiple of ``multiple``.

    Args:
        image: ``(B, C, H, W)``.
        multiple: of which height and width become multiples.
    """
    if not is_recorded():
        below, right = (-size % multiple for size in image.shape[-2:])
        return F.pad(image, (0, right, 0, below), mode="replicate") if below or right else image
    # The same by indices: how far to pad would be fixed in a trace, and be a condition in an export.
    for axis in (-2, -1):
        size = image.shape[axis]
        padded = (size + multiple - 1) // multiple * multiple
        image = image.index_select(axis, _count_to(padded, image).clamp(max=size - 1))
    return image


def crop_like(maps: Tensor, image: Tensor) -> Tensor:
    """The upper left of maps ``(B, C, H', W')`` in the height and width of ``image``."""
    height, width = image.shape[-2:]
    if is_recorded():
        for axis, size in ((-2, height), (-1, width)):
            maps = maps.index_select(axis, _count_to(size, maps))
        return maps
    if maps.shape[-2:] == (height, width):
        return maps
    return maps.narrow(-2, 0, height).narrow(-1, 0, width)


def _count_to(number: int, maps: Tensor) -> Tensor:
    """0, 1 ... number - 1 where the maps lie."""
    if not torch.jit.is_tracing():
        return torch.arange(number, device=maps.device)
    # A trace would keep the device that it was made on: it moves them to where the maps lie when it runs.
    return torch.arange(number).type_as(maps[:0].long())
