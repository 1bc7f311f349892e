# SPDX-License-Identifier: Apache-2.0
"""From a detector's map to spheres: the best logits first, and only those decoded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..utils import InputError
from ..utils.spheres import NUMBERS, decode_spheres


def decode_candidates(
    output: Tensor,
    *,
    anchors: Tensor,
    stride: int,
    shape: Sequence[int],
    min_probability: float = 0.05,
    top_k: int = 1000,
) -> tuple[Tensor, Tensor]:
    """Spheres of a map, best first, in float32 whatever the network computed in.

    Args:
        output: (1, 5 * A, d0, d1, d2), channels as in ``utils/spheres.py``.
        anchors: (A,) sizes in voxels.
        stride: voxels a cell.
        shape: (H, W, D) of the grid; spheres whose centre lies outside its voxels are left out.
        min_probability: those below are left out.
        top_k: no more than so many are decoded; of equal logits the first cells go first.

    Returns:
        (N, 4) i, j, k, diameter in voxels and (N,) probabilities, descending, float32 on the CPU.

    Raises:
        InputError: the map has other channels, or numbers that are not finite.
    """
    if output.ndim != 5 or output.shape[:2] != (1, NUMBERS * len(anchors)):
        raise InputError(
            f"detector output of shape {tuple(output.shape)} for {len(anchors)} anchor(s)",
            remedy=f"Give the network as many anchors: {NUMBERS} channels each.",
        )
    cells = output.detach()[0].unflatten(0, (len(anchors), NUMBERS))
    logits = cells[:, 0].float().cpu().flatten()
    best = _best(logits, least=torch.tensor(min_probability).logit().item(), most=top_k)
    anchor, *place = torch.unravel_index(best, (len(anchors), *output.shape[2:]))
    codes = cells.movedim(1, -1)[(anchor.to(output.device), *(axis.to(output.device) for axis in place))]
    codes = codes[:, 1:].float().cpu()
    _check_finite(logits, codes)
    centres = torch.stack(place, dim=1) * float(stride) + (stride - 1) / 2
    points = decode_spheres(codes, centres, anchors.cpu()[anchor])
    inside = (points[:, :3] >= -0.5) & (points[:, :3] <= torch.tensor(shape) - 0.5)
    inside = inside.all(dim=1)
    return points[inside], logits[best].sigmoid()[inside]


def _best(logits: Tensor, *, least: float, most: int) -> Tensor:
    """Indices of the greatest, descending; ties by index, also at the cut, which ``topk`` leaves open."""
    places = (logits >= least).nonzero()[:, 0]
    if len(places) > most:
        last = logits[places].topk(most).values[-1]
        places = places[logits[places] >= last]
    return places[torch.argsort(logits[places], descending=True, stable=True)[:most]]


def _check_finite(logits: Tensor, codes: Tensor) -> None:
    if not bool(logits.isfinite().all()) or not bool(codes.isfinite().all()):
        raise InputError(
            "the detector's output is not finite",
            remedy="Its weights or running averages are damaged, or the image holds NaN.",
        )
