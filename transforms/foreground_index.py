# SPDX-License-Identifier: Apache-2.0
"""Where a volume too large to list is labelled, so that voxels of vessels can be drawn."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..utils import InputError

Box = tuple[slice, slice, slice]


class BoxVolume(Protocol):
    """What a transform needs of a volume: its shape (Z, Y, X) and boxes of it."""

    shape: tuple[int, int, int]

    def read(self, box: Box) -> np.ndarray:
        """Voxels of a box within the volume."""


class BlockIndex:
    """Numbers of labelled voxels in the blocks of a volume.

    A voxel is drawn in two steps: the block by its number, then one of its voxels. All labelled voxels of the
    volume are as likely, and only one block is read. The index of a volume of 2.7 Gvoxel has 83,000 blocks of
    32^3.

    Args:
        counts: (Z, Y, X) labelled voxels in each block.
        block: edge of a block, voxels.
        shape: (Z, Y, X) of the volume.
    """

    def __init__(self, counts: np.ndarray, *, block: int, shape: Sequence[int]) -> None:
        self.grid = counts.shape
        self.upto = np.cumsum(counts, dtype=np.int64)
        self.block = block
        self.shape = tuple(shape)

    @property
    def total(self) -> int:
        """Labelled voxels of the volume."""
        return int(self.upto[-1])

    def voxel(self, label: BoxVolume, number: int) -> tuple[int, int, int]:
        """Find labelled voxel ``number`` in [0, total), in the order of blocks."""
        block = int(np.searchsorted(self.upto, number, side="right"))
        before = int(self.upto[block - 1]) if block else 0
        starts = [int(place) * self.block for place in np.unravel_index(block, self.grid)]
        box = tuple(
            slice(start, min(start + self.block, size))
            for start, size in zip(starts, self.shape, strict=True)
        )
        values = label.read(box)
        inside = np.unravel_index(np.flatnonzero(values)[number - before], values.shape)
        return tuple(start + int(place) for start, place in zip(starts, inside, strict=True))


def index_foreground(label: BoxVolume, *, block: int = 32) -> BlockIndex:
    """Count labelled voxels in blocks, in one pass over the volume, a layer of blocks at a time.

    Args:
        label: 0 where unlabelled.
        block: edge of a block, voxels.
    """
    shape = tuple(label.shape)
    edges = [np.arange(0, size, block) for size in shape]
    counts = np.zeros([len(part) for part in edges], np.int64)
    for layer, start in enumerate(edges[0]):
        box = (slice(int(start), min(int(start) + block, shape[0])), slice(0, shape[1]), slice(0, shape[2]))
        flat = np.count_nonzero(label.read(box), axis=0)
        counts[layer] = np.add.reduceat(np.add.reduceat(flat, edges[1], axis=0), edges[2], axis=1)
    return BlockIndex(counts, block=block, shape=shape)


class IndexForegroundd(MapTransform):
    """Add the index of a label volume to the sample, to be kept with it between epochs.

    ``RandStackPatchesd`` makes its own where there is none, once for each volume and each worker.

    Args:
        keys: label key.
        index_key: key of the index.
        block: edge of a block, voxels.
        allow_missing_keys: do not raise where the label is absent.

    Raises:
        InputError: ``block`` is not positive.
    """

    def __init__(
        self,
        keys: KeysCollection = "label",
        *,
        index_key: str = "foreground",
        block: int = 32,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if block < 1:
            raise InputError(f"blocks of {block} voxels", remedy="give an edge of at least 1")
        self.index_key = index_key
        self.block = block

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add "foreground"."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[self.index_key] = index_foreground(result[key], block=self.block)
        return result
