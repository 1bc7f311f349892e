# SPDX-License-Identifier: Apache-2.0
"""Connected components of volumes larger than memory: small ones removed, hysteresis of probabilities.

Slabs are labelled one by one; components that touch across the face of two slabs are joined by the edges of a
graph, whose components are those of the volume. Memory holds a slab and a few numbers for each component.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from os import PathLike

import numpy as np

from ...utils import InputError, atomic_path
from .base import Box, Volume, slabs
from .labelling import SlabLabelling
from .raw import RawVolume
from .writing import slab_thickness, storage_errors, stored_block

_logger = logging.getLogger("tomobundles")

# neighbours of a voxel -> along how many axes they may differ
_CONNECTIVITIES = {6: 1, 18: 2, 26: 3}


def remove_small_components(
    mask: Volume,
    *,
    min_voxels: int,
    store_path: str | PathLike,
    connectivity: int = 26,
    thickness: int | None = None,
) -> RawVolume:
    """Remove connected components of fewer than ``min_voxels`` voxels, out of core.

    Args:
        mask: 0/1; read once, slab by slab.
        min_voxels: least size of a component that stays; with 1 or less all stay and are only counted.
        store_path: .npy file that gets the result; it appears when all of it is there.
        connectivity: 6, 18 or 26 neighbours.
        thickness: slices a slab; None takes what fits into about 200 MB. The result does not depend on it.

    Returns:
        uint8 0/1 volume in ``store_path``, with the mask's meta and "components": a ``ComponentStats``.

    Raises:
        InputError: another connectivity, values other than 0 and 1, or a full disk.
    """
    return _keep_components(
        mask,
        lambda block: stored_block(block, path=mask.path or None),
        strength=1,
        at_least=min_voxels,
        store_path=store_path,
        connectivity=connectivity,
        thickness=thickness,
    )


def hysteresis_volume(
    probability: Volume,
    *,
    low: float,
    high: float,
    store_path: str | PathLike,
    connectivity: int = 26,
    thickness: int | None = None,
) -> RawVolume:
    """Keep components of ``probability >= low`` that hold a voxel of ``probability >= high``, out of core.

    Args:
        probability: 0-1; read once, slab by slab.
        low: threshold of the mask.
        high: threshold that a component has to reach somewhere, at least ``low``.
        store_path: .npy file that gets the result; it appears when all of it is there.
        connectivity: 6, 18 or 26 neighbours.
        thickness: slices a slab; None takes what fits into about 200 MB. The result does not depend on it.

    Returns:
        uint8 0/1 volume, as of :func:`remove_small_components`.

    Raises:
        InputError: ``low`` above ``high``, another connectivity, or a full disk.
    """
    if not low <= high:
        raise InputError(f"low threshold {low} above the high one, {high}", remedy="give low <= high")
    return _keep_components(
        probability,
        lambda block: (block >= low).astype(np.uint8) + (block >= high),
        strength=2,
        at_least=1,
        store_path=store_path,
        connectivity=connectivity,
        thickness=thickness,
    )


def _keep_components(
    source: Volume,
    encode: Callable[[np.ndarray], np.ndarray],
    *,
    strength: int,
    at_least: int,
    store_path: str | PathLike,
    connectivity: int,
    thickness: int | None,
) -> RawVolume:
    """Keep components that hold at least so many voxels whose code reaches ``strength``."""
    if connectivity not in _CONNECTIVITIES:
        raise InputError(f"connectivity {connectivity}", remedy="give 6, 18 or 26")
    thickness = thickness or slab_thickness(source.shape)
    boxes = list(slabs(source.shape, thickness=thickness))
    labelling = SlabLabelling(_CONNECTIVITIES[connectivity], strength)
    with storage_errors(store_path, int(np.prod(source.shape))), atomic_path(store_path) as temporary:
        store = RawVolume.create(temporary, shape=source.shape, dtype=np.uint8)
        for box in boxes:
            codes = encode(source.read(box))
            labelling.add(codes)
            store.write(box, codes)
        keep, stats = labelling.decide(at_least)
        if stats.removed or strength > 1:
            _write_kept(store, boxes, labelling, keep)
    _logger.info(
        "components: %d kept (%d voxels), %d removed (%d voxels)",
        stats.kept, stats.kept_voxels, stats.removed, stats.removed_voxels,
    )  # fmt: skip
    meta = {**source.meta, "components": stats}
    return RawVolume(store_path, spacing_um=source.spacing_um, meta=meta)


def _write_kept(store: RawVolume, boxes: list[Box], labelling: SlabLabelling, keep: np.ndarray) -> None:
    """Label each slab again: that costs less than to store labels, four bytes a voxel."""
    start = 0
    for box, count in zip(boxes, labelling.per_slab, strict=True):
        if count:
            labels, _ = labelling.label(store.read(box))
            lookup = np.concatenate([[0], keep[start : start + count]]).astype(np.uint8)
            store.write(box, lookup[labels])
        start += count
