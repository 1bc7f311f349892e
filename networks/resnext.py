# SPDX-License-Identifier: Apache-2.0
"""ResNeXt-50 and -101 (32x4d) as encoders, from MONAI's ResNet with a bottleneck of groups."""

from __future__ import annotations

import math

from monai.networks.nets.resnet import ResNet, ResNetBottleneck, ResNetFeatures
from torch import nn

from .blocks import check_option
from .image_check import check_positive

RESNEXT_LAYERS = {"resnext50_32x4d": [3, 4, 6, 3], "resnext101_32x4d": [3, 4, 23, 3]}
_GROUPS = 32


class ResNeXtBottleneck(ResNetBottleneck):
    """ResNet's bottleneck with twice the inner channels and a 3x3 convolution in 32 groups.

    At 64 planes that is 32 groups of 4 channels (Xie et al., CVPR 2017, https://arxiv.org/abs/1611.05431).
    MONAI has groups in its squeeze-and-excitation blocks only, which are another network. Fewer groups, the
    most that divide the channels, where there are less than 16 planes or no multiple of 16.

    Args:
        in_planes: channels of the input.
        planes: a quarter of the channels of the output.
        spatial_dims: 2; the argument is there for MONAI, which gives it.
        stride: of the 3x3 convolution.
        downsample: what brings the input to the output's shape, None for nothing.
        norm: MONAI's name of the normalisation; MONAI gives "batch".
    """

    def __init__(
        self,
        in_planes: int,
        planes: int,
        spatial_dims: int = 2,
        stride: int = 1,
        downsample: nn.Module | None = None,
        *,
        norm: str | tuple = "batch",
    ) -> None:
        super().__init__(in_planes, planes, spatial_dims, stride, downsample, norm=norm)
        inner = 2 * planes
        groups = math.gcd(inner, _GROUPS)
        # What MONAI built is replaced by the same with other channels; forward stays MONAI's.
        self.conv1 = nn.Conv2d(in_planes, inner, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, planes * self.expansion, kernel_size=1, bias=False)


class ResNeXtEncoder(ResNetFeatures):
    """The maps of a ResNeXt at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's size.

    Names and shapes are those of torchvision's and timm's state dicts, without the classifier. Parameters at
    ``width=64`` and three channels: ``resnext50_32x4d`` 22,979,904, ``resnext101_32x4d`` 42,128,704. Weights
    start as in MONAI's ResNet: Kaiming normal, fan-out.

    Args:
        backbone: "resnext50_32x4d" or "resnext101_32x4d".
        in_channels: channels of the input.
        width: channels of the first convolution; every other is scaled with it. Files of weights need 64.

    Attributes:
        channels: of the five maps, finest first; ``(64, 256, 512, 1024, 2048)`` at ``width=64``.

    Raises:
        InputError: for another backbone or a number that is not positive.
    """

    def __init__(self, backbone: str = "resnext50_32x4d", *, in_channels: int = 3, width: int = 64) -> None:
        check_option("backbone", backbone, tuple(RESNEXT_LAYERS))
        check_positive(in_channels=in_channels, width=width)
        planes = [width * 2**level for level in range(4)]
        # Past ResNetFeatures, which builds the ResNets it knows by name; its forward is what is wanted here.
        ResNet.__init__(
            self,
            ResNeXtBottleneck,
            RESNEXT_LAYERS[backbone],
            planes,
            spatial_dims=2,
            n_input_channels=in_channels,
            conv1_t_stride=2,
            feed_forward=False,
            bias_downsample=False,
        )
        self.channels = (width, *(own * ResNeXtBottleneck.expansion for own in planes))
