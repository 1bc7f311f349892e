# SPDX-License-Identifier: Apache-2.0
"""Networks: a stack of slices or a volume in; logits out, alone or in a dictionary of fixed keys."""

from .attention_unet import AttentionUNet
from .box_coordinates import box_coordinates
from .data_parallel import summed_data_parallel
from .encoder_weights import load_encoder_weights
from .exported_network import ExportedNetwork
from .fold_batch_norm import fold_batch_norm, inference_network
from .fusion_network import FusionNetwork
from .grid_unet import GridUNet
from .initial_weights import initial_weights
from .load_exported import TorchScriptNetwork, load_exported
from .nodule_classifier import NoduleClassifier
from .nodule_detector import NoduleDetector
from .onnx_network import OnnxNetwork
from .outputs import MultiTaskOutput
from .repeated_gray import RepeatedGray
from .resized_network import ResizedNetwork
from .resnext import ResNeXtEncoder
from .resnext_unet import ResNeXtUNet
from .slice_classifier import SliceClassifier
from .slice_context import GRUContext, KernelContext, LearnedKernelContext
from .slice_presence_net import SlicePresenceNet
from .weights import load_fusion_weights, load_weights

__all__ = [
    "AttentionUNet",
    "ExportedNetwork",
    "FusionNetwork",
    "GRUContext",
    "GridUNet",
    "KernelContext",
    "LearnedKernelContext",
    "MultiTaskOutput",
    "NoduleClassifier",
    "NoduleDetector",
    "OnnxNetwork",
    "RepeatedGray",
    "ResNeXtEncoder",
    "ResNeXtUNet",
    "ResizedNetwork",
    "SliceClassifier",
    "SlicePresenceNet",
    "TorchScriptNetwork",
    "box_coordinates",
    "fold_batch_norm",
    "inference_network",
    "initial_weights",
    "load_encoder_weights",
    "load_exported",
    "load_fusion_weights",
    "load_weights",
    "summed_data_parallel",
]
