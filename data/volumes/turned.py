# SPDX-License-Identifier: Apache-2.0
"""A volume in two layouts, so that slabs across any axis are read without reading all of it each time.

A slab across columns touches every row of a file whose columns lie next to each other: a pass along x of
hundreds of slabs would read the file hundreds of times. A second copy with columns first costs the disk space
of the first, and one reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from .base import ArrayVolume, Box, Volume
from .stage import stage
from .views import PermutedVolume


class TwoLayoutVolume(Volume):
    """Read each box from that of two copies which has fewer voxels to read for it.

    Args:
        rows: (Z, Y, X), in files whose rows are read whole.
        columns: the same grays as (X, Z, Y).
    """

    def __init__(self, rows: Volume, columns: Volume) -> None:
        super().__init__(shape=rows.shape, dtype=rows.dtype, spacing_um=rows.spacing_um, meta=rows.meta)
        self.rows = rows
        self.columns = PermutedVolume(columns, axes="XZY")

    def _read(self, box: Box) -> np.ndarray:
        _, y, x = box
        by_rows = (y.stop - y.start) * self.shape[2]
        by_columns = (x.stop - x.start) * self.shape[1]
        return (self.rows if by_rows <= by_columns else self.columns).read(box)


def stage_for_axes(
    volume: Volume, folder: str | PathLike, *, axes: Sequence[str], progress: bool = True
) -> Volume:
    """Copy a volume as far as passes along some axes need it.

    Args:
        volume: as opened; put wrappers (normalised, resampled) around what comes back, see ``stage``.
        folder: where copies are kept and found again.
        axes: some of "z", "y", "x".
        progress: show bars.

    Returns:
        along z alone the volume itself; else one of random access, with a second copy where x is among the
        axes. What is in memory stays as it is.

    Raises:
        InputError: see ``stage``.
    """
    if set(axes) <= {"z"} or isinstance(volume, ArrayVolume):
        return volume
    if not volume.random_access:
        volume = stage(volume, folder, progress=progress)
    if "x" not in axes:
        return volume
    meta = {**volume.meta, "layout": "columns first"}  # so that the copy's name differs
    turned = PermutedVolume(volume, axes="YXZ", meta=meta)
    turned.slab_axis = 1  # copied in slabs across z
    return TwoLayoutVolume(volume, stage(turned, folder, progress=progress))
