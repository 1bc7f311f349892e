# SPDX-License-Identifier: Apache-2.0
"""Networks: a stack of slices in, logits of the centre slice out, in a dictionary with fixed keys."""

from .fusion_network import FusionNetwork
from .grid_unet import GridUNet
from .initial_weights import initial_weights
from .resized_network import ResizedNetwork
from .slice_classifier import SliceClassifier
from .slice_context import GRUContext, KernelContext, LearnedKernelContext
from .slice_presence_net import SlicePresenceNet
from .weights import load_fusion_weights, load_weights

__all__ = [
    "FusionNetwork",
    "GRUContext",
    "GridUNet",
    "KernelContext",
    "LearnedKernelContext",
    "ResizedNetwork",
    "SliceClassifier",
    "SlicePresenceNet",
    "initial_weights",
    "load_fusion_weights",
    "load_weights",
]
