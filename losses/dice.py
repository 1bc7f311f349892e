# SPDX-License-Identifier: Apache-2.0
"""Overlap of the lesion classes over a whole batch: soft Dice and its exponential logarithm."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..utils import InputError
from .arguments import IGNORE_LABEL, get_class_map, get_logits


def batch_dice(logits: Tensor, target: Tensor, *, ignore_label: int = IGNORE_LABEL) -> tuple[Tensor, Tensor]:
    r"""Soft Dice of each class but the background, with sums over all pixels of all slices of the batch.

    .. math:: D_i = \frac{2 \sum_n p_{n,i}\,g_{n,i}}{\sum_n p_{n,i} + \sum_n g_{n,i}}

    MONAI's ``DiceLoss`` cannot serve: it gives :math:`1 - D`, from which a small D cannot be had back (a
    lesion of ten pixels in a batch of ten million starts with D near 1e-6), and its only rule for absent
    classes is a pseudo-count.

    Args:
        logits: ``(B, C, H, W)`` float32.
        target: class map ``(B, H, W)`` int64.
        ignore_label: pixels with this label are in none of the sums.

    Returns:
        D ``(C - 1,)`` in [0, 1], and whether the class occurs in ``target``, ``(C - 1,)`` bool. D of a class
        that does not is 0.
    """
    probability = torch.softmax(logits, dim=1)[:, 1:]
    classes = torch.arange(1, logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    truth = target[:, None] == classes
    counts = truth.sum(dim=(0, 2, 3))
    overlap = (probability * truth).sum(dim=(0, 2, 3))
    predicted = (probability * (target != ignore_label)[:, None]).sum(dim=(0, 2, 3))
    # The floor of 1 pixel keeps 0 / 0 away from absent classes; it never acts on a present one.
    return 2 * overlap / (predicted + counts).clamp(min=1), counts > 0


class SoftDice(nn.Module):
    r"""One minus the mean Dice of the lesion classes.

    .. math:: L = \frac{1}{C - 1} \sum_{i \in \text{batch}} (1 - D_i)

    with :math:`D_i` of :func:`batch_dice` (after Milletari et al., 3DV 2016, with plain instead of squared
    sums in the denominator). A class that is nowhere in the batch adds 0 and has no gradient, but is counted
    in C - 1. On several GPUs the sums are those of each GPU's share of the batch.

    Args:
        ignore_label: pixels with this label do not count.
    """

    def __init__(self, *, ignore_label: int = IGNORE_LABEL) -> None:
        super().__init__()
        self.ignore_label = ignore_label

    def forward(self, prediction: Mapping[str, Tensor], label: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            prediction: with "segmentation", logits ``(B, C, H, W)``.
            label: class map ``(B, 1, H, W)``.

        Returns:
            Scalar, float32, in [0, 1].

        Raises:
            InputError: if "segmentation" is missing or the label does not fit it.
        """
        logits = get_logits(prediction, "segmentation")
        target = get_class_map(label, logits)
        dice, present = batch_dice(logits, target, ignore_label=self.ignore_label)
        return torch.where(present, 1 - dice, 0.0).mean()


class ExponentialLogarithmicDice(nn.Module):
    r"""Exponential logarithmic Dice, which weighs classes of low overlap more than :class:`SoftDice`.

    .. math:: L = \frac{1}{C - 1} \sum_{i \in \text{batch}} (-\ln D_i)^\gamma

    with :math:`D_i` of :func:`batch_dice`, clamped to [eps, 1 - eps]: for :math:`\gamma < 1` the gradient is
    infinite at D = 1 and at D = 0. The overlap term of Wong et al., MICCAI 2018,
    https://arxiv.org/abs/1809.00076; their exponent on the cross entropy and their 0.8 to 0.2 mixture are not
    part of it. Absent classes and several GPUs as in :class:`SoftDice`.

    Args:
        gamma: exponent, > 0.
        eps: distance that D keeps from 0 and 1. Outside it the gradient is 0, so it is as small as float32
            allows near 1.
        ignore_label: pixels with this label do not count.

    Raises:
        InputError: if ``gamma`` is not positive or if ``eps`` is not in [1e-7, 0.5).
    """

    def __init__(self, gamma: float = 0.5, *, eps: float = 1e-7, ignore_label: int = IGNORE_LABEL) -> None:
        super().__init__()
        if not 0 < gamma < math.inf:
            raise InputError(f"gamma is {gamma}", remedy="Give a positive exponent, such as 0.5.")
        if not 1e-7 <= eps < 0.5:
            raise InputError(f"eps is {eps}", remedy="Give a number from 1e-7 to 0.5.")
        self.gamma = gamma
        self.eps = eps
        self.ignore_label = ignore_label

    def forward(self, prediction: Mapping[str, Tensor], label: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            prediction: with "segmentation", logits ``(B, C, H, W)``.
            label: class map ``(B, 1, H, W)``.

        Returns:
            Scalar, float32, >= 0.

        Raises:
            InputError: if "segmentation" is missing or the label does not fit it.
        """
        logits = get_logits(prediction, "segmentation")
        target = get_class_map(label, logits)
        dice, present = batch_dice(logits, target, ignore_label=self.ignore_label)
        loss = (-dice.clamp(self.eps, 1 - self.eps).log()) ** self.gamma
        return torch.where(present, loss, 0.0).mean()
