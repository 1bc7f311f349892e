# SPDX-License-Identifier: Apache-2.0
"""What a network does with an input, seen by running it: blocks, shapes, parameters, and what feeds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..utils import InputError
from .network_recorder import BlockRecorder, TracedBlock


@dataclass
class Trace:
    """A network as it ran on one image.

    Attributes:
        network: name of its class.
        image: shape of the input without the batch.
        parameters: learnable values of the whole network.
        macs: multiply-accumulates of convolutions and matrix products for one image.
        blocks: in the order in which they ran.
        outputs: name of an output -> its shape without the batch, and what feeds it.
    """

    network: str
    image: tuple[int, ...]
    parameters: int
    macs: int
    blocks: dict[str, TracedBlock]
    outputs: dict[str, tuple[tuple[int, ...], tuple[str, ...]]]

    def facts(self) -> dict[str, Any]:
        """What a picture of it states, for JSON: numbers, blocks and edges, no text of the layout."""
        return {
            "network": self.network,
            "image": list(self.image),
            "parameters": self.parameters,
            "macs": self.macs,
            "blocks": {
                name: [block.channels, block.scale, block.parameters, block.convolutions, list(block.sources)]
                for name, block in self.blocks.items()
            },
            "outputs": {
                name: [list(shape), list(sources)] for name, (shape, sources) in self.outputs.items()
            },
        }


def trace_network(network: nn.Module, shape: Sequence[int], blocks: Mapping[str, Sequence[str]]) -> Trace:
    """Run a network on the meta device, where nothing is computed, and note what its blocks do.

    Args:
        network: moved to the meta device and to evaluation mode: give one that nobody else uses.
        shape: of the input without the batch, ``(C, H, W)`` or ``(C, D0, D1, D2)``.
        blocks: name of a block -> names of the submodules in it. Each must run once, and together they must
            hold all parameters.

    Returns:
        What was seen. Edges follow the tensors through everything between the blocks: pooling, joining,
        products, views.

    Raises:
        InputError: if a submodule is missing, did not run or ran twice, or if blocks leave parameters out.
    """
    _check_names(network, blocks)
    network = network.to("meta").eval()
    image = torch.empty((1, *shape), device="meta")
    recorder = BlockRecorder(network, image, blocks)
    with torch.no_grad(), recorder.hooks(), FlopCounterMode(display=False) as flops, recorder:
        result = network(image)
    found = recorder.found
    if missing := [name for name in blocks if name not in found]:
        raise InputError(f"blocks that did not run: {', '.join(missing)}")
    total = sum(parameter.numel() for parameter in network.parameters())
    if (shown := sum(block.parameters for block in found.values())) != total:
        raise InputError(f"the blocks hold {shown:,} of {total:,} parameters", remedy="Name all modules.")
    return Trace(
        network=type(network).__name__,
        image=tuple(shape),
        parameters=total,
        macs=flops.get_total_flops() // 2,
        blocks=found,
        outputs={name: (tuple(t.shape[1:]), recorder.sources_of(t)) for name, t in _outputs(result).items()},
    )


def _check_names(network: nn.Module, blocks: Mapping[str, Sequence[str]]) -> None:
    known = dict(network.named_modules())
    for name, members in blocks.items():
        for member in members:
            if member not in known:
                raise InputError(f"block {name}: the network has no module {member!r}")


def _outputs(result: Any) -> dict[str, Tensor]:
    return {"output": result} if isinstance(result, Tensor) else dict(result)
