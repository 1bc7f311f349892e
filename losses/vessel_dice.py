# SPDX-License-Identifier: Apache-2.0
"""Soft Dice of vessels, with a weight for each voxel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .vessel_label import VesselTerm, check_number, split_label


class VesselDice(VesselTerm):
    r"""One minus soft Dice.

    .. math:: L = 1 - \frac{2 \sum_n w_n p_n t_n + s}{\sum_n w_n (p_n + t_n) + s}, \quad p = \sigma(z)

    After Milletari et al., 3DV 2016, https://arxiv.org/abs/1606.04797, with plain instead of squared sums.
    Many patches hold no vessel, so that the sums are over the whole batch unless told otherwise; without any
    vessel the loss still falls with the predicted volume, from about s voxels on.

    Args:
        smooth: s, in voxels, positive.
        per_sample: sums over each sample on its own, then the mean over the samples.

    Raises:
        InputError: if ``smooth`` is not positive.
    """

    def __init__(self, *, smooth: float = 1.0, per_sample: bool = False) -> None:
        super().__init__()
        check_smooth(smooth)
        self.smooth = smooth
        self.per_sample = per_sample

    def value(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of logits and a label of one type."""
        target, weight = split_label(label, logits.shape[1])
        p = torch.sigmoid(logits)
        return 1 - soft_dice(p, target, weight, smooth=self.smooth, per_sample=self.per_sample)


def soft_dice(p: Tensor, target: Tensor, weight: Tensor, *, smooth: float, per_sample: bool) -> Tensor:
    r"""Weighted soft Dice, :math:`(2 \sum w p t + s) / (\sum w p + \sum w t + s)`.

    Args:
        p: probabilities, ``(B, ...)``.
        target: of the same shape, in [0, 1].
        weight: of the same shape, >= 0.
        smooth: s.
        per_sample: sums over each sample on its own, then the mean; else over all.

    Returns:
        Scalar in (0, 1].
    """
    over = tuple(range(1, p.ndim)) if per_sample else tuple(range(p.ndim))
    overlap = (weight * p * target).sum(dim=over)
    return ((2 * overlap + smooth) / ((weight * (p + target)).sum(dim=over) + smooth)).mean()


def check_smooth(smooth: float) -> None:
    """Check the term that keeps 0 / 0 away.

    Raises:
        InputError: if it is not a positive number.
    """
    least, most = math.ulp(0.0), math.nextafter(math.inf, 0.0)
    check_number("smooth", smooth, low=least, high=most, remedy="Give a positive number, such as 1.")
