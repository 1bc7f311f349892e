# SPDX-License-Identifier: Apache-2.0
"""Nodules drawn as balls: masks for the segmentation arms where only centres and diameters are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def draw_spheres(rows: Tensor, shape: Sequence[int]) -> Tensor:
    """Draw the nodules of a label.

    A voxel belongs to a nodule where its centre is at most half a diameter away; the voxel nearest to a
    nodule's centre always does, so that none is lost.

    Args:
        rows: (N, 4) i, j, k, diameter in voxels, or (N, 5) with a kind, of which only kind 1 is drawn.
        shape: (D0, D1, D2) of the grid.

    Returns:
        (1, D0, D1, D2) uint8, 0 or 1.
    """
    mask = torch.zeros(1, *shape, dtype=torch.uint8)
    for row in rows.detach().double().cpu():
        if len(row) == 4 or row[4] == 1:
            _draw(mask[0], row[:3].tolist(), float(row[3]) / 2)
    return mask


def _draw(mask: Tensor, centre: Sequence[float], radius: float) -> None:
    # centre.5 lies between two voxels, both as near
    nearest = sum((round(place) - place) ** 2 for place in centre)
    limit = max(radius**2, nearest) + 1e-9
    reach = math.sqrt(limit)
    lines, box = [], []
    for place, size in zip(centre, mask.shape, strict=True):
        first, last = max(math.ceil(place - reach), 0), min(math.floor(place + reach), size - 1)
        if last < first:
            return
        box.append(slice(first, last + 1))
        lines.append((torch.arange(first, last + 1, dtype=torch.float64) - place) ** 2)
    ball = lines[0][:, None, None] + lines[1][:, None] + lines[2] <= limit
    mask[tuple(box)] |= ball.to(mask.dtype)
