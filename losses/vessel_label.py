# SPDX-License-Identifier: Apache-2.0
"""What every vessel loss is called with: logits of one or three slices, and targets with weights."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from ..utils import InputError

SLICES = 3  # the centre slice and its two neighbours


def split_label(label: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Targets and weights of the slices that a network predicts.

    Args:
        label: ``(B, 6, H, W)``: targets of slices centre - 1, centre, centre + 1 (0 or 1), then the weight of
            each of their voxels (>= 0; 0 where the label says nothing).
        channels: 1, the centre slice; 3, all.

    Returns:
        Target and weight, both ``(B, channels, H, W)``.
    """
    first = (SLICES - channels) // 2
    return label[:, first : first + channels], label[:, SLICES + first : SLICES + first + channels]


class VesselTerm(nn.Module, ABC):
    """A loss on the logits of a stack's centre slice, or of its centre slice and both neighbours."""

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Compute the loss, in float32 also under autocast.

        Args:
            logits: ``(B, 1, H, W)``, the centre slice, or ``(B, 3, H, W)``.
            label: ``(B, 6, H, W)``, targets and weights, see :func:`split_label`. Voxels of weight 0 change
                nothing.

        Returns:
            Scalar, float32 (float64 for float64 logits).

        Raises:
            InputError: if the shapes are others.
        """
        _check(logits, label)
        z, y = _plain(logits), _plain(label)
        # Half precision has no room for sums over a batch's voxels, nor for logarithms near 0 and 1.
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        with torch.autocast(device_type=z.device.type, enabled=False):
            return self.value(z, y.to(z))

    @abstractmethod
    def value(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of logits and a label of one type, whose shapes have been checked."""


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of values by weights of the same shape; 0 where all weights are 0."""
    return (values * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)


def check_number(name: str, value: float, *, low: float, high: float, remedy: str) -> None:
    """Check a setting of a loss.

    Raises:
        InputError: if it is not in [low, high], or is NaN.
    """
    if not low <= value <= high:
        raise InputError(f"{name} is {value}", remedy=remedy)


def _check(logits: Tensor, label: Tensor) -> None:
    if not isinstance(logits, Tensor):
        raise InputError(
            f"needs logits from the network, which gives a {type(logits).__name__}",
            remedy="Use a network of one output; attention maps are for inference.",
        )
    right = logits.ndim == 4 and logits.shape[1] in (1, SLICES)
    if not right or label.shape != (logits.shape[0], 2 * SLICES, *logits.shape[2:]):
        raise InputError(
            f"label of shape {tuple(label.shape)} for logits of shape {tuple(logits.shape)}",
            remedy="Give logits (B, 1 or 3, H, W) and a label (B, 6, H, W): 3 targets, then 3 weights.",
        )


def _plain(tensor: Tensor) -> Tensor:
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
