# SPDX-License-Identifier: Apache-2.0
"""How far voxels of a sparsely annotated volume are to be trusted."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def annotation_weights(
    target: np.ndarray, *, annotated_fraction: float, margin: float = 8.0, sparse_weight: float = 0.1
) -> np.ndarray:
    """Weight of each voxel of a label in which a share of the vessels is missing.

    A labelled voxel is a vessel: weight 1. So near one that "unlabelled" is the annotator's decision too: 1.
    Elsewhere it may mean a vessel that nobody drew: ``sparse_weight``. Distances are measured within the
    slices given, three of them in training: a vessel that lies further off across the slices does not
    count, which errs to the side of less weight.

    Args:
        target: (C, h, w) consecutive slices, not 0 where labelled.
        annotated_fraction: annotated share of the vessels, 0-1; 1 (all of them) gives weights of 1.
        margin: largest distance from a labelled voxel, in voxels, centre to centre, that counts as near.
        sparse_weight: weight elsewhere, 0 to ignore it.

    Returns:
        (C, h, w) float32.
    """
    if annotated_fraction >= 1:
        return np.ones(target.shape, np.float32)
    unlabelled = target == 0
    if unlabelled.all():
        return np.full(target.shape, sparse_weight, np.float32)
    distance = ndimage.distance_transform_edt(unlabelled)
    return np.where(distance <= margin, 1.0, sparse_weight).astype(np.float32)
