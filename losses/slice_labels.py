# SPDX-License-Identifier: Apache-2.0
"""What the losses on labels by slice share: centre slices, unknown labels, the reduction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from ..utils import InputError
from .arguments import get_logits

REDUCTIONS = ("sum", "mean")


class SliceLabelLoss(nn.Module, ABC):
    """A loss of logits by class and slice, each entry on its own, where the label knows it.

    Args:
        reduction: "sum" over batch, classes and slices; "mean" over the known entries, 0 where there is none.
        key: which entry of the network's dictionary holds the logits.

    Raises:
        InputError: if the reduction is another one.
    """

    def __init__(self, *, reduction: str, key: str = "logits") -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise InputError(f"reduction is '{reduction}'", remedy=f"Use one of {', '.join(REDUCTIONS)}.")
        self.reduction = reduction
        self.key = key

    @abstractmethod
    def entries(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of every entry, for logits and targets (0 to 1) of one shape, both float32."""

    def forward(self, prediction: Mapping[str, Tensor], label: Tensor) -> Tensor:
        """Compute the loss, in float32 also under autocast.

        Args:
            prediction: with logits ``(B, K, T)`` or ``(B, K)`` under the key.
            label: ``(B, K)``, ``(B, K, S)``, or with a row more (``any``, which is derived and not learned):
                1 present, 0 absent, NaN unknown. Of the T slices the S at the centre are compared.

        Returns:
            Scalar, float32, >= 0.

        Raises:
            InputError: if the logits are missing or the label does not fit them.
        """
        logits, label = match_label(get_logits(prediction, self.key), label)
        with torch.autocast(device_type=logits.device.type, enabled=False):
            known = ~label.isnan()
            loss = self.entries(logits, label.where(known, 0.0)).where(known, 0.0).sum()
        return loss if self.reduction == "sum" else loss / known.sum().clamp(min=1)


def match_label(logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Bring logits and label to one shape: the centre slices, without the row ``any``.

    Values are not looked at: that would stop a GPU at every step.

    Args:
        logits: ``(B, K, T)`` or ``(B, K)`` float32.
        label: ``(B, K)``, ``(B, K + 1)`` or either with a third axis of S <= T slices, T - S even.

    Returns:
        Both ``(B, K, S)``, float32, on the logits' device; S is 1 for a label without slices.

    Raises:
        InputError: if they do not fit.
    """
    plain = label.as_tensor() if isinstance(label, MetaTensor) else label
    scores = logits[..., None] if logits.ndim == 2 else logits
    target = plain[..., None] if plain.ndim == 2 else plain
    if not _fits(scores, target):
        raise InputError(
            f"label of shape {tuple(label.shape)} for logits of shape {tuple(logits.shape)}",
            remedy="Give (B, K) or (B, K, S) for logits (B, K, T), with or without a last row 'any'.",
        )
    first = (scores.shape[2] - target.shape[2]) // 2
    centre = scores[..., first : first + target.shape[2]]
    return centre, target[:, : scores.shape[1]].to(scores.device).float()


def _fits(logits: Tensor, label: Tensor) -> bool:
    if logits.ndim != 3 or label.ndim != 3 or logits.shape[0] != label.shape[0]:
        return False
    spare = logits.shape[2] - label.shape[2]
    return label.shape[1] - logits.shape[1] in (0, 1) and spare >= 0 and spare % 2 == 0
