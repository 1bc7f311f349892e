# SPDX-License-Identifier: Apache-2.0
"""U-Net, UNet++ and dilated UNet++ with a presence head, as one grid of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..utils import InputError
from .any_size import crop_like, pad_by_edge
from .blocks import DecoderNode, DilatedCentre, PresenceHead, attention_block, conv_block
from .outputs import MultiTaskOutput
from .scripting import Scriptable


class GridUNet(Scriptable, nn.Module):
    """A grid of nodes X[i, j]: column 0 encodes, going down level i; columns j > 0 decode.

    With ``nested`` every X[i, j] exists and takes the upsampled X[i+1, j-1] and all X[i, 0..j-1]: UNet++
    (Zhou et al., 2018, https://arxiv.org/abs/1807.10165). Without it only the last diagonal does, with
    X[i, 0] as its one skip: U-Net (Ronneberger et al., 2015, https://arxiv.org/abs/1505.04597). The default
    widths, the 4x4 transposed convolutions, the decoder without batch norm, the averaged heads and the
    presence head are those of DeepSeg (AI Challenger 2018, retinal edema). Parameters, the rest default:

    ========================================  ==========
    ``nested=False``                           2,466,151
    default                                    2,953,027
    ``dilations=(1, 2, 4, 8)``                 5,315,395
    ========================================  ==========

    Any height and width will do: the input is padded at its lower and right edge, repeating the edge, to a
    multiple of ``2 ** (len(channels) - 1)``, and the maps are cropped back; the presence head sees the padded
    map. Batch norm in training mode needs more than one value a channel in the deepest map.

    Args:
        in_channels: slices in a stack, any number.
        out_channels: classes of the segmentation, with the background.
        channels: width of each level, top to bottom.
        nested: UNet++ if True, U-Net if False.
        dilations: rates of the dilated convolutions in the centre (:class:`DilatedCentre`); none by default.
        presence_classes: classes K of the presence head; 0 leaves the head out.
        presence_pooling: "max" or "avg", over the whole map.
        presence_dropout: probability of dropout before the presence head.
        deep_supervision: UNet++ only. If True, X[0, 1], X[0, 2]... have a classifier each and their logits
            are averaged, in training and in inference; if False only the last is classified.
        block: "plain", "residual" or "dense" (:func:`conv_block`).
        attention: None, or "scse" behind every block (:class:`ConcurrentSELayer`).

    Raises:
        InputError: if ``channels`` has less than two levels, or for an unknown pooling, block or attention.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 4,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        nested: bool = True,
        dilations: Sequence[int] = (),
        presence_classes: int = 3,
        presence_pooling: str = "max",
        presence_dropout: float = 0.5,
        deep_supervision: bool = True,
        block: str = "plain",
        attention: str | None = None,
    ) -> None:
        super().__init__()
        if len(channels) < 2:
            raise InputError(f"channels is {list(channels)}", remedy="Give the widths of two levels or more.")
        self.in_channels = in_channels
        self.depth = len(channels) - 1
        self.nested = nested
        self.encoder = nn.ModuleList(
            nn.Sequential(conv_block(block, above, width, norm="batch"), attention_block(attention, width))
            for above, width in pairwise([in_channels, *channels])
        )
        self.pool = nn.MaxPool2d(2)
        self.centre = DilatedCentre(channels[-1], dilations) if dilations else nn.Identity()
        self.decoder = nn.ModuleDict(
            {
                f"x{i}_{j}": DecoderNode(
                    channels[i + 1], channels[i], skips=j if nested else 1, block=block, attention=attention
                )
                for j in range(1, self.depth + 1)
                for i in range(self.depth - j, -1, -1)
                if nested or i + j == self.depth
            }
        )
        heads = self.depth if nested and deep_supervision else 1
        self.heads = nn.ModuleList(nn.Conv2d(channels[0], out_channels, kernel_size=1) for _ in range(heads))
        self.presence = (
            PresenceHead(channels[-1], presence_classes, pooling=presence_pooling, dropout=presence_dropout)
            if presence_classes
            else None
        )
        self.apply(_initialise)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        """Segment the centre slice and tell which classes it holds.

        Args:
            image: ``(B, in_channels, H, W)``, floating point, normalised.

        Returns:
            "segmentation": logits ``(B, out_channels, H, W)``; "presence", if there is that head: logits
            ``(B, presence_classes)``.
        """
        encoded = self._encode(pad_by_edge(image, 2**self.depth))
        decoded = self._decode_nested(encoded) if self.nested else self._decode_plain(encoded)
        logits = [head(x) for head, x in zip(self.heads, decoded[-len(self.heads) :], strict=True)]
        mean = reduce(torch.add, logits) / len(logits) if len(logits) > 1 else logits[0]
        output = MultiTaskOutput(segmentation=crop_like(mean, image))
        if self.presence is not None:
            output["presence"] = self.presence(encoded[-1])
        return output

    def _encode(self, x: Tensor) -> list[Tensor]:
        encoded = [self.encoder[0](x)]
        for stage in self.encoder[1:]:
            encoded.append(stage(self.pool(encoded[-1])))
        encoded[-1] = self.centre(encoded[-1])
        return encoded

    def _decode_plain(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        deep = encoded[-1]
        for i in reversed(range(self.depth)):
            deep = self.decoder[f"x{i}_{self.depth - i}"](deep, [encoded[i]])
        return [deep]

    def _decode_nested(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        rows = [[x] for x in encoded]
        for j in range(1, self.depth + 1):
            for i in range(self.depth - j, -1, -1):
                rows[i].append(self.decoder[f"x{i}_{j}"](rows[i + 1][j - 1], rows[i][:j]))
        return rows[0][1:]


def _initialise(module: nn.Module) -> None:
    """Kaiming-normal (He et al., ICCV 2015; fan-in) convolutions and batch norm weights from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
