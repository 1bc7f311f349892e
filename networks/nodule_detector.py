# SPDX-License-Identifier: Apache-2.0
"""3D U-Net with residual blocks that finds nodules: a map of cells, each with spheres of several sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from ..utils.spheres import NUMBERS
from .blocks import check_option
from .box_coordinates import box_coordinates
from .image_check import check_positive
from .residual_blocks_3d import (
    ConvNorm,
    UpNorm,
    check_lengths,
    check_volume,
    halve_momentum,
    initialise_3d,
    residual_stage,
    run_stage,
)
from .scripting import Scriptable

FIRST_PROBABILITY = 0.01  # of every sphere before training


class NoduleDetector(Scriptable, nn.Module):
    """A volume in, spheres on a grid of cells out; the defaults are the network of DSB2017.

    Four times a max-pool and residual blocks, twice a transposed convolution, the encoder's map beside it and
    residual blocks; a head at a quarter of the resolution. Liao et al. 2019, "Evaluate the Malignancy of
    Pulmonary Nodules Using the 3D Deep Leaky Noisy-or Network", https://arxiv.org/abs/1711.08324.

    Two sizes, with 3 anchors (2 FLOP a multiply-add, at 96^3):

    ========================================================================  =========  ===========
    arguments                                                                 parameters  kFLOP/voxel
    ========================================================================  =========  ===========
    default                                                                   5,383,623       160.9
    ``channels=(16, 24, 48, 64, 64), decoder_channels=(64, 48)``,
    ``encoder_blocks=(2, 2, 2, 2), decoder_blocks=(2, 2), stem="strided"``    2,092,567        37.7
    ========================================================================  =========  ===========

    The last layer starts with small weights (standard deviation 0.01) and, for the logits, a bias of
    -log(99): every sphere then has a probability of about 0.01, and the many negatives do not drown the
    first steps (Lin et al. 2017, https://arxiv.org/abs/1708.02002). The rest starts as He et al. 2015.

    ``forward`` is ``coarse(fine(image), box)``. ``fine`` holds all that runs at full and at half resolution
    before the next pooling, which takes most of the memory and sees little: an inferer may run it slab by
    slab, each with ``fine_margin`` voxels or more beyond it that are then cut off, starting and ending at
    multiples of ``fine_stride``, and get the same features.

    Args:
        num_anchors: spheres a cell, A.
        channels: widths of the encoder at 1, 1/2, 1/4, 1/8 and 1/16 of the resolution.
        decoder_channels: widths of the decoder at 1/8 and 1/4. An up-sampling gives this width, or that of
            its input where this is less.
        encoder_blocks: residual blocks at 1/2, 1/4, 1/8 and 1/16.
        decoder_blocks: residual blocks at 1/8 and 1/4.
        head_channels: width of the 1x1x1 convolution before the last.
        stem: "full", two 3^3 convolutions at full resolution and a max-pool; or "strided", a 5^3 one with
            stride 2 and a 3^3 one, both at half: for CPUs.
        stride: voxels a cell: 4; or 2, with one more up-sampling and residual block at half resolution.
        coordinates: whether the decoder sees where in the lungs it is (:func:`box_coordinates`).
        dropout: probability for whole channels before the head.
        checkpointing: in training, compute the maps again in the backward pass instead of keeping them:
            about a third more time for a fraction of the memory.

    Attributes:
        total_stride: 16; the sizes of the input must be multiples of it.
        fine_stride: voxels a cell of ``fine``'s map; the same as ``stride``.
        fine_margin: voxels of the input that a cell of ``fine``'s map sees beyond its own, to each side.

    Raises:
        InputError: for an unknown stem or stride, or widths that are not as many as stated.
    """

    in_channels = 1
    spatial_dims = 3
    total_stride = 16

    def __init__(
        self,
        *,
        num_anchors: int = 3,
        channels: Sequence[int] = (24, 32, 64, 64, 64),
        decoder_channels: Sequence[int] = (64, 128),
        encoder_blocks: Sequence[int] = (2, 2, 3, 3),
        decoder_blocks: Sequence[int] = (3, 3),
        head_channels: int = 64,
        stem: str = "full",
        stride: int = 4,
        coordinates: bool = True,
        dropout: float = 0.5,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        check_positive(num_anchors=num_anchors, head_channels=head_channels)
        check_lengths(
            channels=(channels, 5),
            decoder_channels=(decoder_channels, 2),
            encoder_blocks=(encoder_blocks, 4),
            decoder_blocks=(decoder_blocks, 2),
        )
        check_option("stem", stem, ("full", "strided"))
        check_option("stride", stride, (4, 2))
        self.num_anchors = num_anchors
        self.stride = self.fine_stride = stride
        self.coordinates = coordinates
        self.checkpointing = checkpointing
        # Each residual block at half resolution sees 2 cells = 4 voxels more, the stems 2 and 4.
        self.fine_margin = (2 if stem == "full" else 4) + 4 * encoder_blocks[0]

        self._build_encoder(stem, channels, encoder_blocks)
        last = self._build_decoder(channels, decoder_channels, decoder_blocks)
        self.head = nn.Sequential(
            nn.Dropout3d(dropout),
            nn.Conv3d(last, head_channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv3d(head_channels, NUMBERS * num_anchors, 1),
        )
        self.apply(initialise_3d)
        _start_rare(self.head[-1])
        if checkpointing:
            halve_momentum(self)

    def _build_encoder(self, stem: str, channels: Sequence[int], blocks: Sequence[int]) -> None:
        c1, c2, c3, c4, c5 = channels
        self.stem = _stem(stem, c1)
        self.pool = nn.MaxPool3d(2)
        self.encode2 = residual_stage(c1, c2, blocks[0])
        self.encode4 = residual_stage(c2, c3, blocks[1])
        self.encode8 = residual_stage(c3, c4, blocks[2])
        self.encode16 = residual_stage(c4, c5, blocks[3])

    def _build_decoder(self, channels: Sequence[int], widths: Sequence[int], blocks: Sequence[int]) -> int:
        """Returns the width of the last map."""
        _, c2, c3, c4, c5 = channels
        d8, d4 = widths
        u8, u4, u2 = min(c5, d8), min(d8, d4), min(d4, c2)
        self.up8 = UpNorm(c5, u8)
        self.decode8 = residual_stage(u8 + c4, d8, blocks[0])
        self.up4 = UpNorm(d8, u4)
        self.decode4 = residual_stage(u4 + c3 + 3 * self.coordinates, d4, blocks[1])
        if self.stride == 4:
            return d4
        self.up2 = UpNorm(d4, u2)
        self.decode2 = residual_stage(u2 + c2, c2, 1)
        return c2

    def forward(self, image: Tensor, box: Tensor | None = None) -> Tensor:
        """Find spheres.

        Args:
            image: (B, 1, D0, D1, D2) floating point, -1 to 1; sizes multiples of 16.
            box: (B, 6), see :func:`box_coordinates`; None: the image is the whole lung box.

        Returns:
            (B, 5 * A, D0 / stride, D1 / stride, D2 / stride), channels as in ``utils/spheres.py``.

        Raises:
            InputError: for an image of another shape.
        """
        check_volume(image, divisor=self.total_stride)
        return self.coarse(self.fine(image), box)

    def fine(self, image: Tensor) -> tuple[Tensor, ...]:
        """All that runs at full and half resolution on the way down.

        Args:
            image: as in ``forward``, but sizes may be any multiples of ``fine_stride``.

        Returns:
            One map (B, channels[1], D0 / fine_stride, ...): with stride 4 the pooled one, with stride 2 that
            before the pooling, which the decoder sees again.

        Raises:
            InputError: for an image of another shape.
        """
        check_volume(image, divisor=self.fine_stride)
        image = image.as_tensor() if isinstance(image, MetaTensor) else image
        half = self._run(self.encode2, self._run(self.stem, image))
        return (half if self.stride == 2 else self.pool(half),)

    def coarse(self, features: Sequence[Tensor], box: Tensor | None = None) -> Tensor:
        """The rest of ``forward``.

        Args:
            features: what ``fine`` gave.
            box: as in ``forward``.

        Returns:
            As ``forward``.
        """
        (half,) = features
        quarter = self._run(self.encode4, self.pool(half) if self.stride == 2 else half)
        eighth = self._run(self.encode8, self.pool(quarter))
        deep = self._run(self.up8, self._run(self.encode16, self.pool(eighth)))
        deep = self._run(self.up4, self._run(self.decode8, torch.cat([deep, eighth], dim=1)))
        del eighth
        deep = self._run(self.decode4, torch.cat([deep, quarter, *self._where(quarter, box)], dim=1))
        del quarter
        if self.stride == 2:
            deep = self._run(self.decode2, torch.cat([self._run(self.up2, deep), half], dim=1))
        return self.head(deep)

    def _run(self, stage: nn.Module, x: Tensor) -> Tensor:
        return run_stage(stage, x, again=self.checkpointing and self.training)

    def _where(self, quarter: Tensor, box: Tensor | None) -> list[Tensor]:
        if not self.coordinates:
            return []
        batch, cells = quarter.shape[0], quarter.shape[2:]  # not len(), which a trace would fix
        maps = box_coordinates(box, cells, stride=4, batch=batch, device=quarter.device)
        return [maps.to(quarter.dtype)]


def _stem(kind: str, width: int) -> nn.Sequential:
    if kind == "full":
        return nn.Sequential(ConvNorm(1, width), ConvNorm(width, width), nn.MaxPool3d(2))
    return nn.Sequential(ConvNorm(1, width, kernel_size=5, stride=2), ConvNorm(width, width))


def _start_rare(last: nn.Conv3d) -> None:
    nn.init.normal_(last.weight, std=0.01)
    with torch.no_grad():
        last.bias[::NUMBERS] = -math.log(1 / FIRST_PROBABILITY - 1)
