# SPDX-License-Identifier: Apache-2.0
"""The place and size of a candidate as the mean of all cells that speak of it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..utils.spheres import cube_iou


def vote_spheres(points: Tensor, scores: Tensor, kept: Tensor, *, iou: float) -> Tensor:
    """Average the spheres that suppression would drop into the one that is kept (box voting).

    Neighbouring cells see a nodule too, each with errors of its own, and the one with the highest score need
    not have the smallest. Centres are averaged, and logs of diameters, weighted by score times intersection
    over union (Gidaris and Komodakis 2015, https://arxiv.org/abs/1505.01749, with the overlap as a weight).

    Args:
        points: (N, 4) i, j, k, diameter of all cells.
        scores: (N,), 0-1.
        kept: (n,) indices of the candidates.
        iou: least intersection over union of a voter's cube with the candidate's; each votes for itself.

    Returns:
        (n, 4) float32 i, j, k, diameter, in the order of ``kept``.
    """
    chosen, scores = points[kept], scores.clamp(min=1e-12)
    overlaps = cube_iou(chosen, points)
    weights = torch.where(overlaps >= iou, overlaps, 0.0) * scores
    weights[torch.arange(len(kept)), kept] = scores[kept]
    weights = weights / weights.sum(dim=1, keepdim=True)
    return torch.cat([weights @ points[:, :3], torch.exp(weights @ torch.log(points[:, 3:]))], dim=1)
