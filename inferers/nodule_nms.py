# SPDX-License-Identifier: Apache-2.0
"""One candidate a nodule: non-maximum suppression on the cubes around spheres."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..utils.spheres import cube_iou


def nms_cubes(points: Tensor, scores: Tensor, iou: float, *, most: int | None = None) -> Tensor:
    """Greedy non-maximum suppression.

    The overlaps of all pairs are computed at once (some 40 bytes a pair), then rows of the table are
    combined; MONAI's ``non_max_suppression`` computes them anew for every cube it keeps. The result is the
    same.

    Args:
        points: (N, 4) i, j, k, diameter.
        scores: (N,); of equal ones the first goes first.
        iou: a cube whose intersection over union with a better one that is kept is greater is dropped.
        most: keep no more than so many.

    Returns:
        (n,) int64 indices of those kept, best first, on the CPU.
    """
    points, order = points.cpu(), torch.argsort(scores.cpu(), descending=True, stable=True)
    overlaps = (cube_iou(points[order], points[order]) > iou).numpy()
    kept: list[int] = []
    dropped = np.zeros(len(points), bool)
    for index in range(len(points)):
        if len(kept) == most:
            break
        if not dropped[index]:
            kept.append(index)
            dropped |= overlaps[index]
    return order[kept]
