# SPDX-License-Identifier: Apache-2.0
"""Which classes each slice of a stack holds: a ResNet slice by slice, then what the neighbours say."""

from __future__ import annotations

from os import PathLike
from typing import ClassVar, Self

import torch
from monai.networks.nets import resnet18, resnet34
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError
from .blocks import check_option
from .outputs import MultiTaskOutput
from .scripting import Scriptable
from .weights import check_fit, read_state_dict

_BACKBONES = {"resnet18": resnet18, "resnet34": resnet34}
_IMAGENET_CLASSES = 1000
_TO_LAYER4 = ("conv1", "bn1", "act", "maxpool", "layer1", "layer2", "layer3", "layer4")


class SliceClassifier(Scriptable, nn.Module):
    """ResNet-34 (He et al., CVPR 2016, https://arxiv.org/abs/1512.03385) with a head for several classes.

    The network of PengWenChen/DLCV-Fall-2020 (final project "ebyefan"): the ImageNet network with its 1000
    outputs kept, then Linear 1000-256, batch norm, ReLU, dropout, Linear 256-5. 22,055,725 parameters, the
    head's 258,053, without context. MONAI's ``resnet34`` with the layers of the ImageNet network: stride 2 in
    the first convolution (MONAI's default of 1 costs four times as much), projection shortcuts without bias.

    Every slice of a stack goes through the ResNet once; ``context`` then works on the logits and features of
    the slices. A stack of one slice is not given to it.

    Args:
        num_classes: K.
        channels_per_slice: C. One channel is shown to the ResNet three times, without a copy. ImageNet
            weights need 1 or 3.
        backbone: "resnet34" or "resnet18".
        hidden: width of the head.
        dropout: probability in the head.
        context: :class:`KernelContext`, :class:`LearnedKernelContext`, :class:`GRUContext` or None.
        freeze: train the context alone: the rest keeps its weights, its batch norm and dropout stay in
            evaluation mode.
        imagenet_weights: file with an ImageNet state dict of the backbone in torchvision's names, which the
            user has; it is loaded whole. Nothing is downloaded. None starts from random weights.

    Raises:
        InputError: for another backbone, or if ``imagenet_weights`` is not a file of such weights.
    """

    export_options: ClassVar = {"cam": True}

    def __init__(
        self,
        *,
        num_classes: int = 5,
        channels_per_slice: int = 1,
        backbone: str = "resnet34",
        hidden: int = 256,
        dropout: float = 0.5,
        context: nn.Module | None = None,
        freeze: bool = False,
        imagenet_weights: str | PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        check_option("backbone", backbone, tuple(_BACKBONES))
        if channels_per_slice < 1:
            raise InputError(f"channels_per_slice is {channels_per_slice}", remedy="Give a positive number.")
        self.channels_per_slice = self.in_channels = channels_per_slice
        self.resnet = _BACKBONES[backbone](
            spatial_dims=2,
            n_input_channels=3 if channels_per_slice == 1 else channels_per_slice,
            num_classes=_IMAGENET_CLASSES,
            conv1_t_stride=2,
            shortcut_type="B",
            bias_downsample=False,
        )
        self.head = nn.Sequential(
            nn.Linear(_IMAGENET_CLASSES, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        self.context = context
        self.freeze = freeze
        for part in (self.resnet, self.head):
            part.requires_grad_(not freeze).train(not freeze)
        if imagenet_weights is not None:
            state = read_state_dict(imagenet_weights)
            check_fit(self.resnet.state_dict(), state, path=imagenet_weights)
            self.resnet.load_state_dict(state, strict=False)  # the check above was the strict one

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; what is frozen stays in evaluation mode."""
        super().train(mode)
        for part in (self.resnet, self.head):
            part.train(mode and not self.freeze)
        return self

    def forward(
        self, image: Tensor, cam: bool = False, *, positions_mm: Tensor | None = None
    ) -> MultiTaskOutput:
        """Classify the T slices of each stack.

        Args:
            image: ``(B, T * C, H, W)``, floating point in [0, 1], the first slice's channels first.
            cam: add heat maps; in evaluation mode and for T = 1 only.
            positions_mm: ``(T,)``, places of the slices along the normal in mm, for the context.

        Returns:
            "logits" ``(B, K, T)``, with context where there is one and T > 1; "slice_logits" ``(B, K, T)``,
            each slice's own; "features" ``(B, 512, T)``, pooled; "cam" ``(B, K, h, w)``, see
            :meth:`heat_maps`.

        Raises:
            InputError: if the channels are not those of whole slices, for one slice in training mode (batch
                norm needs two), or for heat maps of stacks or while training.
        """
        slices = self._split(image)
        if cam and (self.head.training or slices.shape[0] != image.shape[0]):
            raise InputError("heat maps are of one slice, in evaluation mode", remedy="Leave cam off here.")
        maps = self._maps(slices)
        features = maps.mean(dim=(-2, -1))
        slice_logits = _join(self._classify(features), image.shape[0])
        features = _join(features, image.shape[0])
        result = MultiTaskOutput(logits=slice_logits, slice_logits=slice_logits, features=features)
        if self.context is not None and slice_logits.shape[-1] > 1:
            result["logits"] = self.context(slice_logits, features, positions_mm=positions_mm)
        if cam:
            result["cam"] = self.heat_maps(maps)
        return result

    def heat_maps(self, maps: Tensor) -> Tensor:
        r"""Grad-CAM of each class, from the last maps of the ResNet.

        .. math:: \mathrm{ReLU}\Big(\sum_c A_c \, \tfrac{1}{hw} \sum_{ij} \partial z_k / \partial A_{cij}\Big)

        for the logit z of class k. Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391. The maps A
        are only averaged before they are vectors, so the gradient is the same at every pixel. Behind the
        average lie two linear layers, batch norm, ReLU and a linear layer: their gradient is a product of
        matrices, where the units that ReLU shuts count 0, and so exported networks have heat maps too.
        Evaluation mode only: batch norm would mix the slices.

        Args:
            maps: ``(N, 512, h, w)``, of layer4.

        Returns:
            ``(N, K, h, w)`` float32, not negative, not normalised.
        """
        first, norm, _, _, last = self.head
        with torch.no_grad():
            hidden = norm(first(self.resnet.fc(maps.mean(dim=(-2, -1)))))
            with torch.autocast(maps.device.type, enabled=False):
                scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
                slopes = last.weight * (scale * (hidden > 0)).unsqueeze(1)
                weights = (slopes @ first.weight @ self.resnet.fc.weight).float()
                weights = weights / (maps.shape[-2] * maps.shape[-1])
                return F.relu(torch.einsum("nkc,nchw->nkhw", weights, maps.float()))

    def _split(self, image: Tensor) -> Tensor:
        """``(B, T * C, H, W)`` to ``(B * T, 3 or C, H, W)``."""
        slices, rest = divmod(int(image.shape[1]), self.channels_per_slice)
        if rest or not slices:
            raise InputError(
                f"input has {image.shape[1]} channels, slices have {self.channels_per_slice}",
                remedy="Give channels_per_slice the number that the windows and neighbours make.",
            )
        if self.head.training and image.shape[0] * slices == 1:
            raise InputError("one slice is too few for batch norm in training", remedy="Raise batch_size.")
        image = image.reshape(-1, self.channels_per_slice, *image.shape[-2:])
        return image.expand(-1, 3, -1, -1) if self.channels_per_slice == 1 else image

    def _maps(self, slices: Tensor) -> Tensor:
        for name in _TO_LAYER4:
            slices = getattr(self.resnet, name)(slices)
        return slices

    def _classify(self, features: Tensor) -> Tensor:
        return self.head(self.resnet.fc(features))


def _join(values: Tensor, batch: int) -> Tensor:
    """``(B * T, n)`` to ``(B, n, T)``."""
    return values.reshape(batch, -1, values.shape[-1]).transpose(1, 2)
