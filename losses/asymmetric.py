# SPDX-License-Identifier: Apache-2.0
"""Asymmetric loss for multi-label classification with many more absent than present labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError
from .slice_labels import SliceLabelLoss


class AsymmetricLoss(SliceLabelLoss):
    r"""Focal loss with one focus for present and another for absent labels, and a margin for the absent.

    .. math:: L = -\sum \left[ y\,(1 - p)^{\gamma_+} \ln p + (1 - y)\,p_m^{\gamma_-} \ln(1 - p_m) \right],
              \quad p = \sigma(z), \quad p_m = \max(p - m, 0)

    Ridnik et al., ICCV 2021, https://arxiv.org/abs/2009.14119. The defaults are those of the authors' code
    (their text prefers :math:`\gamma_+ = 0`), as is the sum over batch and classes; the value grows with
    the batch. They stop logarithms at 1e-8; here they are exact, so that a present label scored at a logit of
    -50 keeps its gradient.

    The minimum of the expected loss is *not* at the posterior probability: with the defaults p = 0.5 means
    a posterior of 0.147. ``AsymmetricPosterior`` turns one into the other.

    Args:
        gamma_pos: exponent :math:`\gamma_+` for present labels, >= 0.
        gamma_neg: exponent :math:`\gamma_-` for absent labels, >= 0.
        clip: margin m in [0, 1): absent labels scored below it have no loss.
        reduction: "sum" over batch, classes and slices, or "mean" over the known entries.
        detach_weight: take the two powers as constants in the gradient, which the authors offer for speed.
            It moves the minimum: tell ``AsymmetricPosterior``.
        key: which entry of the network's dictionary holds the logits.

    Raises:
        InputError: if an exponent, the margin or the reduction cannot be used.
    """

    def __init__(
        self,
        *,
        gamma_pos: float = 1.0,
        gamma_neg: float = 4.0,
        clip: float = 0.05,
        reduction: str = "sum",
        detach_weight: bool = False,
        key: str = "logits",
    ) -> None:
        super().__init__(reduction=reduction, key=key)
        check_asymmetry(gamma_pos=gamma_pos, gamma_neg=gamma_neg, clip=clip)
        self.gamma_pos = gamma_pos
        self.gamma_neg = gamma_neg
        self.clip = clip
        self.detach_weight = detach_weight

    def entries(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of every entry, for logits and targets (0 to 1) of one shape, both float32."""
        log_p, log_not_p = F.logsigmoid(logits), F.logsigmoid(-logits)
        present = -self._power(log_not_p, self.gamma_pos) * log_p
        if self.clip == 0:
            absent = -self._power(log_p, self.gamma_neg) * log_not_p
        else:
            absent = self._absent_above_margin(logits)
        return target * present + (1 - target) * absent

    def _absent_above_margin(self, logits: Tensor) -> Tensor:
        p = torch.sigmoid(logits)
        above = p > self.clip
        # Below the margin any number will do: without it, powers and logarithms of 0 make NaN gradients.
        p_m = torch.where(above, p - self.clip, 0.5)
        return torch.where(above, -self._power(p_m.log(), self.gamma_neg) * torch.log1p(-p_m), 0.0)

    def _power(self, log_base: Tensor, exponent: float) -> Tensor:
        weight = torch.exp(exponent * log_base)
        return weight.detach() if self.detach_weight else weight


def check_asymmetry(*, gamma_pos: float, gamma_neg: float, clip: float) -> None:
    """Check the settings of the asymmetric loss.

    Raises:
        InputError: if an exponent is negative or the margin is not in [0, 1).
    """
    for name, gamma in (("gamma_pos", gamma_pos), ("gamma_neg", gamma_neg)):
        if not 0 <= gamma < math.inf:
            raise InputError(f"{name} is {gamma}", remedy="Give an exponent of 0 or more.")
    if not 0 <= clip < 1:
        raise InputError(f"clip is {clip}", remedy="Give a margin from 0 to below 1, such as 0.05.")
