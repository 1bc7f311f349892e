# SPDX-License-Identifier: Apache-2.0
"""Weighted cross entropy over the pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError
from .arguments import IGNORE_LABEL, get_class_map, get_logits


class WeightedCrossEntropy(nn.Module):
    r"""Cross entropy with a weight for each class.

    .. math:: L = -\frac{\sum_n w_{y_n} \ln p_{n, y_n}}{\sum_n w_{y_n}}

    over all pixels n of the batch whose label y is not the ignore label; 0 if there is none. The value is
    that of torch's ``CrossEntropyLoss``, whose own mean is 0 / 0 without such pixels and on a GPU adds up in
    an order that changes from run to run.

    Args:
        class_weights: one positive number a class, the background first.
        ignore_label: pixels with this label do not count.

    Raises:
        InputError: if a weight is not positive.
    """

    class_weights: Tensor

    def __init__(self, class_weights: Sequence[float], *, ignore_label: int = IGNORE_LABEL) -> None:
        super().__init__()
        if not class_weights or not all(0 < w < math.inf for w in class_weights):
            raise InputError(
                f"class weights are {list(class_weights)}", remedy="Give one positive number a class."
            )
        self.register_buffer("class_weights", torch.tensor(class_weights, dtype=torch.float32))
        self.ignore_label = ignore_label

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
        if logits.shape[1] != len(self.class_weights):
            raise InputError(
                f"{len(self.class_weights)} class weights for a segmentation with {logits.shape[1]} channels",
                remedy="Give one class weight a channel, the background first.",
            )
        weights = self.class_weights.to(logits.device)
        target = get_class_map(label, logits)
        loss = F.cross_entropy(logits, target, weights, ignore_index=self.ignore_label, reduction="none")
        counted = target != self.ignore_label
        total = weights[target.where(counted, 0)].where(counted, 0.0).sum()
        return loss.sum() / total.clamp(min=torch.finfo(total.dtype).tiny)
