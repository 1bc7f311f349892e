# SPDX-License-Identifier: Apache-2.0
"""U-Net with a ResNeXt encoder, for stacks of any number of slices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from os import PathLike

from monai.networks.nets.flexible_unet import SegmentationHead, UNetDecoder
from torch import Tensor, nn

from ..utils import InputError
from .encoder_weights import load_encoder_weights
from .image_check import check_image, check_positive
from .resnext import ResNeXtEncoder
from .scripting import Scriptable

_DECODER_CHANNELS = (256, 128, 64, 32, 16)
_FULL_WIDTH = 64
_DECODER_NAME = re.compile(r"^decoder\.blocks\.([0-4])\.conv([12])\.([01])\.(?P<rest>\w+)$")
_LAYERS = ("conv", "adn.N")


class ResNeXtUNet(Scriptable, nn.Module):
    """U-Net (Ronneberger et al., 2015) on the five maps of a ResNeXt encoder.

    The layout of segmentation_models.pytorch's ``Unet``: skips at 1/2 (behind the stem), 1/4, 1/8 and 1/16
    of the input's size; each of five decoder levels is nearest neighbour times 2, the skip joined, and two
    3x3 convolutions with batch norm and ReLU; a 3x3 convolution at the end. Encoder and decoder are MONAI's
    blocks. At full width and three channels ``resnext50_32x4d`` has 31,992,977 parameters and
    ``resnext101_32x4d`` 51,141,777, of which the decoder and the head have 9,013,073.

    Args:
        backbone: "resnext50_32x4d" or "resnext101_32x4d".
        in_channels: slices in a stack.
        out_channels: 1, the centre slice; or 3, its neighbours too.
        decoder_channels: of the five levels, coarsest first; None is 256, 128, 64, 32, 16 at full width,
            scaled with ``width``.
        width: channels of the first convolution, which all others follow; 64 is the published network. Small
            ones (16) are for tests and small computers.
        weights: file with an ImageNet state dict of the backbone, which the user has; see
            :func:`load_encoder_weights`. Nothing is downloaded. None starts from random weights.

    Attributes:
        divisor: what height and width must be multiples of, 32.

    Raises:
        InputError: for another backbone, a number that is not positive, not five decoder levels, or if
            ``weights`` is not a file of such weights.
    """

    divisor = 32

    def __init__(
        self,
        *,
        backbone: str = "resnext50_32x4d",
        in_channels: int = 5,
        out_channels: int = 1,
        decoder_channels: Sequence[int] | None = None,
        width: int = 64,
        weights: str | PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        check_positive(out_channels=out_channels)
        self.in_channels = in_channels
        self.encoder = ResNeXtEncoder(backbone, in_channels=in_channels, width=width)
        channels = _decoder_channels(decoder_channels, width)
        self._up_channels = (self.encoder.channels[-1], *channels[:-1])
        self.decoder = UNetDecoder(
            spatial_dims=2,
            encoder_channels=(in_channels, *self.encoder.channels),
            decoder_channels=channels,
            act=("relu", {"inplace": True}),
            norm="batch",
            dropout=0.0,
            bias=False,
            upsample="nontrainable",
            pre_conv=None,
            interp_mode="nearest",
            align_corners=None,
            is_pad=False,
        )
        self.segmentation_head = SegmentationHead(2, channels[-1], out_channels)
        if weights is not None:
            load_encoder_weights(self.encoder, weights)

    def forward(self, image: Tensor) -> Tensor:
        """Segment.

        Args:
            image: ``(B, in_channels, H, W)``, floating point, normalised.

        Returns:
            Logits ``(B, out_channels, H, W)``.

        Raises:
            InputError: for another number of channels, or a size that is not a multiple of 32.
        """
        check_image(image, channels=self.in_channels, divisor=self.divisor)
        return self.segmentation_head(self.decoder(self.encoder(image)))

    def rename_weights(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A state dict of this network, from one of it or of segmentation_models.pytorch's ``Unet``.

        The encoder and the head have the same names there. The decoder says ``conv1.0`` and ``conv1.1`` for
        ``convs.conv_0.conv`` and ``convs.conv_0.adn.N``, and has the upsampled map before the skip.
        """
        return dict(self._own(name, value) for name, value in state.items())

    def _own(self, name: str, value: Tensor) -> tuple[str, Tensor]:
        found = _DECODER_NAME.match(name)
        if found is None:
            return name, value
        block, conv, layer = (int(number) for number in found.group(1, 2, 3))
        if conv == 1 and value.ndim == 4:
            value = value.roll(-self._up_channels[block], dims=1)
        return f"decoder.blocks.{block}.convs.conv_{conv - 1}.{_LAYERS[layer]}.{found['rest']}", value


def _decoder_channels(given: Sequence[int] | None, width: int) -> tuple[int, ...]:
    if given is None:
        return tuple(max(1, full * width // _FULL_WIDTH) for full in _DECODER_CHANNELS)
    if len(given) != len(_DECODER_CHANNELS):
        raise InputError(
            f"decoder_channels is {list(given)}",
            remedy=f"Give {len(_DECODER_CHANNELS)} numbers, coarsest first.",
        )
    check_positive(**{f"decoder_channels {level}": own for level, own in enumerate(given, 1)})
    return tuple(given)
