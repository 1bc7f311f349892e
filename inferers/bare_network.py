# SPDX-License-Identifier: Apache-2.0
"""What a network is within its wrappers."""

from __future__ import annotations

from typing import Any


def bare_network(network: Any) -> Any:
    """The network within DistributedDataParallel or torch.compile."""
    while (inner := getattr(network, "module", getattr(network, "_orig_mod", None))) is not None:
        network = inner
    return network
