# SPDX-License-Identifier: Apache-2.0
"""Random 2.5D patches out of volumes that are not in memory."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable
from monai.transforms.traits import MultiSampleTrait

from ..utils import InputError
from .foreground_index import BlockIndex, BoxVolume, index_foreground
from .oblique import read_oblique, read_patch, rotation_matrix
from .slice_stacks import stack_offsets
from .sparse_weights import annotation_weights

AXES = "zyx"


class PatchDraw(NamedTuple):
    """Where a patch lies.

    Args:
        axis: slicing axis, 0, 1 or 2.
        start: centre slice, first row, first column.
        angles: of the slicing plane about z, y, x, degrees; None where it is not turned.
    """

    axis: int
    start: tuple[int, int, int]
    angles: tuple[float, float, float] | None


class RandStackPatchesd(Randomizable, MapTransform, MultiSampleTrait):
    """Draw 2.5D patches from an image and a label volume; only what a patch needs is read.

    A patch is a stack of neighbouring slices across a random axis. It stays inside the volume where that is
    large enough; what lies outside repeats the edge and has weight 0. Oblique patches, on a plane turned
    about all three axes (the winners' of the SenNet + HOA contest, probability 0.3, 30 degrees), are read
    trilinear; their label is 1 where the interpolated one reaches 0.5.

    Each draw becomes {"image": (num_slices, h, w), "label": (label_slices, h, w) 0/1, "weight": the label's
    shape}, float32, by the names in ``keys`` and ``weight_key``; the rest of the sample is dropped, so that
    draws collate. The list has ``num_samples`` of them.

    The sample's "annotated_fraction" (1 if absent) below 1 marks a sparse annotation, see
    ``annotation_weights``. Its "foreground" may hold the label's ``BlockIndex`` (``IndexForegroundd``);
    else the label is indexed when it is first drawn from, which is lost with caches that copy samples.

    Args:
        keys: image key and label key, of volumes with ``shape`` (Z, Y, X) and ``read(box)``.
        num_slices: slices of the image's stack, odd.
        patch_size: rows and columns.
        num_samples: patches of one call.
        axes: slicing axes to draw from, of "z", "y", "x".
        foreground: probability that the patch is centred on a labelled voxel; else it lies anywhere.
        oblique_probability: probability that the slicing plane is turned.
        oblique_degrees: largest angle about each axis.
        label_slices: slices of the label's stack, odd, about the same centre.
        sparse_margin: see ``annotation_weights``, voxels.
        sparse_weight: see ``annotation_weights``.
        weight_key: key of the weights.
        index_key: key of the index of the label.

    Raises:
        InputError: even stacks, no or unknown axes, sizes below 1, probabilities outside [0, 1], or image and
            label of different shapes.
    """

    def __init__(
        self,
        keys: KeysCollection = ("image", "label"),
        *,
        num_slices: int = 3,
        patch_size: Sequence[int] = (256, 256),
        num_samples: int = 1,
        axes: Sequence[str] = ("z",),
        foreground: float = 0.5,
        oblique_probability: float = 0.0,
        oblique_degrees: float = 30.0,
        label_slices: int = 3,
        sparse_margin: float = 8.0,
        sparse_weight: float = 0.1,
        weight_key: str = "weight",
        index_key: str = "foreground",
    ) -> None:
        super().__init__(keys)
        self.slices = [len(stack_offsets(count)) for count in (num_slices, label_slices)]
        self.patch_size = tuple(int(size) for size in patch_size)
        self.num_samples = num_samples
        self.axes = [_axis(name) for name in axes]
        self.foreground = foreground
        self.oblique_probability = oblique_probability
        self.oblique_degrees = oblique_degrees
        self.sparse = {"margin": sparse_margin, "sparse_weight": sparse_weight}
        self.weight_key = weight_key
        self.index_key = index_key
        self.draws: list[PatchDraw] = []
        self._indices: WeakKeyDictionary[BoxVolume, BlockIndex] = WeakKeyDictionary()
        self._check()

    def _check(self) -> None:
        shares = (self.foreground, self.oblique_probability, self.sparse["sparse_weight"])
        if not all(0 <= share <= 1 for share in shares):
            raise InputError(
                f"foreground, oblique_probability, sparse_weight are {shares}", remedy="give 0 to 1 each"
            )
        lengths = (self.sparse["margin"], self.oblique_degrees)
        if min(lengths) < 0:
            raise InputError(f"sparse_margin, oblique_degrees are {lengths}", remedy="give 0 or more")
        if len(self.patch_size) != 2 or min(*self.patch_size, self.num_samples) < 1:
            raise InputError(
                f"patch_size {self.patch_size}, num_samples {self.num_samples}",
                remedy="give rows and columns, and at least one sample",
            )
        if len(self.keys) != 2 or not self.axes:
            raise InputError(
                f"keys {self.keys}, {len(self.axes)} axes", remedy="give image key, label key and an axis"
            )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_indices": None}  # weak references do not go to other processes

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._indices = WeakKeyDictionary()

    def randomize(self, label: BoxVolume, index: BlockIndex | None) -> None:
        """Draw ``self.draws``: where ``num_samples`` patches lie."""
        self.draws = [self._draw(label, index) for _ in range(self.num_samples)]

    def _draw(self, label: BoxVolume, index: BlockIndex | None) -> PatchDraw:
        axis = self.axes[self.R.randint(len(self.axes))]
        angles = None
        if self.oblique_probability and self.R.random() < self.oblique_probability:
            angles = tuple(self.R.uniform(-self.oblique_degrees, self.oblique_degrees, 3).tolist())
        sizes = [label.shape[other] for other in _order(axis)]
        room = [sorted((0, size - patch)) for size, patch in zip(sizes[1:], self.patch_size, strict=True)]
        if index is not None and index.total and self.R.random() < self.foreground:
            voxel = index.voxel(label, int(self.R.randint(index.total, dtype=np.int64)))
            centre, *middle = (voxel[other] for other in _order(axis))
            corner = [place - patch // 2 for place, patch in zip(middle, self.patch_size, strict=True)]
            if angles is None:  # a turned plane would miss a voxel that is not its pivot
                corner = [min(max(place, low), high) for place, (low, high) in zip(corner, room, strict=True)]
        else:
            centre = int(self.R.randint(sizes[0]))
            corner = [int(self.R.randint(low, high + 1)) for low, high in room]
        return PatchDraw(axis, (centre, *corner), angles)

    def __call__(self, data: Mapping[Hashable, Any]) -> list[dict[Hashable, torch.Tensor]]:
        """Return ``num_samples`` patches."""
        image, label = (data[key] for key in self.key_iterator(data))
        if tuple(image.shape) != tuple(label.shape):
            raise InputError(f"image is {tuple(image.shape)}, its label {tuple(label.shape)}")
        index = data.get(self.index_key) or self._index(label)
        fraction = float(data.get("annotated_fraction", 1.0))
        self.randomize(label, index)
        return [self._sample(image, label, draw, fraction) for draw in self.draws]

    def _index(self, label: BoxVolume) -> BlockIndex | None:
        if not self.foreground:
            return None
        if label not in self._indices:
            self._indices[label] = index_foreground(label)
        return self._indices[label]

    def _sample(
        self, image: BoxVolume, label: BoxVolume, draw: PatchDraw, fraction: float
    ) -> dict[Hashable, torch.Tensor]:
        stack, _ = self._read(image, draw, slices=self.slices[0], halo=0)
        # beyond the patch too there are vessels that make its voxels trustworthy
        halo = math.ceil(self.sparse["margin"]) if fraction < 1 else 0
        target, inside = self._read(label, draw, slices=self.slices[1], halo=halo)
        target = target >= 0.5
        weight = annotation_weights(target, annotated_fraction=fraction, **self.sparse) * inside
        rows, columns = (slice(halo, halo + size) for size in self.patch_size)
        found = {
            self.keys[0]: stack,
            self.keys[1]: target[:, rows, columns],
            self.weight_key: weight[:, rows, columns],
        }
        return {key: torch.from_numpy(np.array(value, dtype=np.float32)) for key, value in found.items()}

    def _read(
        self, volume: BoxVolume, draw: PatchDraw, *, slices: int, halo: int
    ) -> tuple[np.ndarray, np.ndarray]:
        size = (slices, *(extent + 2 * halo for extent in self.patch_size))
        centre, *corner = draw.start
        if draw.angles is None:
            start = (centre - slices // 2, *(place - halo for place in corner))
            return read_patch(volume, axis=draw.axis, start=start, size=size)
        pivot = [0.0] * 3
        middle = [place + extent // 2 for place, extent in zip(corner, self.patch_size, strict=True)]
        for other, place in zip(_order(draw.axis), (centre, *middle), strict=True):
            pivot[other] = place
        rotation = rotation_matrix(draw.angles)
        return read_oblique(volume, axis=draw.axis, centre=pivot, size=size, rotation=rotation)


def _order(axis: int) -> tuple[int, ...]:
    """The axes of a patch: slices, rows, columns."""
    return (axis, *(other for other in range(3) if other != axis))


def _axis(name: str) -> int:
    if len(name) != 1 or name not in AXES:
        raise InputError(f"axis {name!r}", remedy="use 'z', 'y' or 'x'")
    return AXES.index(name)
