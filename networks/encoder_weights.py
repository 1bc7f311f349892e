# SPDX-License-Identifier: Apache-2.0
"""ImageNet weights for an encoder, from a file that the user has, for any number of slices."""

from __future__ import annotations

from os import PathLike

from torch import Tensor, nn

from ..utils import InputError
from .weights import check_fit, read_state_dict

_FIRST = "conv1.weight"
_PREFIXES = ("encoder.", "backbone.")
_CLASSIFIER = ("fc.weight", "fc.bias")
_RGB = 3


def load_encoder_weights(encoder: nn.Module, path: str | PathLike[str]) -> None:
    r"""Load all of a ResNet-like encoder from a file in torchvision's or timm's names.

    Names may all start with "encoder." or "backbone."; the classifier ("fc.") is left out; all else must fit.
    A file for three colours and an encoder for N other channels: each channel gets

    .. math:: \frac{3}{N} \cdot \frac{w_R + w_G + w_B}{3}

    so that N equal slices give what a gray picture gave. With N = 3 the colours' weights stay as they are,
    which gives the same for equal slices. The files expect channels standardised as in their training.

    Args:
        encoder: changed in place; its first convolution is ``conv1``.
        path: the file.

    Raises:
        InputError: if there is no such file, if it is not a file of weights, or if they do not fit.
    """
    own = encoder.state_dict()
    state = {n: v for n, v in _without_prefix(read_state_dict(path)).items() if n not in _CLASSIFIER}
    if _FIRST in state:
        state[_FIRST] = _adapt(state[_FIRST], own[_FIRST].shape[1], path=path)
    check_fit(own, state, path=path)
    encoder.load_state_dict(state, strict=False)  # the check above was the strict one


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _adapt(weight: Tensor, channels: int, *, path: str | PathLike[str]) -> Tensor:
    """The first convolution's weight ``(out, 3, h, w)`` for another number of channels."""
    if weight.ndim != 4 or weight.shape[1] not in (_RGB, channels):
        raise InputError(
            f"weights of another network: {_FIRST} is {tuple(weight.shape)}",
            path=path,
            remedy=f"Name a file for {_RGB} colours, or one for {channels} slices.",
        )
    if weight.shape[1] == channels:
        return weight
    return weight.sum(dim=1, keepdim=True).expand(-1, channels, -1, -1) / channels
