# SPDX-License-Identifier: Apache-2.0
"""How long an epoch of patches is, and how large a patch can be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...utils import InputError
from .base import checked_spacing
from .open import open_volume

Item = Mapping[str, Any]

MULTIPLE = 32  # in-plane sizes that every network of the collection takes


def patch_items(
    items: Sequence[Item],
    *,
    patches: int,
    patches_per_visit: int = 1,
    batch_size: int = 1,
    axes: str | None = None,
) -> list[Item]:
    """Repeat items so that an epoch draws ``patches`` patches, from each volume by its annotated voxels.

    A caching dataset with ``hash_as_key`` keeps repeated items once.

    Args:
        items: training samples; "annotated_fraction" (0-1, default 1) is the share of a volume's vessels that
            was labelled: a volume labelled by half is visited half as often as a whole one of its size.
        patches: patches of an epoch.
        patches_per_visit: patches that one visit of a volume draws.
        batch_size: patches of a batch; an epoch has at least one.
        axes: see ``open_volume``.

    Returns:
        at least one visit of every item.

    Raises:
        InputError: a number that is not positive, or an epoch of less than a batch.
    """
    if patches < 1 or patches_per_visit < 1:
        raise InputError(
            f"{patches} patches an epoch, {patches_per_visit} a visit", remedy="give positive numbers"
        )
    if patches < batch_size:
        raise InputError(
            f"{patches} patches an epoch do not fill a batch of {batch_size}",
            remedy="raise patches_per_epoch, or lower batch_size",
        )
    sizes = [_voxels(item, axes) * float(item.get("annotated_fraction", 1.0)) for item in items]
    visits = math.ceil(patches / patches_per_visit)
    shares = [visits * size / sum(sizes) for size in sizes]
    counts = [max(1, math.floor(share)) for share in shares]
    most_wanting = sorted(range(len(items)), key=lambda index: counts[index] - shares[index])
    for index in most_wanting[: max(0, visits - sum(counts))]:
        counts[index] += 1
    return [item for item, count in zip(items, counts, strict=True) for _ in range(count)]


def fitting_patch(
    items: Sequence[Item],
    *,
    largest: Sequence[int],
    spacing_um: float | Sequence[float] | None = None,
    target_spacing: float | Sequence[float] | None = None,
    axes: str | None = None,
) -> list[int]:
    """The patch size asked for, or less where no volume is that large: nothing is gained by padding.

    Args:
        items: training samples.
        largest: rows and columns asked for.
        spacing_um: voxel size where the files do not say, see ``OpenVolumed``.
        target_spacing: voxel size of the patches in micrometres; None for the volumes' own.
        axes: see ``open_volume``.

    Returns:
        rows and columns, multiples of 32.

    Raises:
        InputError: a size that is not positive.
    """
    if len(largest) != 2 or min(largest) < 1:
        raise InputError(f"patch_size {list(largest)}", remedy="give rows and columns, e.g. [512, 512]")
    extent = max(
        extent
        for item in items
        for extent in _extents(item, spacing_um=spacing_um, target_spacing=target_spacing, axes=axes)
    )
    bound = math.ceil(extent / MULTIPLE) * MULTIPLE
    return [min(math.ceil(size / MULTIPLE) * MULTIPLE, bound) for size in largest]


def _extents(
    item: Item,
    *,
    spacing_um: float | Sequence[float] | None,
    target_spacing: float | Sequence[float] | None,
    axes: str | None,
) -> list[float]:
    volume = _open(item, axes, spacing_um)
    target = checked_spacing(target_spacing)
    if target is None or volume.spacing_um is None:
        return list(volume.shape)
    return [
        size * own / wanted for size, own, wanted in zip(volume.shape, volume.spacing_um, target, strict=True)
    ]


def _voxels(item: Item, axes: str | None) -> int:
    return math.prod(_open(item, axes, None).shape)


def _open(item: Item, axes: str | None, spacing_um: float | Sequence[float] | None) -> Any:
    return open_volume(
        item["image"], spacing_um=item.get("spacing_um", spacing_um), slices=item.get("slices"), axes=axes
    )
