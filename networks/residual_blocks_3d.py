# SPDX-License-Identifier: Apache-2.0
"""Parts of the 3D networks: convolutions with batch norm, residual blocks, their initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

from ..utils import InputError


class ConvNorm(nn.Sequential):
    """A 3D convolution, batch norm and, unless left out, ReLU, as three children in this order.

    ``fold_batch_norm`` looks for the pair. The convolution has a bias, as in the network of DSB2017.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: odd; the input is padded with zeros so that stride 1 keeps the size.
        stride: of the convolution.
        relu: whether there is one.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int = 3, stride: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2)
        self.norm = nn.BatchNorm3d(out_channels)
        if relu:
            self.relu = nn.ReLU(inplace=True)


class UpNorm(nn.Sequential):
    """Transposed 3D convolution that doubles each axis (kernel 2, stride 2), batch norm and ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2)
        self.norm = nn.BatchNorm3d(out_channels)
        self.relu = nn.ReLU(inplace=True)


class ResidualBlock3d(nn.Module):
    """conv3-BN-ReLU-conv3-BN, plus the input, ReLU.

    The shortcut is a 1x1x1 convolution with batch norm where the channels change (He et al., CVPR 2016,
    https://arxiv.org/abs/1512.03385, option B). MONAI's ``ResidualUnit`` has no normalisation there.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(in_channels, out_channels)
        self.second = ConvNorm(out_channels, out_channels, relu=False)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else ConvNorm(in_channels, out_channels, kernel_size=1, relu=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, D0, D1, D2) to (B, out_channels, D0, D1, D2)."""
        # In place: neither convolution nor batch norm needs its output again, and each copy is a whole map.
        return F.relu_(self.second(self.first(x)).add_(self.shortcut(x)))


def residual_stage(in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    """``blocks`` residual blocks in a row, the first of which changes the number of channels."""
    widths = [in_channels] + [out_channels] * (blocks - 1)
    return nn.Sequential(*(ResidualBlock3d(width, out_channels) for width in widths))


def initialise_3d(module: nn.Module) -> None:
    """Kaiming-normal convolutions (He et al., ICCV 2015; fan-in) with biases of 0; for ``network.apply``."""
    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(module.bias)


def run_stage(stage: nn.Module, x: Tensor, *, again: bool) -> Tensor:
    """Run a stage; with ``again`` its maps are not kept but computed a second time in the backward pass."""
    return checkpoint(stage, x, use_reentrant=False) if again and torch.is_grad_enabled() else stage(x)


def halve_momentum(network: nn.Module) -> None:
    """Let two updates of batch norm's running averages weigh as much as one does now.

    For stages that compute every map twice a step, with the same statistics: (1 - m')^2 = 1 - m.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = 1 - math.sqrt(1 - module.momentum)


def check_volume(image: Tensor, *, channels: int = 1, divisor: int) -> None:
    """Check the shape of a 3D network's input.

    Args:
        image: should be (B, channels, D0, D1, D2).
        channels: of the input.
        divisor: what the three sizes are multiples of.

    Raises:
        InputError: for another number of axes or channels, or a size that is not such a multiple.
    """
    if image.ndim != 5 or image.shape[1] != channels:
        raise InputError(
            f"input of shape {tuple(image.shape)} for a 3D network of {channels} channel(s)",
            remedy="Give (batch, channels, rows, columns, slices).",
        )
    if any(size % divisor or not size for size in image.shape[2:]):
        raise InputError(
            f"input of {' x '.join(map(str, image.shape[2:]))} voxels: all must be multiples of {divisor}",
            remedy="Choose such a crop size, or pad as the inferer does.",
        )


def check_lengths(**options: tuple[Sequence[int], int]) -> None:
    """Check how many numbers an option holds, and that all are positive whole numbers.

    Raises:
        InputError: for the first that does not, by its name.
    """
    for name, (numbers, length) in options.items():
        if len(numbers) != length or not all(isinstance(n, int) and n > 0 for n in numbers):
            raise InputError(f"{name} is {list(numbers)}", remedy=f"Give {length} positive whole numbers.")
