# SPDX-License-Identifier: Apache-2.0
"""Losses of vessels voxel by voxel: binary cross entropy and focal loss."""

from __future__ import annotations

import math

from monai.losses.focal_loss import sigmoid_focal_loss
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from .vessel_label import VesselTerm, check_number, split_label, weighted_mean

_MOST = math.nextafter(math.inf, 0.0)


class VesselBCE(VesselTerm):
    r"""Binary cross entropy, the mean over the voxels by their weights.

    .. math:: L = -\frac{\sum_n w_n \left[ a\,t_n \ln p_n + (1 - t_n) \ln(1 - p_n) \right]}{\sum_n w_n},
              \quad p = \sigma(z)

    0 if all weights are 0.

    Args:
        pos_weight: a, how much more a vessel's voxel counts; probabilities are those of the data for 1 only.

    Raises:
        InputError: if ``pos_weight`` is not positive.
    """

    def __init__(self, *, pos_weight: float = 1.0) -> None:
        super().__init__()
        remedy = "Give a positive number; 1 for none."
        check_number("pos_weight", pos_weight, low=math.ulp(0.0), high=_MOST, remedy=remedy)
        self.pos_weight = pos_weight

    def value(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of logits and a label of one type."""
        target, weight = split_label(label, logits.shape[1])
        present = logits.new_tensor(self.pos_weight)
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none", pos_weight=present)
        return weighted_mean(loss, weight)


class VesselFocal(VesselTerm):
    r"""Focal loss, the mean over the voxels by their weights.

    .. math:: L = -\frac{\sum_n w_n a_n (1 - q_n)^\gamma \ln q_n}{\sum_n w_n}

    with q = p and a = :math:`\alpha` for a vessel's voxel, q = 1 - p and a = 1 - :math:`\alpha` for another.
    Lin et al., ICCV 2017, https://arxiv.org/abs/1708.02002; they divide by the number of positives, which
    here is 0 in many patches. The mean over all voxels is small next to a Dice: weigh it up, for instance
    by 10, where it is one term of several. 0 if all weights are 0.

    Args:
        alpha: weight of vessels in [0, 1]; None weighs neither.
        gamma: exponent >= 0; 0 leaves cross entropy.

    Raises:
        InputError: if one of them is outside its range.
    """

    def __init__(self, *, alpha: float | None = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        if alpha is not None:
            check_number("alpha", alpha, low=0, high=1, remedy="Give a number from 0 to 1, or null.")
        check_number("gamma", gamma, low=0, high=_MOST, remedy="Give an exponent of 0 or more.")
        self.alpha = alpha
        self.gamma = gamma

    def value(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of logits and a label of one type."""
        target, weight = split_label(label, logits.shape[1])
        return weighted_mean(sigmoid_focal_loss(logits, target, self.gamma, self.alpha), weight)
