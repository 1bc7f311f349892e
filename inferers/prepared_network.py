# SPDX-License-Identifier: Apache-2.0
"""A copy of a network made ready for inference, made anew only when the weights have changed."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import nn

Prepare = Callable[..., nn.Module]
Marks = tuple[Any, ...]


class PreparedNetwork:
    """Keeps the ready copy of the network that was asked for last.

    Args:
        prepare: (network, dtype=, device=) -> a copy in evaluation mode, such as
            ``networks.inference_network``; None copies, casts and lays weights out channels last.
    """

    def __init__(self, prepare: Prepare | None = None) -> None:
        self.prepare = prepare or plain_copy
        self._of: weakref.ref[nn.Module] | None = None
        self._marks: Marks = ()
        self._ready: nn.Module | None = None

    def __call__(self, network: nn.Module, *, dtype: torch.dtype, device: torch.device) -> nn.Module:
        """The ready copy; ``network`` itself stays as it is, its training mode too."""
        marks = (dtype, str(device), *weight_marks(network))
        if self._of is None or self._of() is not network or marks != self._marks:
            self._ready = None  # two copies at once are not needed
            self._ready = self.prepare(network, dtype=dtype, device=device)
            self._of, self._marks = weakref.ref(network), marks
        return self._ready


def plain_copy(network: nn.Module, *, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """A copy in evaluation mode, cast, its weights laid out channels last."""
    ready = copy.deepcopy(network).eval().requires_grad_(False)
    return ready.to(device=device, dtype=dtype).to(memory_format=torch.channels_last_3d)


def weight_marks(network: nn.Module) -> Marks:
    """What changes whenever a weight or a running average does, in milliseconds.

    The place and version of each tensor; and its sum, since writing through ``tensor.data`` leaves the
    version as it is.
    """
    tensors = [value.detach() for value in chain(network.parameters(), network.buffers())]
    sums = [value.sum(dtype=torch.float64) for value in tensors]
    places = tuple((value.data_ptr(), value._version) for value in tensors)
    return places + tuple(torch.stack(sums).tolist() if sums else ())
