# SPDX-License-Identifier: Apache-2.0
"""Tiny networks of the four kinds, for tests of exports."""

from __future__ import annotations

import torch
from torch import nn

from tests.helpers import TINY_NETWORK
from tomobundles.networks import AttentionUNet, GridUNet, KernelContext, NoduleDetector, SliceClassifier
from tomobundles.networks.export_form import ExportForm

TINY = {
    "grid": lambda: GridUNet(channels=(4, 6, 8)),
    "slices": lambda: SliceClassifier(backbone="resnet18", context=KernelContext()),
    "attention": lambda: AttentionUNet(width=4, depth=5),
    "detector": lambda: NoduleDetector(stem="strided", **TINY_NETWORK),
}


def tiny(kind: str) -> nn.Module:
    """A network with random weights in evaluation mode, its batch norm set by some images."""
    torch.manual_seed(0)
    network = TINY[kind]()
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None  # the next pass sets the averages
    images = ExportForm(network).example(4, seed=9)
    with torch.no_grad():
        network.train()(*images)
    return network.eval()
