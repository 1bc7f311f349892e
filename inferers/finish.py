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


class SliceScores:
    """What a slice classifier says of the centre slice, ready to be stored slice by slice.

    ``SliceStackInferer`` makes (B, K, D), (B, F, D) and (B, K, h, w, D) of it.
    """

    def __call__(self, outputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Reduce a batch.

        Args:
            outputs: "logits" (N, K, T) and "features" (N, F, T), of stacks of T slices, mostly T = 1; and
                "cam" (N, K, h, w) where the network was asked for it.

        Returns:
            float32: "logits" (N, K), "features" (N, F), both of the centre slice, and "cam" as it came.
        """
        result = {key: outputs[key].float() for key in ("logits", "features")}
        result = {key: value[..., value.shape[-1] // 2] for key, value in result.items()}
        return result | ({"cam": outputs["cam"].float()} if "cam" in outputs else {})


class CentreProbability:
    """Logits of a 2.5D segmentation network to the centre slice's probability, for ``activate``."""

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Reduce a batch.

        Args:
            logits: (K, C, H, W) of C slices, odd: the centre one alone, or it and its neighbours.

        Returns:
            float32 (K, 1, H, W), 0-1: sigmoid in float32 also where the network computed in bfloat16.
        """
        centre = logits.shape[1] // 2
        return logits[:, centre : centre + 1].float().sigmoid()
