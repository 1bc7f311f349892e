# SPDX-License-Identifier: Apache-2.0
"""What is exported of a network, whatever the format: named tensors in, named tensors out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..utils import InputError

SINGLE_OUTPUT = "pred"
# Below this the coarsest maps have one pixel, which torch.export takes for a fixed size.
SMALLEST_FREE_SIZE = 33
_AXES = ("batch", "channel", "height", "width", "depth")


class ExportForm(nn.Module):
    """A network in evaluation mode with nothing but tensors as arguments.

    What a network says of itself: ``in_channels``; ``divisor`` or ``total_stride``, of which its spatial
    sizes are multiples (default 1); ``spatial_dims`` (default 2); ``export_options``, keywords that its
    ``forward`` is called with. A ``forward`` with an argument ``box`` (:class:`NoduleDetector`) keeps it.

    Args:
        network: is set to evaluation mode.

    Attributes:
        input_names: "image", and "box" where the network takes one.
        divisor: of which the spatial sizes are multiples.

    Raises:
        InputError: for a network that does not say its ``in_channels``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        if not hasattr(network, "in_channels"):
            raise InputError(
                f"{type(network).__name__} cannot be exported: it does not say its in_channels",
                remedy="docs/export.md names the networks that can be.",
            )
        self.network = network.eval()
        self.in_channels = int(network.in_channels)
        self.divisor = size_divisor(network)
        self.spatial_dims = int(getattr(network, "spatial_dims", 2))
        self.options: dict[str, Any] = dict(getattr(network, "export_options", {}))
        self.input_names = ("image", "box") if takes_box(network) else ("image",)

    def forward(self, image: Tensor, box: Tensor | None = None) -> Tensor | dict[str, Tensor]:
        """The network's answer, dictionaries as plain ones.

        Args:
            image: ``(B, in_channels, H, W)`` or ``(B, in_channels, H, W, D)``.
            box: ``(B, 6)``, only for a network that takes one.
        """
        output = self.network(image, **self.options) if box is None else self.network(image, box)
        return dict(output) if isinstance(output, Mapping) else output

    def example(
        self, batch: int = 2, *, sizes: Sequence[int] = (3, 2, 2), seed: int = 0
    ) -> tuple[Tensor, ...]:
        """Random inputs on the network's device.

        Args:
            batch: of the image.
            sizes: spatial sizes in units of ``divisor``, or of 20 pixels where any size will do.
            seed: of the numbers.

        Returns:
            One tensor an input name.
        """
        unit = self.divisor if self.divisor > 1 else 20
        shape = (batch, self.in_channels, *(size * unit for size in sizes[: self.spatial_dims]))
        image = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        values = (image, whole_box(batch)) if len(self.input_names) > 1 else (image,)
        device = next(self.network.parameters()).device
        return tuple(value.to(device) for value in values)

    def dynamic_shapes(self) -> dict[str, dict[int, Any]]:
        """Free batch and sizes for ``torch.export``, by input name: sizes are multiples of the divisor."""
        batch = torch.export.Dim("batch", min=1)
        free: dict[int, Any] = {0: batch}
        for axis in range(2, 2 + self.spatial_dims):
            name = _AXES[axis]
            if self.divisor == 1:
                free[axis] = torch.export.Dim(name, min=SMALLEST_FREE_SIZE)
            else:  # two steps at least, for the same reason
                free[axis] = self.divisor * torch.export.Dim(f"{name}_{self.divisor}", min=2)
        return {name: free if name == "image" else {0: batch} for name in self.input_names}


def takes_box(network: nn.Module) -> bool:
    """Whether a network's ``forward`` has an argument ``box``."""
    return "box" in inspect.signature(network.forward).parameters


def size_divisor(network: nn.Module) -> int:
    """Of what a network's spatial sizes are multiples."""
    return int(getattr(network, "divisor", getattr(network, "total_stride", 1)))


def whole_box(batch: int) -> Tensor:
    """The box ``(batch, 6)`` of images that are the whole lung box, see :func:`box_coordinates`."""
    return torch.tensor([[-0.5] * 3 + [0.5] * 3]).expand(batch, 6).contiguous()
