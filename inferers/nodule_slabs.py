# SPDX-License-Identifier: Apache-2.0
"""A detector within bounded memory: its fine part slab by slab, the rest at once, with the same result.

A 3D detector takes most of its memory where it works at full and half resolution, and sees little there: ten
voxels to each side in the network of DSB2017. So that part runs slab by slab, each with as many voxels more
as it sees, and only its small map is kept; all that sees far runs on the whole map. No window sees less than
the whole would, nothing is blended, and nothing is computed twice but the margins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

LIVE_MAPS = 1.5  # peak of memory / (greatest input + output of a layer), see measure_footprint
PROBE = 48  # voxels along an axis, at least


class SplitNetwork(Protocol):
    """A detector in two steps; ``networks.NoduleDetector`` is one.

    ``coarse(fine(image), box)`` is its ``forward``. Images have sizes that are multiples of ``total_stride``;
    ``fine`` takes multiples of 4 and gives maps of ``fine_stride`` voxels a cell, each of which sees
    ``fine_margin`` voxels beyond its own to each side.
    """

    total_stride: int
    fine_stride: int
    fine_margin: int

    def fine(self, image: Tensor) -> tuple[Tensor, ...]:
        """(1, 1, D0, D1, D2) to maps."""

    def coarse(self, features: Sequence[Tensor], box: Tensor | None = None) -> Tensor:
        """Maps to (1, C, d0, d1, d2)."""


class Footprint(NamedTuple):
    """Bytes a voxel of the image: the fine part's peak, and its maps."""

    fine: float
    maps: float


def measure_footprint(network: SplitNetwork, *, dtype: torch.dtype, device: torch.device) -> Footprint:
    """How much memory a network takes, from what its layers take and give on a small cube.

    What lives at the peak is a layer's input and output and, in a residual block, the block's own input: 1.5
    times the greatest sum of input and output. For 26 million voxels, batch norm folded, resident memory
    grew by 0.6 GB in bfloat16 and 1.1 in float32 with the small variant, where this says 0.5 and 0.9; and by
    2.5 GB in bfloat16 with the network of DSB2017, whose peak is not in a residual block, where it says 3.8.

    Args:
        network: an ``nn.Module``, ready for inference.
        dtype: of its input.
        device: where it is.
    """
    size = math.ceil(PROBE / network.total_stride) * network.total_stride
    image = torch.zeros(1, 1, size, size, size, dtype=dtype, device=device)
    with torch.no_grad(), _greatest_layer(network) as layers:
        maps = network.fine(image)
    return Footprint(LIVE_MAPS * max(layers) / size**3, sum(_bytes(each) for each in maps) / size**3)


def slab_thickness(
    shape: Sequence[int], *, axis: int, network: SplitNetwork, footprint: Footprint, memory_mb: float
) -> int | None:
    """Voxels of a slab, without its margins, that can be worked on in some memory.

    Args:
        shape: (H, W, D), multiples of ``total_stride``.
        axis: across which slabs are cut.
        network: whose strides and margin count.
        footprint: as measured.
        memory_mb: in 10^6 bytes, beyond the image and the weights.

    Returns:
        A multiple of ``total_stride``, at least that, however little memory; None: all at once.
    """
    voxels, unit = math.prod(shape), network.total_stride
    memory = memory_mb * 1e6
    if voxels * footprint.fine <= memory:
        return None
    left = memory - voxels * footprint.maps
    slab = left / (footprint.fine * voxels / shape[axis]) - 2 * _margin(network)
    return max(unit, int(slab) // unit * unit)


def fine_in_slabs(
    image: Tensor,
    network: SplitNetwork,
    *,
    axis: int,
    thickness: int,
    convert: Callable[[Tensor], Tensor],
    follow: Callable[[Iterable[range]], Iterable[range]] = iter,
) -> tuple[Tensor, ...]:
    """``network.fine`` slab by slab; the maps are those of the whole image.

    Args:
        image: (1, 1, H, W, D), sizes multiples of ``total_stride``.
        network: whose ``fine`` is run.
        axis: 0, 1 or 2: across which slabs are cut.
        thickness: of a slab without its margins, a multiple of ``total_stride``.
        convert: part of ``image`` -> what ``fine`` takes.
        follow: passes the slabs on, such as a progress bar.

    Returns:
        As ``network.fine``, channels last.
    """
    depth, stride = image.shape[axis + 2], network.fine_stride
    maps: tuple[Tensor, ...] = ()
    for core in follow(list(_cut(depth, thickness))):
        low = max(core.start - _margin(network), 0)
        high = min(core.stop + _margin(network), depth)
        parts = network.fine(convert(image.narrow(axis + 2, low, high - low)))
        maps = maps or tuple(_room(part, axis=axis, cells=depth // stride) for part in parts)
        cells = (core.stop - core.start) // stride
        for whole, part in zip(maps, parts, strict=True):
            inner = part.narrow(axis + 2, (core.start - low) // stride, cells)
            whole.narrow(axis + 2, core.start // stride, cells).copy_(inner)
    return maps


def _margin(network: SplitNetwork) -> int:
    """The margin in whole cells of the coarsest map, so that pooling falls on the same voxels."""
    return math.ceil(network.fine_margin / network.total_stride) * network.total_stride


def _cut(depth: int, thickness: int) -> Iterator[range]:
    for start in range(0, depth, thickness):
        yield range(start, min(start + thickness, depth))


def _room(part: Tensor, *, axis: int, cells: int) -> Tensor:
    sizes = list(part.shape)
    sizes[axis + 2] = cells
    return torch.empty(sizes, dtype=part.dtype, device=part.device, memory_format=torch.channels_last_3d)


@contextmanager
def _greatest_layer(network: nn.Module) -> Iterator[list[int]]:
    """A list that gets the bytes which each layer without layers in it takes and gives."""
    found: list[int] = []

    def look(_: nn.Module, taken: tuple[object, ...], given: object) -> None:
        tensors = {value.data_ptr(): value for value in (*taken, given) if isinstance(value, Tensor)}
        found.append(sum(_bytes(value) for value in tensors.values()))

    leaves = [module for module in network.modules() if not any(True for _ in module.children())]
    hooks = [module.register_forward_hook(look) for module in leaves]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _bytes(value: Tensor) -> int:
    return value.numel() * value.element_size()
