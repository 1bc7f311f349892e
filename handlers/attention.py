# SPDX-License-Identifier: Apache-2.0
"""What an attention network looked at in one slice."""

from __future__ import annotations

import inspect
import math

import numpy as np
import torch
from monai.networks.utils import eval_mode
from torch import nn

from ..data.volumes import Volume
from ..inferers.bare_network import bare_network
from ..inferers.in_plane import InPlaneWindows, PadToMultiple
from ..networks import RepeatedGray
from ..transforms.slice_stacks import stack_offsets


def has_attention(network: nn.Module) -> bool:
    """Whether a network gives attention maps where it is called with ``attention=True``."""
    bare = bare_network(network)
    bare = bare.network if isinstance(bare, RepeatedGray) else bare
    return "attention" in inspect.signature(bare.forward).parameters


def best_window(size: tuple[int, int], mask: np.ndarray) -> tuple[slice, slice]:
    """The part of a slice to look at: all of it, or as large a window as inference takes, about the vessels.

    Args:
        size: rows and columns of the slice.
        mask: (h, w) vessels, perhaps on another grid of the same field of view.
    """
    found = np.argwhere(mask)
    middle = found.mean(axis=0) + 0.5 if len(found) else np.array(mask.shape) / 2
    window = InPlaneWindows().window(size)
    starts = (
        int(min(max(0.0, place * extent / own - length / 2), extent - length))
        for place, own, extent, length in zip(middle, mask.shape, size, window, strict=True)
    )
    return tuple(slice(start, start + length) for start, length in zip(starts, window, strict=True))


def attention_of_slice(
    network: nn.Module,
    grays: Volume,
    index: int,
    *,
    num_slices: int,
    part: tuple[slice, slice] = (slice(None), slice(None)),
) -> list[np.ndarray]:
    """Attention coefficients of each gate for one slice along z.

    Args:
        network: stacks (1, num_slices, H, W) and ``attention=True`` -> {"attention": [(1, 1, h, w), ...]}.
        grays: what the network is given, (Z, Y, X).
        index: of the slice.
        num_slices: slices of a stack.
        part: rows and columns to look at.

    Returns:
        (h, w) maps 0-1 over the part's field of view, coarse first.
    """
    first, last = max(0, index - num_slices // 2), min(grays.shape[0], index + num_slices // 2 + 1)
    slab = torch.from_numpy(grays.read((slice(first, last), *part)))
    neighbours = (torch.tensor(stack_offsets(num_slices)) + index).clamp(0, grays.shape[0] - 1) - first
    device = next(network.parameters()).device
    maps: list[torch.Tensor] = []

    def look(stacks: torch.Tensor) -> torch.Tensor:
        found = network(stacks, attention=True)
        maps.extend(found["attention"])
        return found["logits"]

    divisor = getattr(bare_network(network), "divisor", 1)
    with eval_mode(network):
        PadToMultiple(divisor)(slab[neighbours][None].to(device), look)
    return [_crop(one[0, 0], slab.shape[1:], divisor).float().cpu().numpy() for one in maps]


def _crop(attention: torch.Tensor, size: torch.Size, divisor: int) -> torch.Tensor:
    """Cut off what lies in the padding below and on the right: gates are poolings of the padded slice."""
    kept = []
    for own, extent in zip(attention.shape, size, strict=True):
        step = math.ceil(extent / divisor) * divisor // own
        kept.append(slice(math.ceil(extent / step)))
    return attention[tuple(kept)]
