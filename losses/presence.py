# SPDX-License-Identifier: Apache-2.0
"""Binary cross entropy of slice-level presence, with targets from the class map."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .arguments import IGNORE_LABEL, get_class_map, get_logits


def presence_targets(
    target: Tensor, classes: int, *, ignore_label: int = IGNORE_LABEL
) -> tuple[Tensor, Tensor]:
    """Which classes a slice holds, and for which of them that is known.

    A class is present if any pixel has it. Where none has it but some pixels are ignored, it may hide below
    them: unknown.

    Args:
        target: class map ``(B, H, W)`` int64.
        classes: number K of classes without the background, 1..K in ``target``.
        ignore_label: label of pixels of unknown class.

    Returns:
        present and known, both ``(B, K)`` bool.
    """
    pixels = target.flatten(1)
    # A loop over few classes: all at once would hold K copies of the map.
    present = torch.stack([(pixels == k).any(dim=1) for k in range(1, classes + 1)], dim=1)
    complete = (pixels != ignore_label).all(dim=1, keepdim=True)
    return present, present | complete


class PresenceBCE(nn.Module):
    """Binary cross entropy of the network's "presence", mean over the known entries of B x K.

    Targets and unknown entries are those of :func:`presence_targets`; if none is known, the loss is 0.

    Args:
        ignore_label: label of pixels of unknown class.
    """

    def __init__(self, *, ignore_label: int = IGNORE_LABEL) -> None:
        super().__init__()
        self.ignore_label = ignore_label

    def forward(self, prediction: Mapping[str, Tensor], label: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            prediction: with "presence", logits ``(B, K)``.
            label: class map ``(B, 1, H, W)``.

        Returns:
            Scalar, float32, >= 0.

        Raises:
            InputError: if "presence" is missing or the label does not fit it.
        """
        logits = get_logits(prediction, "presence")
        target = get_class_map(label, logits)
        present, known = presence_targets(target, logits.shape[1], ignore_label=self.ignore_label)
        loss = F.binary_cross_entropy_with_logits(logits, present.float(), reduction="none")
        return torch.where(known, loss, 0.0).sum() / known.sum().clamp(min=1)
