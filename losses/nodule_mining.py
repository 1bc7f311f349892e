# SPDX-License-Identifier: Apache-2.0
"""Which negatives a detection loss looks at: a random pool of each crop, then the hardest of the batch.

Almost all of a detector's hundred thousands of spheres a crop are negatives, and easy ones. Level 0 draws a
pool of them at random, so that neighbours of one look-alike do not fill what level 1 takes: those of the pool
with the highest scores (Liao et al. 2019, https://arxiv.org/abs/1711.08324).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .nodule_targets import NEGATIVE


def draw_pool(state: Tensor, count: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Level 0: draw negatives of every crop, each with the same chance.

    Args:
        state: (B, ...) as ``NoduleAssignment.state``.
        count: negatives a crop; all of them where there are fewer.
        generator: of the state's device; None: torch's own.

    Returns:
        (N,) int64 indices into ``state.flatten()``, N <= B * count.
    """
    crops = state.flatten(1)
    keys = torch.rand(crops.shape, generator=generator, device=state.device)
    keys.masked_fill_(crops != NEGATIVE, -1)
    keys, places = keys.topk(min(count, crops.shape[1]), dim=1)
    starts = torch.arange(len(crops), device=state.device)[:, None] * crops.shape[1]
    return (places + starts)[keys >= 0]


def hardest(logits: Tensor, count: int) -> Tensor:
    """Level 1: the negatives with the highest scores.

    Args:
        logits: (N,) of the pool of the whole batch.
        count: how many; all where there are fewer.

    Returns:
        (min(N, count),) int64 indices, hardest first.
    """
    return logits.detach().topk(min(count, len(logits))).indices
