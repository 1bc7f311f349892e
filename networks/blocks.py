# SPDX-License-Identifier: Apache-2.0
"""Parts of the encoder-decoder networks, put together from MONAI's blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks import ADN, ChannelSELayer, ConvDenseBlock, Convolution, ResidualUnit
from torch import Tensor, nn

from ..utils import InputError

# In place, because each activation would otherwise hold a second copy of the map; nothing reads the first.
RELU = ("relu", {"inplace": True})
BLOCKS = ("plain", "residual", "dense")
ATTENTIONS = (None, "scse")


def check_option(name: str, value: object, allowed: Sequence[object]) -> None:
    """Raise an InputError that names the option, its value and the allowed values.

    Raises:
        InputError: if ``value`` is not among ``allowed``.
    """
    if value not in allowed:
        raise InputError(f"{name} is {value!r}", remedy=f"Use one of {', '.join(map(repr, allowed))}.")


def conv_block(kind: str, in_channels: int, out_channels: int, *, norm: str | None) -> nn.Module:
    """Two 3x3 convolutions with ReLU, ``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``.

    Args:
        kind: "plain", the convolutions one after the other; "residual", with a shortcut around both (1x1
            where the channels change) before the last normalisation and ReLU (He et al., CVPR 2016); "dense",
            each sees all earlier maps and adds ``out_channels // 2`` channels (Huang et al., CVPR 2017), then
            a 1x1 convolution to ``out_channels``.
        in_channels: channels of the input.
        out_channels: channels of the output.
        norm: MONAI's name of the normalisation after each convolution, or None.

    Raises:
        InputError: if ``kind`` is not one of these.
    """
    check_option("block", kind, BLOCKS)
    if kind == "residual":
        # Normalised after the sum: through a column of units, sums alone double the variance each time.
        return nn.Sequential(
            ResidualUnit(2, in_channels, out_channels, subunits=2, act=RELU, norm=norm, last_conv_only=True),
            ADN(in_channels=out_channels, act=RELU, norm=norm, norm_dim=2),
        )
    if kind == "dense":
        growth = max(out_channels // 2, 1)
        return nn.Sequential(
            ConvDenseBlock(2, in_channels, channels=(growth, growth), act=RELU, norm=norm),
            Convolution(2, in_channels + 2 * growth, out_channels, kernel_size=1, act=RELU, norm=norm),
        )
    return nn.Sequential(
        Convolution(2, in_channels, out_channels, act=RELU, norm=norm),
        Convolution(2, out_channels, out_channels, act=RELU, norm=norm),
    )


def attention_block(kind: str | None, channels: int) -> nn.Module:
    """The attention behind a block: identity for None, :class:`ConcurrentSELayer` for "scse".

    Raises:
        InputError: if ``kind`` is neither.
    """
    check_option("attention", kind, ATTENTIONS)
    return nn.Identity() if kind is None else ConcurrentSELayer(channels)


class ConcurrentSELayer(nn.Module):
    r"""Concurrent spatial and channel squeeze and excitation (scSE).

    .. math:: y = x \cdot \sigma(W_2\,\mathrm{relu}(W_1 \bar{x})) + x \cdot \sigma(w * x)

    The first factor weighs channels (MONAI's ``ChannelSELayer``), the second pixels, by a 1x1 convolution to
    one channel. Roy et al., MICCAI 2018, https://arxiv.org/abs/1803.02579, with the sum of that paper.

    Args:
        channels: channels of the map, at least 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = ChannelSELayer(2, channels, r=2)
        self.spatial = nn.Conv2d(channels, 1, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Reweigh a map, ``(B, channels, H, W)`` to the same shape."""
        return self.channel(x) + x * torch.sigmoid(self.spatial(x))


class DilatedCentre(nn.Module):
    """Serial dilated 3x3 convolutions with batch norm and ReLU; the input and every output are summed.

    The receptive field grows by ``2 * dilation`` a layer while the map keeps its size. Zhou et al.,
    D-LinkNet, CVPR Workshops 2018.

    Args:
        channels: channels of the map.
        dilations: one layer each; (1, 2, 4, 8) in the DeepSeg slides.
    """

    def __init__(self, channels: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Convolution(2, channels, channels, dilation=rate, act=RELU, norm="batch") for rate in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Widen the view of a map, ``(B, channels, H, W)`` to the same shape."""
        total = x
        for layer in self.layers:
            x = layer(x)
            total = total + x
        return total


class DecoderNode(nn.Module):
    """Upsample the deeper map by 2, join it with the maps of this level, convolve.

    The upsampling is a 4x4 transposed convolution with stride 2. There is no normalisation, as in DeepSeg,
    except in residual blocks, which would grow without it.

    Args:
        deep_channels: channels of the deeper map.
        channels: channels of this level: of each skip and of the output.
        skips: number of skips.
        block: as in :func:`conv_block`.
        attention: as in :func:`attention_block`.
    """

    def __init__(
        self, deep_channels: int, channels: int, *, skips: int, block: str, attention: str | None
    ) -> None:
        super().__init__()
        self.up = Convolution(
            2,
            deep_channels,
            channels,
            strides=2,
            kernel_size=4,
            padding=1,
            output_padding=0,
            is_transposed=True,
            conv_only=True,
        )
        norm = "batch" if block == "residual" else None
        self.block = conv_block(block, (skips + 1) * channels, channels, norm=norm)
        self.attention = attention_block(attention, channels)

    def forward(self, deep: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Decode one node.

        Args:
            deep: ``(B, deep_channels, H / 2, W / 2)``.
            skips: maps ``(B, channels, H, W)``.

        Returns:
            ``(B, channels, H, W)``.
        """
        # One concatenation of all: joining the skips in turn copies the first ones again and again.
        return self.attention(self.block(torch.cat([self.up(deep), *skips], dim=1)))


class PresenceHead(nn.Module):
    """Is a class anywhere in the slice: dropout, 1x1 convolution to one map a class, global pooling.

    Args:
        in_channels: channels of the deepest map.
        classes: number of classes K, without the background.
        pooling: "max" (one lesion anywhere suffices) or "avg".
        dropout: probability for each element of the map.

    Raises:
        InputError: if ``pooling`` is neither.
    """

    def __init__(self, in_channels: int, classes: int, *, pooling: str, dropout: float) -> None:
        super().__init__()
        check_option("presence_pooling", pooling, ("max", "avg"))
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv2d(in_channels, classes, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, K)`` from the deepest map ``(B, in_channels, H, W)``."""
        maps = self.conv(self.dropout(x))
        # Named axes, never squeeze(): a batch of one keeps its batch axis.
        return maps.amax(dim=(2, 3)) if self.pooling == "max" else maps.mean(dim=(2, 3))
