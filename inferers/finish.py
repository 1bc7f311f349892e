# SPDX-License-Identifier: Apache-2.0
"""What is kept of a network's output, batch by batch, before it is stored for the whole volume."""

from __future__ import annotations

from collections.abc import Mapping

import torch


class ClassesAndPresence:
    """Logits of a segmentation and presence network to class indices and probabilities.

    Args:
        probabilities: keep the maps of class probabilities too (four bytes a class and voxel).
    """

    def __init__(self, *, probabilities: bool = False) -> None:
        self.probabilities = probabilities

    def __call__(self, outputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Reduce a batch.

        Args:
            outputs: "segmentation" logits (K, C, H, W) and "presence" logits (K, C - 1); either may lack.

        Returns:
            "label" uint8 (K, 1, H, W) by arg-max, "presence" float32 (K, C - 1) by sigmoid, and
            "probabilities" float32 (K, C, H, W) by softmax where asked for.
        """
        result = {}
        if "segmentation" in outputs:
            logits = outputs["segmentation"]
            result["label"] = logits.argmax(dim=1, keepdim=True).to(torch.uint8)
            if self.probabilities:
                result["probabilities"] = logits.float().softmax(dim=1)
        if "presence" in outputs:
            result["presence"] = outputs["presence"].float().sigmoid()
        return result
