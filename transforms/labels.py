# SPDX-License-Identifier: Apache-2.0
"""Label volumes: stored values to class indices, classes of each slice."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..utils import InputError

IGNORE_LABEL = 255


def map_labels(labels: torch.Tensor, mapping: Mapping[int, int]) -> tuple[torch.Tensor, list[int]]:
    """Replace stored label values by class indices.

    Args:
        labels: whole numbers of any type and shape.
        mapping: stored value -> class index in [0, 255].

    Returns:
        classes: uint8, same shape and memory layout; unknown values become 0.
        unknown: the values that the mapping lacks, sorted.
    """
    if labels.dtype != torch.uint8:  # rare: one pass over the distinct values
        unknown = sorted(set(torch.unique(labels).tolist()) - set(mapping))
        classes = torch.zeros_like(labels, dtype=torch.uint8)
        for value, index in mapping.items():
            classes[labels == value] = index
        return classes, unknown
    table = np.zeros(256, dtype=np.uint8)
    known = np.zeros(256, dtype=bool)
    for value, index in mapping.items():
        if 0 <= value <= 255:
            table[value], known[value] = index, True
    stored = labels.numpy()
    found = np.flatnonzero(_histogram(stored) > 0)
    classes = table[stored] if not np.array_equal(table[found], found) else stored
    return torch.from_numpy(classes), [int(value) for value in found if not known[value]]


def _histogram(stored: np.ndarray) -> np.ndarray:
    """Count of each uint8 value, in pieces, since bincount makes an eightfold copy."""
    flat = np.moveaxis(stored, -1, 0) if stored.ndim > 1 else stored[None]
    return sum((np.bincount(piece.ravel(), minlength=256) for piece in flat), np.zeros(256, dtype=np.int64))


class MapLabelsd(MapTransform):
    """Turn stored label values into class indices 0, 1, ... and refuse values that nobody declared.

    MONAI's MapLabelValued leaves an undeclared value in place, so that a stray gray of 64 becomes class 64.

    Args:
        keys: label keys.
        mapping: stored value -> class index; JSON has string keys, both are taken. 0 -> 0 is implied.
            Map a value to 255 to have it ignored by losses and metrics.
        allow_missing_keys: do not raise where a key is absent.

    Raises:
        InputError: a stored value that the mapping lacks; the file is named.
    """

    def __init__(
        self, keys: KeysCollection, *, mapping: Mapping[int | str, int], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.mapping = {0: 0, **{int(value): int(index) for value, index in mapping.items()}}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace label volumes by uint8 class indices."""
        result = dict(data)
        for key in self.key_iterator(result):
            volume = result[key]
            classes, unknown = map_labels(volume.as_tensor(), self.mapping)
            if unknown:
                raise InputError(
                    f"label values {unknown[:5]} are not among the declared {sorted(self.mapping)}",
                    path=volume.meta.get("filename_or_obj"),
                    remedy="mend the label, or declare the values in label_values",
                )
            result[key] = MetaTensor(classes, meta=volume.meta)
        return result


class IgnoreUnlabelledd(MapTransform):
    """Mark the background of partly annotated scans as unknown.

    In a scan where not all classes were annotated, an unmarked pixel may be background or one of the other
    classes. Such pixels become the ignore label (255); annotated pixels stay.

    Args:
        keys: label keys, class indices.
        num_classes: number of classes without background.
        labelled_key: sample key with the indices of annotated classes; absent means all.
        allow_missing_keys: do not raise where a key is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        num_classes: int,
        labelled_key: str = "labelled_classes",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.num_classes = num_classes
        self.labelled_key = labelled_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace 0 by 255 where the sample's annotation is partial."""
        result = dict(data)
        labelled = result.get(self.labelled_key)
        if labelled is None or set(range(1, self.num_classes + 1)) <= {int(index) for index in labelled}:
            return result
        for key in self.key_iterator(result):
            volume = result[key].clone()
            volume[volume == 0] = IGNORE_LABEL
            result[key] = volume
        return result


class SlicePresenced(MapTransform):
    """Note which classes each slice of a label volume holds, for balanced drawing.

    Args:
        keys: the label key.
        num_classes: number of classes without background.
        presence_key: where the boolean table (num_classes, D) goes.
        slice_dim: axis of (1, H, W, D) along which slices follow each other.
        allow_missing_keys: do not raise where the label is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        num_classes: int,
        presence_key: str = "presence",
        slice_dim: int = -1,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.num_classes = num_classes
        self.presence_key = presence_key
        self.slice_dim = slice_dim

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the table."""
        result = dict(data)
        for key in self.key_iterator(result):
            slices = result[key].as_tensor().movedim(self.slice_dim, 0)
            result[self.presence_key] = torch.tensor(
                [_classes_in(one_slice, self.num_classes) for one_slice in slices]
            ).T.contiguous()
        return result


def _classes_in(one_slice: torch.Tensor, num_classes: int) -> Sequence[bool]:
    counts = torch.bincount(one_slice.reshape(-1).long(), minlength=num_classes + 1)
    return (counts[1 : num_classes + 1] > 0).tolist()
