# SPDX-License-Identifier: Apache-2.0
"""Spheres on a detector's grid of cells: where cells lie, how a sphere is written as four numbers.

A nodule is a sphere (i, j, k, diameter), all in voxels of the network's input; its box is the cube around it.
A detector map has one cell for ``stride`` voxels along each axis, and ``A`` anchors, cubes of fixed size, at
the centre of each cell. Its channels are ordered anchor by anchor:
``[logit, di, dj, dk, log(d / a)] * A``, the offsets in units of the anchor's size a
(Ren et al. 2015, Faster R-CNN, https://arxiv.org/abs/1506.01497, for cubes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .errors import InputError

NUMBERS = 5  # logit, three offsets, size


def cell_centres(count: int, stride: int, *, device: torch.device | None = None) -> Tensor:
    """Voxel coordinates of the centres of ``count`` cells along an axis: (stride - 1) / 2 + stride * index.

    Returns:
        (count,) float32.
    """
    return torch.arange(count, dtype=torch.float32, device=device) * stride + (stride - 1) / 2


def encode_spheres(spheres: Tensor, centres: Tensor, anchors: Tensor) -> Tensor:
    """Write spheres relative to anchors.

    Args:
        spheres: (N, 4) i, j, k, diameter > 0, in voxels.
        centres: (N, 3) centres of the cells.
        anchors: (N,) sizes of the anchors in voxels.

    Returns:
        (N, 4) offsets in units of the anchor, and the log of the diameter in units of the anchor.
    """
    offsets = (spheres[:, :3] - centres) / anchors[:, None]
    return torch.cat([offsets, torch.log(spheres[:, 3:] / anchors[:, None])], dim=1)


def decode_spheres(codes: Tensor, centres: Tensor, anchors: Tensor) -> Tensor:
    """Inverse of :func:`encode_spheres`, always in float32: bfloat16 would round 253.3 voxels to 253.

    The size is limited to 8 anchors, so that an untrained network gives no infinity.

    Args:
        codes: (N, 4) as the network gives them.
        centres: (N, 3).
        anchors: (N,).

    Returns:
        (N, 4) float32 i, j, k, diameter.
    """
    codes, anchors = codes.float(), anchors.float()[:, None]
    size = anchors * torch.exp(codes[:, 3:].clamp(max=math.log(8.0)))
    return torch.cat([centres.float() + codes[:, :3] * anchors, size], dim=1)


def cube_iou(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of the cubes around spheres.

    Args:
        one: (N, 4) i, j, k, diameter.
        other: (M, 4).

    Returns:
        (N, M) in 0-1.
    """
    low = torch.maximum((one[:, :3] - one[:, 3:] / 2)[:, None], (other[:, :3] - other[:, 3:] / 2)[None])
    high = torch.minimum((one[:, :3] + one[:, 3:] / 2)[:, None], (other[:, :3] + other[:, 3:] / 2)[None])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    return shared / (one[:, 3, None] ** 3 + other[None, :, 3] ** 3 - shared)


def check_anchors(anchors: Sequence[float]) -> Tensor:
    """Anchors as a float32 tensor.

    Raises:
        InputError: none, or one that is not positive.
    """
    sizes = torch.as_tensor(list(anchors), dtype=torch.float32)
    if not len(sizes) or not bool((sizes > 0).all()):
        raise InputError(f"anchors {list(anchors)}", remedy="give positive sizes in voxels, e.g. [5, 10, 20]")
    return sizes
