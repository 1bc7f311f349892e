# SPDX-License-Identifier: Apache-2.0
"""Networks in TorchScript, as MONAI's ``ckpt_export`` asks for them."""

from __future__ import annotations

import warnings

import torch
from monai.networks.utils import eval_mode
from torch import Tensor, nn

from .export_form import ExportForm, whole_box


class Scriptable:
    """Lets ``torch.jit.script`` take a network whose Python the script compiler does not understand.

    The networks here choose by keywords, look modules up by name and check their input with errors of their
    own, none of which TorchScript has. What a bundle runs is fixed once a network is built, so ``script``
    gets a trace of it instead, in evaluation mode, and a scripted check of the input's size around it. The
    trace holds no size: where a network pads or makes coordinates it does so by recorded arithmetic
    (:mod:`any_size`). It is right for any batch and for any size that the check lets pass. Training stays
    with the Python network.
    """

    def __prepare_scriptable__(self) -> nn.Module:
        """What ``torch.jit.script`` compiles in this network's stead."""
        return prepare_script(self)


def prepare_script(network: nn.Module) -> nn.Module:
    """A module that ``torch.jit.script`` can compile, with the network's weights and its answers.

    Args:
        network: its training or evaluation mode stays.
    """
    with eval_mode(network), warnings.catch_warnings():
        # It warns of the checks of shapes, which are made outside of the trace.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        form = ExportForm(network)
        traced = torch.jit.trace(form, form.example(), strict=False, check_trace=False)
    kind = _CheckedBox if len(form.input_names) > 1 else _Checked
    return kind(traced, form.divisor, form.in_channels).eval()


def _check(image: Tensor, divisor: int, channels: int) -> None:
    if image.shape[1] != channels:
        raise ValueError("the input has another number of channels than the network")
    for size in image.shape[2:]:
        if size % divisor != 0:
            raise ValueError("the sizes of the input must be multiples of the network's divisor")


# TorchScript finds out what the two give: a tensor or a dictionary, as the network does.
class _Checked(nn.Module):
    def __init__(self, traced: nn.Module, divisor: int, channels: int) -> None:
        super().__init__()
        self.traced = traced
        self.divisor = divisor
        self.channels = channels

    def forward(self, image: Tensor):
        _check(image, self.divisor, self.channels)
        return self.traced(image)


class _CheckedBox(nn.Module):
    def __init__(self, traced: nn.Module, divisor: int, channels: int) -> None:
        super().__init__()
        self.traced = traced
        self.divisor = divisor
        self.channels = channels
        self.register_buffer("whole", whole_box(1), persistent=False)

    def forward(self, image: Tensor, box: Tensor | None = None):
        _check(image, self.divisor, self.channels)
        if box is None:
            box = self.whole.expand(image.shape[0], 6)
        return self.traced(image, box)
