# SPDX-License-Identifier: Apache-2.0
"""What an attention network looked at in one slice."""

from __future__ import annotations

import inspect

import numpy as np
import torch
from monai.networks.utils import eval_mode
from torch import nn

from ..data.volumes import Volume
from ..inferers.bare_network import bare_network
from ..inferers.in_plane import PadToMultiple
from ..networks import RepeatedGray
from ..transforms.slice_stacks import stack_offsets


def has_attention(network: nn.Module) -> bool:
    """Whether a network gives attention maps where it is called with ``attention=True``."""
    bare = bare_network(network)
    bare = bare.network if isinstance(bare, RepeatedGray) else bare
    return "attention" in inspect.signature(bare.forward).parameters


def attention_of_slice(network: nn.Module, grays: Volume, index: int, *, num_slices: int) -> list[np.ndarray]:
    """Attention coefficients of each gate for one slice along z.

    Args:
        network: stacks (1, num_slices, H, W) and ``attention=True`` -> {"attention": [(1, 1, h, w), ...]}.
        grays: what the network is given, (Z, Y, X).
        index: of the slice.
        num_slices: slices of a stack.

    Returns:
        (h, w) maps 0-1 over the slice's field of view, coarse first.
    """
    first, last = max(0, index - num_slices // 2), min(grays.shape[0], index + num_slices // 2 + 1)
    slab = torch.from_numpy(grays.read((slice(first, last), slice(None), slice(None))))
    neighbours = (torch.tensor(stack_offsets(num_slices)) + index).clamp(0, grays.shape[0] - 1) - first
    device = next(network.parameters()).device
    maps: list[torch.Tensor] = []

    def look(stacks: torch.Tensor) -> torch.Tensor:
        found = network(stacks, attention=True)
        maps.extend(found["attention"])
        return found["logits"]

    with eval_mode(network):
        PadToMultiple(getattr(bare_network(network), "divisor", 1))(slab[neighbours][None].to(device), look)
    return [_crop(one, slab.shape[1:]).float().cpu().numpy() for one in maps]


def _crop(attention: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Cut off what lies in the padding below and on the right: gates are poolings of the padded slice."""
    rows, columns = attention.shape[-2:]
    steps = [
        2 ** max(0, round(np.log2(extent / own))) for extent, own in zip(size, (rows, columns), strict=True)
    ]
    step = max(steps)
    return attention[0, 0, : -(-size[0] // step), : -(-size[1] // step)]
