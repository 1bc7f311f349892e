# SPDX-License-Identifier: Apache-2.0
"""Scans of known functions of the world, stored in any direction."""

import numpy as np
import torch
from monai.data import MetaTensor

from tomobundles.utils.world import RAS_TO_LPS, voxel_to_world


def affine_of(direction, spacing, shape, centre=(0.0, 0.0, 0.0)):
    """RAS affine of an array whose middle lies at ``centre`` (LPS mm); columns of ``direction`` are LPS."""
    affine = np.eye(4)
    linear = np.asarray(direction, float) * spacing
    affine[:3, :3] = RAS_TO_LPS @ linear
    affine[:3, 3] = RAS_TO_LPS @ (np.asarray(centre) - linear @ ((np.asarray(shape) - 1) / 2))
    return affine


def stored(function, affine, shape, *, dtype=torch.float32, **meta):
    """A scan (1, H, W, D) of ``function`` of LPS points (N, 3), slices contiguous."""
    places = np.indices(shape).reshape(3, -1).T
    values = torch.from_numpy(function(voxel_to_world(places, affine)).reshape(shape)).to(dtype)
    values = values.permute(2, 0, 1).contiguous().permute(1, 2, 0)[None]
    return MetaTensor(values, affine=torch.from_numpy(affine), meta=meta)


def ball(places, centre, diameter, *, light=200.0):
    """Soft ball on places (..., 3): ``light`` inside, a border of one voxel, 0 outside."""
    distance = np.linalg.norm(places - np.asarray(centre, float), axis=-1)
    return light * np.clip(diameter / 2 - distance + 0.5, 0, 1)
