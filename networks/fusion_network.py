# SPDX-License-Identifier: Apache-2.0
"""Several networks as one: the mean of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError
from .outputs import MultiTaskOutput
from .scripting import Scriptable


class FusionNetwork(Scriptable, nn.Module):
    r"""Weighted mean of the members' probabilities, as one network with the members' input and output.

    .. math:: P = \sum_m w_m\,\mathrm{softmax}(z_m), \qquad p = \sum_m w_m\,\sigma(s_m), \qquad \sum_m w_m = 1

    for segmentation logits z and presence logits s. The output is :math:`\ln P` and
    :math:`\ln p - \ln(1 - p)`, so whatever takes an arg-max, a softmax or a sigmoid of a network's output
    gets the fused one. All is computed in float32 on logarithms, which neither overflow nor saturate: finite
    logits stay finite, and slices with p near 1 keep their order.

    Args:
        networks: members, each as :class:`GridUNet`: a dictionary with "segmentation", "presence" or both. A
            member without one of them is left out of that mean.
        weights: one positive number a member, of any sum; equal by default.

    Raises:
        InputError: if there is no member, or if ``weights`` are not one positive number each.
    """

    def __init__(self, networks: Sequence[nn.Module], *, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        if not self.networks:
            raise InputError("this is a fusion of no networks", remedy="Give at least one network.")
        given = [1.0] * len(self.networks) if weights is None else weights
        self.weights = tuple(float(w) for w in given)
        if len(self.weights) != len(self.networks) or not all(0 < w < math.inf for w in self.weights):
            raise InputError(
                f"fusion weights {list(self.weights)} for {len(self.networks)} networks",
                remedy="Give one positive weight a network; leave a network out instead of weighing it 0.",
            )

    @property
    def in_channels(self) -> int:
        """Slices in a stack, as the first member says."""
        return self.networks[0].in_channels

    def forward(self, image: Tensor) -> MultiTaskOutput:
        """Run every member and fuse.

        Args:
            image: ``(B, num_slices, H, W)``, floating point.

        Returns:
            "segmentation": log-probabilities ``(B, C, H, W)``; "presence": logits ``(B, K)``; float32; each
            only if some member gives it.

        Raises:
            InputError: if the members' outputs differ in shape.
        """
        outputs = [network(image) for network in self.networks]
        fused = MultiTaskOutput()
        segmentation, weights = self._members(outputs, "segmentation")
        if segmentation:
            fused["segmentation"] = _log_mean([F.log_softmax(z, dim=1) for z in segmentation], weights)
        presence, weights = self._members(outputs, "presence")
        if presence:
            present = _log_mean([F.logsigmoid(z) for z in presence], weights)
            fused["presence"] = present - _log_mean([F.logsigmoid(-z) for z in presence], weights)
        return fused

    def _members(
        self, outputs: Sequence[dict[str, Tensor]], key: str
    ) -> tuple[list[Tensor], tuple[float, ...]]:
        """The outputs that have ``key``, in float32, and their weights with sum 1."""
        found = [(out[key].float(), w) for out, w in zip(outputs, self.weights, strict=True) if key in out]
        shapes = [tuple(maps.shape) for maps, _ in found]
        if any(shape != shapes[0] for shape in shapes):
            raise InputError(
                f"the fused networks disagree on the shape of '{key}': {', '.join(map(str, shapes))}",
                remedy="Fuse networks with the same classes only.",
            )
        total = sum(w for _, w in found)
        return [maps for maps, _ in found], tuple(w / total for _, w in found)


def _log_mean(log_probabilities: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    terms = [p + math.log(w) for p, w in zip(log_probabilities, weights, strict=True)]
    return torch.logsumexp(torch.stack(terms), dim=0)
