# SPDX-License-Identifier: Apache-2.0
"""A trained network made ready for speed: batch norm folded away, compute type, memory layout."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(network: nn.Module) -> nn.Module:
    r"""A copy in evaluation mode, without the batch norms that follow a convolution.

    .. math:: W' = W \gamma / \sqrt{v + \epsilon}, \quad b' = (b - m) \gamma / \sqrt{v + \epsilon} + \beta

    Looks at pairs of neighbours in every ``nn.Sequential``; convolutions may be transposed. What it does not
    know stays as it is, so the copy gives the network's outputs whatever the network is.

    Args:
        network: stays unchanged. Wrappers of distributed training and of torch.compile are left out of the
            copy.

    Returns:
        The copy; its parameters need no gradient.
    """
    # What DistributedDataParallel and torch.compile wrap, in any order.
    while (inner := getattr(network, "module", getattr(network, "_orig_mod", None))) is not None:
        network = inner
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(folded.modules()):
        if isinstance(module, nn.Sequential):
            _fold_pairs(module)
    return folded


def _fold_pairs(module: nn.Sequential) -> None:
    children = list(module.named_children())
    for (name, conv), (norm_name, norm) in pairwise(children):
        known = isinstance(conv, _ConvNd) and isinstance(norm, _BatchNorm)
        if known and norm.running_mean is not None:
            transposed = isinstance(conv, _ConvTransposeNd)
            setattr(module, name, fuse_conv_bn_eval(conv, norm, transpose=transposed))
            setattr(module, norm_name, nn.Identity())


def inference_network(
    network: nn.Module, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> nn.Module:
    """A copy for inference: batch norm folded in float32, then cast, weights laid out channels last.

    Args:
        network: stays unchanged.
        dtype: what the copy computes in; its inputs must be of this type.
        device: where the copy lies; None: where the network lies.

    Returns:
        The copy.
    """
    folded = fold_batch_norm(network)
    return folded.to(device=device, dtype=dtype).to(memory_format=torch.channels_last_3d)
