# SPDX-License-Identifier: Apache-2.0
"""Connected components of a volume that is given slab by slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from scipy import ndimage, sparse


@dataclass(frozen=True)
class ComponentStats:
    """What was kept and removed, in components and in voxels.

    Args:
        kept: components kept.
        removed: components removed.
        kept_voxels: voxels of those kept.
        removed_voxels: voxels of those removed.
    """

    kept: int
    removed: int
    kept_voxels: int
    removed_voxels: int


@dataclass
class SlabLabelling:
    """Components of a volume whose slabs are added one after the other.

    Args:
        reach: 1, 2 or 3: voxels touch where they differ by one along at most so many axes.
        strength: voxels of at least this code are counted as strong.

    Attributes:
        per_slab: number of components of each slab.
    """

    reach: int
    strength: int
    per_slab: list[int] = field(default_factory=list)
    voxels: list[np.ndarray] = field(default_factory=list)
    strong: list[np.ndarray] = field(default_factory=list)
    edges: list[np.ndarray] = field(default_factory=list)
    last: np.ndarray | None = None  # labels over the whole volume of the slice before, from 1

    def label(self, codes: np.ndarray) -> tuple[np.ndarray, int]:
        """Label the components of one slab for itself: labels from 1, and their number."""
        return ndimage.label(codes, structure=ndimage.generate_binary_structure(3, self.reach))

    def add(self, codes: np.ndarray) -> None:
        """Add the next slab: (dz, Y, X) uint8, 0 outside components."""
        labels, count = self.label(codes)
        start = sum(self.per_slab)
        self.voxels.append(np.bincount(labels[codes > 0], minlength=count + 1)[1:])
        self.strong.append(np.bincount(labels[codes >= self.strength], minlength=count + 1)[1:])
        first, last = (np.where(plane > 0, plane + np.int64(start), 0) for plane in (labels[0], labels[-1]))
        if self.last is not None:
            self.edges += [_pairs(self.last, first, *shift) for shift in _shifts(self.reach)]
        self.per_slab.append(count)
        self.last = last

    def decide(self, at_least: int) -> tuple[np.ndarray, ComponentStats]:
        """Say for each label whether it is kept, and count components."""
        total = sum(self.per_slab)
        if not total:
            return np.zeros(0, dtype=bool), ComponentStats(0, 0, 0, 0)
        pairs = np.concatenate([np.zeros((0, 2), dtype=np.int64), *self.edges]) - 1
        graph = sparse.coo_matrix((np.ones(len(pairs), bool), pairs.T), shape=(total, total))
        count, group = sparse.csgraph.connected_components(graph, directed=False)
        strong, voxels = (
            np.bincount(group, weights=np.concatenate(counts), minlength=count)
            for counts in (self.strong, self.voxels)
        )
        keep = strong >= at_least
        kept, kept_voxels = int(keep.sum()), int(voxels[keep].sum())
        return keep[group], ComponentStats(kept, count - kept, kept_voxels, int(voxels.sum()) - kept_voxels)


def _shifts(reach: int) -> Iterator[tuple[int, int]]:
    """Where in the next slice the neighbours of a voxel lie, in rows and columns."""
    return ((dy, dx) for dy, dx in product((-1, 0, 1), repeat=2) if abs(dy) + abs(dx) < reach)


def _pairs(above: np.ndarray, below: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Labels that touch: (n, 2), each pair once."""
    height, width = above.shape
    one = above[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
    other = below[max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
    both = (one > 0) & (other > 0)
    return np.unique(np.stack([one[both], other[both]], axis=1), axis=0)
