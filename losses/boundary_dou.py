# SPDX-License-Identifier: Apache-2.0
"""Boundary difference over union: overlap that counts the interior of thick structures less."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from .vessel_dice import check_smooth
from .vessel_label import VesselTerm, check_number, split_label


class BoundaryDoU(VesselTerm):
    r"""Difference over union, with part of the intersection taken out of the union.

    .. math:: L = \frac{Z + Y - 2I}{Z + Y - (1 + \alpha) I + s}, \qquad
              \alpha = \min\left(1 - \frac{2C}{S}, \alpha_{max}\right)

    with :math:`Z = \sum w p^2`, :math:`Y = \sum w t^2`, :math:`I = \sum w p t`, for each slice on its own; S
    is the target's area and C that of its boundary, the pixels with one of the four neighbours outside the
    target or the patch. Sun et al., 2023, https://arxiv.org/abs/2308.00220, and their code's truncation. The
    larger the structure, the more of the loss is at its boundary; for a vessel of boundary only
    (:math:`\alpha = -1`) it is one minus Dice.

    Their s is in the numerator too: a perfect empty slice would cost 1. Here it costs 0, and one with
    predictions :math:`Z / (Z + s)`. The mean is over the slices with any weight; 0 if there is none.

    Args:
        max_alpha: :math:`\alpha_{max}`, in [0, 1).
        smooth: s, in pixels, positive.

    Raises:
        InputError: if one of them is outside its range.
    """

    def __init__(self, *, max_alpha: float = 0.8, smooth: float = 1.0) -> None:
        super().__init__()
        check_number("max_alpha", max_alpha, low=0, high=0.999, remedy="Give a number from 0 to below 1.")
        check_smooth(smooth)
        self.max_alpha = max_alpha
        self.smooth = smooth

    def value(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of logits and a label of one type."""
        target, weight = split_label(label, logits.shape[1])
        p = torch.sigmoid(logits)
        overlap = _area(weight * p * target)
        both = _area(weight * p.square()) + _area(weight * target.square())
        alpha = boundary_alpha(target, weight).clamp(max=self.max_alpha)
        loss = (both - 2 * overlap) / (both - (1 + alpha) * overlap + self.smooth)
        counted = _area(weight) > 0
        return loss.where(counted, 0.0).sum() / counted.sum().clamp(min=1)


def boundary_alpha(target: Tensor, weight: Tensor) -> Tensor:
    """1 - 2 C / S of each slice.

    Args:
        target: ``(B, C, H, W)``, 0 or 1.
        weight: of the same shape, >= 0.

    Returns:
        ``(B, C)``, -1 (boundary only, or no target) to below 1.
    """
    ring = F.pad(target, (1, 1, 1, 1))
    vertical = ring[..., :-2, 1:-1] * ring[..., 2:, 1:-1]
    interior = target * vertical * ring[..., 1:-1, :-2] * ring[..., 1:-1, 2:]
    area, inner = _area(weight * target), _area(weight * interior)
    # S - C over S; 0 / tiny where there is no target
    return 2 * inner / area.clamp(min=torch.finfo(area.dtype).tiny) - 1


def _area(maps: Tensor) -> Tensor:
    return maps.sum(dim=(-2, -1))
