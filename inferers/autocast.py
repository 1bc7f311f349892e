# SPDX-License-Identifier: Apache-2.0
"""bfloat16 on any device, since MONAI's engines switch autocast on for CUDA alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.inferers import SimpleInferer


class AutocastInferer(SimpleInferer):
    """Call the network in bfloat16 where ``bf16`` is set, and give float32 to the loss.

    bfloat16 keeps float32's range, so no gradient scaling is needed. On CUDA, leave this off and use the
    engine's ``amp``.

    Args:
        bf16: compute in bfloat16.
        channels_last: lay the input out with channels last; convert the network likewise.
    """

    def __init__(self, *, bf16: bool = False, channels_last: bool = False) -> None:
        super().__init__()
        self.bf16 = bf16
        self.channels_last = channels_last

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Forward (B, C, H, W) or (B, C, H, W, D)."""
        if self.channels_last:
            three = inputs.ndim == 5
            layout = torch.channels_last_3d if three else torch.channels_last
            inputs = inputs.contiguous(memory_format=layout)
        if not self.bf16:
            return super().__call__(inputs, network, *args, **kwargs)
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            outputs = super().__call__(inputs, network, *args, **kwargs)
        if isinstance(outputs, Mapping):
            return {key: value.float() for key, value in outputs.items()}
        return outputs.float()
