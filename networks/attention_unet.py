# SPDX-License-Identifier: Apache-2.0
"""Attention U-Net: a U-Net whose skips are weighted, pixel by pixel, by what the decoder knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..utils import InputError
from .image_check import check_image, check_positive
from .scripting import Scriptable

# Names of the other widespread code of this network, by the names of AttU_Net.
_OTHER_NAMES = (
    (re.compile(r"^UpConv(\d+)\."), r"Up_conv\1."),
    (re.compile(r"^(Att\d+)\.W_gate\."), r"\1.W_g."),
    (re.compile(r"^Conv\."), "Conv_1x1."),
)


class AttentionUNet(Scriptable, nn.Module):
    r"""U-Net with an attention gate on every skip, and as many slices as wanted.

    The idea is Oktay et al.'s (MIDL 2018, https://arxiv.org/abs/1804.03999); this is the network known as
    ``AttU_Net``, which differs: max pooling, gates on the skip's own grid, batch norm in the gates, a gate on
    the finest skip too, no deep supervision. Each level is two 3x3 convolutions with batch norm and ReLU; the
    width doubles from level to level; up is nearest neighbour times 2, then a 3x3 convolution with batch norm
    and ReLU. MONAI's ``AttentionUnet`` is another function: strided and transposed convolutions, and one
    convolution a decoder level.

    Parameters at ``width=64``, ``depth=5``, one output channel:

    ===============  ==========
    ``in_channels``
    ===============  ==========
    1                34,877,421
    3                34,878,573
    5                34,879,725
    ===============  ==========

    Names in the state dict are those of ``AttU_Net``; :meth:`rename_weights` takes the other common ones.

    Args:
        in_channels: slices in a stack. One slice repeated to 3 channels is the network of a gray image.
        out_channels: 1, the centre slice; or 3, its neighbours too.
        width: channels of the finest level.
        depth: levels; the coarsest has ``width * 2 ** (depth - 1)`` channels.

    Attributes:
        divisor: what height and width must be multiples of, ``2 ** (depth - 1)``.

    Raises:
        InputError: if one of the numbers is not positive, or ``depth`` is below 2.
    """

    def __init__(
        self, *, in_channels: int = 3, out_channels: int = 1, width: int = 64, depth: int = 5
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, width=width, depth=depth)
        if depth < 2:
            raise InputError(f"depth is {depth}", remedy="Give 2 levels or more.")
        self.in_channels = in_channels
        self.depth = depth
        self.divisor = 2 ** (depth - 1)
        self.pool = nn.MaxPool2d(2)
        widths = [width * 2**level for level in range(depth)]
        for level, (above, own) in enumerate(pairwise([in_channels, *widths]), 1):
            self.add_module(f"Conv{level}", ConvBlock(above, own))
        for level in range(depth, 1, -1):
            own, above = widths[level - 1], widths[level - 2]
            self.add_module(f"Up{level}", UpConv(own, above))
            self.add_module(f"Att{level}", AttentionGate(above, above, hidden=max(above // 2, 1)))
            self.add_module(f"Up_conv{level}", ConvBlock(2 * above, above))
        self.Conv_1x1 = nn.Conv2d(width, out_channels, kernel_size=1)

    def forward(self, image: Tensor, *, attention: bool = False) -> Tensor | dict[str, Tensor | list[Tensor]]:
        """Segment.

        Args:
            image: ``(B, in_channels, H, W)``, floating point, normalised.
            attention: also give the gates' maps.

        Returns:
            Logits ``(B, out_channels, H, W)``. With ``attention`` a dictionary: "logits", these; "attention",
            one map ``(B, 1, h, w)`` a gate in (0, 1), the coarsest first, the last of the input's size.

        Raises:
            InputError: for another number of channels, or a size that is not a multiple of ``divisor``.
        """
        check_image(image, channels=self.in_channels, divisor=self.divisor)
        skips = [self._part("Conv", 1)(image)]
        for level in range(2, self.depth + 1):
            skips.append(self._part("Conv", level)(self.pool(skips[-1])))
        x, maps = skips.pop(), []
        for level in range(self.depth, 1, -1):
            x, skip = self._part("Up", level)(x), skips.pop()
            maps.append(self._part("Att", level)(x, skip))
            x = self._part("Up_conv", level)(torch.cat([skip * maps[-1], x], dim=1))
        logits = self.Conv_1x1(x)
        return {"logits": logits, "attention": maps} if attention else logits

    @staticmethod
    def rename_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A state dict in this network's names, from these or from the other common ones.

        The others say ``W_gate`` for ``W_g``, ``UpConv5`` for ``Up_conv5`` and ``Conv`` for ``Conv_1x1``.
        """
        return {_rename(name): value for name, value in state.items()}

    def _part(self, name: str, level: int) -> nn.Module:
        return getattr(self, f"{name}{level}")


class ConvBlock(nn.Module):
    """Twice a 3x3 convolution, batch norm, ReLU: ``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(*_conv(in_channels, out_channels), *_conv(out_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return self.conv(x)


class UpConv(nn.Module):
    """Nearest neighbour times 2, then a 3x3 convolution, batch norm, ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), *_conv(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, out_channels, 2 * H, 2 * W)``."""
        return self.up(x)


class AttentionGate(nn.Module):
    r"""Weight of each pixel of a skip, from the skip and the decoder's map on the same grid.

    .. math:: \alpha = \sigma(\mathrm{BN}(\psi * \mathrm{ReLU}(\mathrm{BN}(W_g * g) + \mathrm{BN}(W_x * x))))

    with 1x1 convolutions that have biases.

    Args:
        gate_channels: channels of g, the decoder's map.
        skip_channels: channels of x, the encoder's map.
        hidden: channels of both within the gate.
    """

    def __init__(self, gate_channels: int, skip_channels: int, *, hidden: int) -> None:
        super().__init__()
        self.W_g = nn.Sequential(nn.Conv2d(gate_channels, hidden, kernel_size=1), nn.BatchNorm2d(hidden))
        self.W_x = nn.Sequential(nn.Conv2d(skip_channels, hidden, kernel_size=1), nn.BatchNorm2d(hidden))
        self.psi = nn.Sequential(nn.Conv2d(hidden, 1, kernel_size=1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, gate: Tensor, skip: Tensor) -> Tensor:
        """Weights ``(B, 1, H, W)`` in (0, 1) of ``skip`` ``(B, skip_channels, H, W)``, by ``gate``."""
        return self.psi(torch.relu(self.W_g(gate) + self.W_x(skip)))


def _conv(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    # The bias is of no use before batch norm, but files of this network's weights have it.
    return (
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _rename(name: str) -> str:
    for other, own in _OTHER_NAMES:
        name = other.sub(own, name)
    return name
