# SPDX-License-Identifier: Apache-2.0
"""Slabs of a volume: how thick memory allows, read before they are wanted and written while work goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np

from .interfaces import BoxReader

AXES = {"z": 0, "y": 1, "x": 2}
# of a slab's voxel: two float32 slabs of grays (one is read ahead), what a reader needs on the way to one,
# two of probabilities (one is being written), and what a writer needs
BYTES_PER_VOXEL = 32


class Slab(NamedTuple):
    """A slab in memory.

    Attributes:
        centres: slices of the volume that the slab is read for.
        inside: the same slices, counted in ``grays``.
        grays: (dz, dy, dx), those slices and their neighbours.
    """

    centres: range
    inside: range
    grays: np.ndarray


def slab_thickness(shape: Sequence[int], *, axis: str, half: int, batch_size: int, memory_mb: float) -> int:
    """Slices of a slab that can be worked on in some memory.

    Args:
        shape: (Z, Y, X).
        axis: across which slabs are cut: "z", "y" or "x".
        half: neighbours read on each side.
        batch_size: a multiple of it is given where possible.
        memory_mb: in 10^6 bytes.

    Returns:
        at least 1, however little memory.
    """
    depth = shape[AXES[axis]]
    per_slice = BYTES_PER_VOXEL * math.prod(shape) // depth
    thickness = max(1, int(memory_mb * 1e6 / per_slice) - 2 * half)
    return min(depth, thickness // batch_size * batch_size or thickness)


def cut(gaps: Iterable[range], *, thickness: int) -> Iterator[range]:
    """Cut ranges of slices into pieces of at most ``thickness``."""
    for gap in gaps:
        for start in range(gap.start, gap.stop, thickness):
            yield range(start, min(start + thickness, gap.stop))


def read_ahead(
    volume: BoxReader, pieces: Iterable[range], *, axis: str, half: int, pool: Executor
) -> Iterator[Slab]:
    """Read slabs, each while the one before is worked on.

    Args:
        volume: to be read.
        pieces: ranges of slices along ``axis``.
        axis: "z", "y" or "x".
        half: neighbours to read on each side, as far as the volume has them.
        pool: in which slabs are read.
    """
    pending = None
    for centres in pieces:
        following = pool.submit(_read, volume, centres, AXES[axis], half)
        if pending is not None:
            yield pending.result()
        pending = following
    if pending is not None:
        yield pending.result()


def write_behind(answers: Iterable[tuple[Any, ...]], write: Callable[..., Any], *, pool: Executor) -> None:
    """Write answers, each while the next is computed.

    Args:
        answers: arguments of ``write``, computed as this iterates.
        write: called in order, one call at a time; what it raises is raised here.
        pool: in which ``write`` is called; it needs a second worker where slabs are read in it too.
    """
    pending = None
    for answer in answers:
        if pending is not None:
            pending.result()
        pending = pool.submit(write, *answer)
    if pending is not None:
        pending.result()


def _read(volume: BoxReader, centres: range, axis: int, half: int) -> Slab:
    first = max(0, centres.start - half)
    last = min(volume.shape[axis], centres.stop + half)
    box = [slice(0, size) for size in volume.shape]
    box[axis] = slice(first, last)
    return Slab(centres, range(centres.start - first, centres.stop - first), volume.read(tuple(box)))
