# SPDX-License-Identifier: Apache-2.0
"""One gray slice for a network that was built for several channels."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..utils import InputError
from .scripting import Scriptable


class RepeatedGray(Scriptable, nn.Module):
    """Repeat a gray slice to as many channels as a network takes, as is done to feed it to a colour network.

    Weights are named as the network's own, behind "network.", which ``load_weights`` passes over.

    Args:
        network: takes (B, channels, H, W).
        channels: how often the slice is repeated.

    Attributes:
        divisor: what the network's in-plane sizes must be multiples of, if it says so.
    """

    in_channels = 1

    def __init__(self, network: nn.Module, *, channels: int = 3) -> None:
        super().__init__()
        if channels < 1:
            raise InputError(f"channels is {channels}", remedy="give a positive number")
        self.network = network
        self.channels = channels
        self.divisor = getattr(network, "divisor", 1)

    def forward(self, image: Tensor, **options: Any) -> Any:
        """Forward.

        Args:
            image: (B, 1, H, W).
            options: passed on to the network.

        Raises:
            InputError: more than one channel.
        """
        if image.shape[1] != 1:
            raise InputError(
                f"{image.shape[1]} slices for a network of one",
                remedy="set num_slices to 1, or leave the repeating out",
            )
        return self.network(image.expand(-1, self.channels, -1, -1), **options)
