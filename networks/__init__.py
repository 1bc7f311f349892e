# SPDX-License-Identifier: Apache-2.0
"""Networks: a stack of slices in, logits of the centre slice out, in a dictionary with fixed keys."""

from .fusion_network import FusionNetwork
from .grid_unet import GridUNet
from .resized_network import ResizedNetwork
from .slice_presence_net import SlicePresenceNet
from .weights import load_fusion_weights, load_weights

__all__ = [
    "FusionNetwork",
    "GridUNet",
    "ResizedNetwork",
    "SlicePresenceNet",
    "load_fusion_weights",
    "load_weights",
]
