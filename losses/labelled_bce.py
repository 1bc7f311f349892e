# SPDX-License-Identifier: Apache-2.0
"""Binary cross entropy against labels by slice."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from .slice_labels import SliceLabelLoss


class LabelledBCE(SliceLabelLoss):
    r"""Binary cross entropy of each class and slice, where the label knows it.

    .. math:: L = -\sum \left[ y \ln p + (1 - y) \ln(1 - p) \right], \quad p = \sigma(z)

    It is minimal where p is the posterior probability, so its scores need no closed-form correction.

    Args:
        reduction: "mean" over the known entries, or "sum" over batch, classes and slices, as the asymmetric
            loss is by default.
        key: which entry of the network's dictionary holds the logits.

    Raises:
        InputError: if the reduction is another one.
    """

    def __init__(self, *, reduction: str = "sum", key: str = "logits") -> None:
        super().__init__(reduction=reduction, key=key)

    def entries(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of every entry, for logits and targets (0 to 1) of one shape, both float32."""
        return F.binary_cross_entropy_with_logits(logits, target, reduction="none")
