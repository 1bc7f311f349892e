# SPDX-License-Identifier: Apache-2.0
"""Weighted cross entropy over the pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..utils import InputError
from .arguments import IGNORE_LABEL, get_class_map, get_logits


class WeightedCrossEntropy(nn.Module):
    r"""Cross entropy with a weight for each class.

    .. math:: L = -\frac{\sum_n w_{y_n} \ln p_{n, y_n}}{\sum_n w_{y_n}}

    over all pixels n of the batch whose label y is not the ignore label; 0 if there is none. This is torch's
    ``CrossEntropyLoss`` on the network's "segmentation".

    Args:
        class_weights: one positive number a class, the background first.
        ignore_label: pixels with this label do not count.

    Raises:
        InputError: if a weight is not positive.
    """

    def __init__(self, class_weights: Sequence[float], *, ignore_label: int = IGNORE_LABEL) -> None:
        super().__init__()
        if not class_weights or not all(0 < w < math.inf for w in class_weights):
            raise InputError(
                f"class weights are {list(class_weights)}", remedy="Give one positive number a class."
            )
        self.cross_entropy = nn.CrossEntropyLoss(
            torch.tensor(class_weights, dtype=torch.float32), ignore_index=ignore_label
        )

    def forward(self, prediction: Mapping[str, Tensor], label: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            prediction: with "segmentation", logits ``(B, C, H, W)``.
            label: class map ``(B, 1, H, W)``.

        Returns:
            Scalar, float32, >= 0.

        Raises:
            InputError: if "segmentation" is missing or the number of its channels is not that of the weights.
        """
        logits = get_logits(prediction, "segmentation")
        weights = len(self.cross_entropy.weight)
        if logits.shape[1] != weights:
            raise InputError(
                f"{weights} class weights for a segmentation with {logits.shape[1]} channels",
                remedy="Give one class weight a channel, the background first.",
            )
        # Pixels in rows: torch's kernel for maps has no deterministic form on a GPU, the one for rows has.
        target = get_class_map(label, logits).flatten()
        rows = logits.permute(0, 2, 3, 1).reshape(-1, weights)
        loss = self.cross_entropy.to(logits.device)(rows, target)
        # Nothing but ignored pixels is 0 / 0 in torch's mean.
        return torch.where((target != self.cross_entropy.ignore_index).any(), loss, 0.0)
