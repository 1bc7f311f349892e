# SPDX-License-Identifier: Apache-2.0
"""What every loss term is called with: a network's dictionary and a class map."""

from __future__ import annotations

from collections.abc import Mapping

from monai.data import MetaTensor
from torch import Tensor

from ..utils import InputError

IGNORE_LABEL = 255


def get_logits(prediction: Mapping[str, Tensor], key: str) -> Tensor:
    """One entry of a network's output as a plain float32 tensor.

    Losses are computed in float32 whatever the network ran in: half precision has no room for sums over the
    pixels of a batch, nor for logarithms near 0 and 1.

    Raises:
        InputError: if the network gives no such output.
    """
    if not isinstance(prediction, Mapping) or key not in prediction:
        given = ", ".join(prediction) if isinstance(prediction, Mapping) else type(prediction).__name__
        raise InputError(
            f"needs '{key}' from the network, which gives {given or 'nothing'}",
            remedy="Use the loss of this network's own overlay, or drop the term.",
        )
    return _plain(prediction[key]).float()


def get_class_map(label: Tensor, logits: Tensor) -> Tensor:
    """The class of each pixel, ``(B, H, W)`` int64, from a label ``(B, 1, H, W)`` of any number type.

    Values are not looked at: that would stop a GPU at every step, and the transforms check them once.

    Args:
        label: class indices and the ignore label.
        logits: ``(B, C, H, W)`` or ``(B, K)``, whose sizes the label must fit.

    Raises:
        InputError: if it does not.
    """
    if label.ndim != 4 or label.shape[1] != 1 or not _fits(label, logits):
        raise InputError(
            f"label of shape {tuple(label.shape)} for logits of shape {tuple(logits.shape)}",
            remedy="Give one class map a slice, (B, 1, H, W), in the size of the segmentation.",
        )
    return _plain(label)[:, 0].long()


def _fits(label: Tensor, logits: Tensor) -> bool:
    return label.shape[0] == logits.shape[0] and logits.shape[2:] in (label.shape[2:], ())


def _plain(tensor: Tensor) -> Tensor:
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
