# SPDX-License-Identifier: Apache-2.0
"""Which classes a slice holds, by a ResNet-18 alone, without a segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from monai.networks.nets import resnet18
from torch import Tensor, nn

from .outputs import MultiTaskOutput
from .resized_network import check_size, resize
from .weights import check_fit, read_state_dict

_CLASSIFIER = "fc."


class SlicePresenceNet(nn.Module):
    """ResNet-18 (He et al., CVPR 2016, https://arxiv.org/abs/1512.03385) for slice-level presence.

    MONAI's ``resnet18`` with the layers of the ImageNet network (stride 2 in the first convolution,
    projection shortcuts without bias), so that names and shapes are those of an ImageNet state dict.
    11,178,051 parameters for three slices and three classes. ImageNet weights expect channels standardised to
    mean 0 and deviation 1.

    Args:
        in_channels: slices in a stack; ImageNet weights need 3.
        presence_classes: classes K, without the background.
        input_size: height and width in pixels that the input is resized to; None keeps its size.
        weights: file with an ImageNet ResNet-18 state dict in torchvision's names, which the user has; all of
            it but the classifier is loaded. Nothing is downloaded. None starts from random weights.

    Raises:
        InputError: for a bad ``input_size``, or if ``weights`` is not a file of such weights.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        presence_classes: int = 3,
        input_size: Sequence[int] | None = (224, 224),
        weights: str | PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.input_size = check_size(input_size, "input_size")
        self.resnet = resnet18(
            spatial_dims=2,
            n_input_channels=in_channels,
            num_classes=presence_classes,
            conv1_t_stride=2,
            shortcut_type="B",
            bias_downsample=False,
        )
        if weights is not None:
            self._load_backbone(weights)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        """Tell which classes the centre slice holds.

        Args:
            image: ``(B, in_channels, H, W)``, floating point, normalised.

        Returns:
            "presence": logits ``(B, presence_classes)``.
        """
        image = image if self.input_size is None else resize(image, self.input_size)
        return MultiTaskOutput(presence=self.resnet(image))

    def _load_backbone(self, path: str | PathLike[str]) -> None:
        own = {n: v for n, v in self.resnet.state_dict().items() if not n.startswith(_CLASSIFIER)}
        state = {n: v for n, v in read_state_dict(path).items() if not n.startswith(_CLASSIFIER)}
        check_fit(own, state, path=path)
        self.resnet.load_state_dict(state, strict=False)
