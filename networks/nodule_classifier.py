# SPDX-License-Identifier: Apache-2.0
"""Small 3D network for the second stage: is a candidate a nodule."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.data import MetaTensor
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError
from .image_check import check_positive
from .residual_blocks_3d import ConvNorm, ResidualBlock3d, check_lengths, check_volume, initialise_3d


class NoduleClassifier(nn.Module):
    """Residual blocks (He et al., CVPR 2016) with max-pools between them, global pooling, one logit.

    The default has 884,289 parameters and takes 0.63 GFLOP a crop of 32^3. Its score is meant to be fused
    with the detector's, which has seen the surroundings.

    Args:
        size: voxels of a crop along each axis, a multiple of 8; the candidate's centre lies in the middle.
        channels: widths at 1, 1/2, 1/4 and 1/8 of the resolution.
        dropout: probability for each of the pooled features.
        zoom: let the network see the crop's inner half at twice the size beside it: a second channel, for
            small nodules.

    Raises:
        InputError: if the size is no multiple of 8, or there are not four widths.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        channels: Sequence[int] = (16, 32, 64, 128),
        dropout: float = 0.3,
        zoom: bool = False,
    ) -> None:
        super().__init__()
        check_positive(size=size)
        check_lengths(channels=(channels, 4))
        if size % 8:
            raise InputError(f"size is {size}", remedy="Give a multiple of 8.")
        self.size = size
        self.zoom = zoom
        c1, c2, c3, c4 = channels
        self.features = nn.Sequential(
            ConvNorm(1 + zoom, c1),
            nn.MaxPool3d(2),
            ResidualBlock3d(c1, c2),
            nn.MaxPool3d(2),
            ResidualBlock3d(c2, c3),
            nn.MaxPool3d(2),
            ResidualBlock3d(c3, c4),
        )
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(c4, 1)
        self.apply(initialise_3d)

    def forward(self, crops: Tensor) -> Tensor:
        """Logits of candidates.

        Args:
            crops: (B, 1, size, size, size) floating point, -1 to 1.

        Returns:
            (B, 1) logits.

        Raises:
            InputError: for crops of another shape.
        """
        check_volume(crops, divisor=self.size)
        if crops.shape[2:] != (self.size,) * 3:
            raise InputError(f"crops of {tuple(crops.shape[2:])} voxels", remedy=f"Give {self.size} an axis.")
        crops = crops.as_tensor() if isinstance(crops, MetaTensor) else crops
        if self.zoom:
            crops = torch.cat([crops, _inner_half(crops)], dim=1)
        return self.classify(self.dropout(self.features(crops).mean(dim=(2, 3, 4))))


def _inner_half(crops: Tensor) -> Tensor:
    size = crops.shape[-1]
    quarter = size // 4
    inner = crops[..., quarter : size - quarter, quarter : size - quarter, quarter : size - quarter]
    return F.interpolate(inner, scale_factor=2, mode="trilinear", align_corners=False)
