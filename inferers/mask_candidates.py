# SPDX-License-Identifier: Apache-2.0
"""Candidates of a segmentation: each connected part of its mask as a sphere with a probability."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from scipy import ndimage
from torch import Tensor

from ..transforms.ct_window import WATER, gray_to_input
from ..utils import InputError
from .component_spheres import component_spheres
from .nodule_padding import check_lung_box

PLANES = 16  # rows of the scan whose probabilities are float32 at a time


class MaskCandidates(Inferer):
    """Let a segmentation network, 2D or 3D, speak of nodules as a detector does.

    The mask is where the probability reaches ``threshold``; its parts (26 neighbours) are candidates: centre
    weighted by probability, diameter of the sphere of equal volume, and the mean probability of the part,
    which unlike its maximum is not 1 for every part that is sure somewhere.

    An 8-bit scan is given to ``inferer`` as float16 and each window to the network as float32, -1 to 1: a
    float32 copy of the scan is never made. In the inferer's own padding, 0 stands for water then.

    Args:
        inferer: gives logits (1, C, H, W, D) at the size of the scan; MONAI's ``SlidingWindowInferer`` for 3D
            networks, its ``SliceInferer`` (``spatial_dim`` 2 for axial slices) for 2D ones.
        threshold: probability, 0-1.
        min_diameter: smaller parts are left out; in voxels.
        activation: logits to probabilities: "sigmoid", "softmax" over the channels, or None for an output
            that is one already.
        channel: of the nodules.
        score: "mean" or "max" of a part's probabilities.
        max_candidates: the best so many are given.

    Raises:
        InputError: for an unknown activation or score, or a threshold outside 0-1.
    """

    def __init__(
        self,
        inferer: Inferer,
        *,
        threshold: float = 0.5,
        min_diameter: float = 2.0,
        activation: str | None = "sigmoid",
        channel: int = -1,
        score: str = "mean",
        max_candidates: int = 100,
    ) -> None:
        super().__init__()
        if activation not in ("sigmoid", "softmax", None) or score not in ("mean", "max"):
            raise InputError(
                f"activation {activation!r}, score {score!r}",
                remedy='Give "sigmoid", "softmax" or null; "mean" or "max".',
            )
        if not 0 < threshold <= 1:
            raise InputError(f"threshold is {threshold}", remedy="Give a probability, above 0.")
        self.inferer = inferer
        self.threshold = threshold
        self.min_diameter = min_diameter
        self.activation = activation
        self.channel = channel
        self.score = score
        self.max_candidates = max_candidates

    def __call__(
        self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Segment a scan and list the parts.

        Args:
            inputs: (1, 1, H, W, D) lung box, uint8 gray, or floats from -1 to 1.
            network: windows (B, 1, ...) to logits (B, C, ...).
            args: for ``inferer``.
            kwargs: for ``inferer``.

        Returns:
            On the CPU, best first: "points" float32 (N, 4) i, j, k, diameter in voxels, "probability" float32
            (N,), the same as "detector", and "mask" uint8 (1, H, W, D) of the listed parts.

        Raises:
            InputError: for another image, or an output of another size or that is not finite.
        """
        output = self._infer(check_lung_box(inputs), network, *args, **kwargs)
        mask = np.empty(tuple(inputs.shape[2:]), bool)
        for rows, probability in self._probabilities(output):
            mask[rows] = probability >= self.threshold
        labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        del mask
        spheres, mean, greatest = component_spheres(labels, count, self._probabilities(output))
        score = mean if self.score == "mean" else greatest
        order = np.argsort(-score, kind="stable")
        order = order[spheres[order, 3] >= self.min_diameter][: self.max_candidates]
        listed = np.zeros(count + 1, np.uint8)
        listed[order + 1] = 1
        probability = torch.from_numpy(score[order]).float()
        return {
            "points": torch.from_numpy(spheres[order]).float(),
            "probability": probability,
            "detector": probability.clone(),
            "mask": torch.from_numpy(listed[labels])[None],
        }

    @torch.no_grad()
    def _infer(self, image: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Tensor:
        if image.dtype == torch.uint8:
            # MONAI's windows are blended in the type of the input
            output = self.inferer(image.half() - WATER, _from_water(network), *args, **kwargs)
        else:
            output = self.inferer(image, network, *args, **kwargs)
        if not isinstance(output, Tensor) or output.ndim != 5 or output.shape[2:] != image.shape[2:]:
            found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise InputError(
                f"the segmentation is {found} for an image of {tuple(image.shape)}",
                remedy="Give an inferer and a network that keep the size: logits (1, C, H, W, D).",
            )
        return output.as_tensor() if hasattr(output, "as_tensor") else output

    def _probabilities(self, output: Tensor) -> Iterator[tuple[slice, np.ndarray]]:
        """Some rows at a time, and their probabilities float32 (rows, W, D)."""
        for start in range(0, output.shape[2], PLANES):
            logits = output[0, :, start : start + PLANES].float().cpu()
            if not bool(logits.isfinite().all()):
                raise InputError(
                    "the segmentation is not finite",
                    remedy="The network's weights are damaged.",
                )
            if self.activation == "softmax":
                logits = logits.softmax(dim=0)
            chosen = logits[self.channel]
            probability = chosen.sigmoid() if self.activation == "sigmoid" else chosen
            yield slice(start, start + PLANES), probability.numpy()


def _from_water(network: Callable[..., Any]) -> Callable[..., Any]:
    """The network for windows whose 0 is water; its logits stay within what float16 can add up."""

    def forward(window: Tensor, *args: Any, **kwargs: Any) -> Any:
        output = network(gray_to_input(window.float() + WATER), *args, **kwargs)
        return output.clamp(-1000, 1000) if isinstance(output, Tensor) else output

    return forward
