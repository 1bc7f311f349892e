# SPDX-License-Identifier: Apache-2.0
"""The surface of a mask as triangles: marching cubes over blocks, the blocks' edges sewn together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from skimage.measure import marching_cubes

from ..utils import InputError
from .volume_like import VolumeLike, read_slab, relative_spacing

BLOCK = 64  # voxels of the surface's grid along each side of a block
MAX_FACES = 20_000_000  # about 0.4 GB of PLY
_GROWTH = 1.4  # of the grid's step when a surface has too many faces; their number falls by its square


@dataclass(frozen=True)
class Surface:
    """Triangles in space.

    Args:
        vertices: (V, 3) float32, x, y, z in micrometres, or voxels where their size is unknown. The centre of
            voxel (z, y, x) lies at (x + 0.5, y + 0.5, z + 0.5) times the voxel size.
        faces: (F, 3) int32 vertices of each triangle, counter-clockwise seen from outside.
        unit: "um" or "voxel".
        step: voxels that were pooled into one along each axis before the surface was drawn; 1 is exact.
        values: (V,) numbers to colour by, or None.
        value_name: what they are, with their unit.
    """

    vertices: np.ndarray
    faces: np.ndarray
    unit: str = "voxel"
    step: int = 1
    values: np.ndarray | None = None
    value_name: str = ""

    @property
    def area(self) -> float:
        """Area of all triangles, in the unit's square."""
        return float(np.linalg.norm(self.normals(), axis=1).sum() / 2)

    @property
    def volume(self) -> float:
        """Volume enclosed, in the unit's cube: the sum of signed tetrahedra to the origin."""
        first = self.vertices[self.faces[:, 0]].astype(np.float64)
        return float((first * self.normals()).sum() / 6)

    def normals(self) -> np.ndarray:
        """Return the (F, 3) outward normals, each as long as twice its triangle's area."""
        first, second, third = (self.vertices[self.faces[:, side]].astype(np.float64) for side in range(3))
        return np.cross(second - first, third - first)


def extract_surface(
    mask_volume: VolumeLike,
    *,
    spacing_um: tuple[float, float, float] | None = None,
    downsample: int | None = None,
    max_faces: int = MAX_FACES,
    block: int = BLOCK,
) -> Surface:
    """Draw the surface of a mask of any size, block by block.

    Marching cubes with Lorensen and Cline's table (SIGGRAPH 1987) as scikit-image has it: of its two methods
    the one whose surfaces are closed for binary volumes too (Lewiner's resolves the ambiguous faces of
    neighbouring cubes differently where the decider is zero, which with 0 and 1 it always is). The mask is
    taken as zero outside the volume, so the surface is closed at the borders.

    Pooling takes the maximum: no vessel is lost, and each is thicker by up to ``step - 1`` voxels.

    Args:
        mask_volume: (Z, Y, X), 0 is background.
        spacing_um: voxel size (z, y, x); None takes the volume's, and voxels where it has none.
        downsample: voxels pooled into one along each axis; None takes the least (1 first) whose surface has
            at most ``max_faces`` triangles. Too fine a step is given up at the face after the last allowed.
        max_faces: see ``downsample``; ignored where that is given.
        block: side of the blocks in pooled voxels; it changes memory and time, not the surface.

    Returns:
        the surface; without triangles where the mask is empty.

    Raises:
        InputError: ``downsample`` or ``block`` below 1, or ``max_faces`` that no step can meet.
    """
    if block < 1 or (downsample is not None and downsample < 1) or max_faces < 1:
        raise InputError(f"downsample {downsample}, block {block}, max_faces {max_faces}: give 1 or more")
    spacing = mask_volume.spacing_um if spacing_um is None else spacing_um
    step = downsample or 1
    while (parts := _march(mask_volume, step, block, None if downsample else max_faces)) is None:
        if step > max(mask_volume.shape):
            raise InputError(f"no surface has as few as {max_faces} faces", remedy="allow more faces")
        step = max(step + 1, round(step * _GROWTH))
    doubled, faces = _sew(parts)
    scale = np.array(relative_spacing(spacing))[::-1]
    unit = "voxel" if spacing is None else "um"
    # pooled index i is centred on (i + 0.5) * step of the volume's voxels
    vertices = (doubled[:, ::-1] / 2 + 0.5) * step * scale
    return Surface(vertices.astype(np.float32), faces, unit=unit, step=step)


def read_pooled(volume: VolumeLike, start: int, stop: int, step: int) -> np.ndarray:
    """Read slices of a mask on a grid coarser by a whole factor, taking the maximum.

    Args:
        volume: (Z, Y, X), 0 is background.
        start: first pooled slice.
        stop: the one after the last.
        step: voxels pooled along each axis; at the far borders fewer may be left.

    Returns:
        (stop - start, ceil(Y / step), ceil(X / step)) bool.
    """
    pooled = np.empty((stop - start, *pooled_shape(volume.shape, step)[1:]), bool)
    for index in range(start, stop):  # one by one: the volume's own slices are the larger array
        part = read_slab(volume, index * step, min((index + 1) * step, volume.shape[0])).max(axis=0) != 0
        for axis in range(2) if step > 1 else ():
            part = np.logical_or.reduceat(part, range(0, part.shape[axis], step), axis=axis)
        pooled[index - start] = part
    return pooled


def pooled_shape(shape: tuple[int, int, int], step: int) -> tuple[int, int, int]:
    """Return the shape of a volume after ``step`` voxels of each axis have been pooled."""
    return tuple(-(-size // step) for size in shape)


Part = tuple[np.ndarray, np.ndarray]  # doubled vertices (z, y, x) and faces of one block


def _march(volume: VolumeLike, step: int, block: int, max_faces: int | None) -> list[Part] | None:
    """Return the parts of all blocks that have faces; None with more than ``max_faces``."""
    depth = pooled_shape(volume.shape, step)[0]
    parts: list[Part] = []
    count = 0
    # A cube of marching cubes lies between voxels i and i + 1, so blocks share one layer of voxels.
    for low in range(-1, depth, block):
        high = min(low + block, depth) + 1
        slab = read_pooled(volume, max(low, 0), min(high, depth), step)
        slab = np.pad(slab, ((int(low < 0), int(high > depth)), (1, 1), (1, 1)))
        for part in _march_slab(slab, low, block):
            parts.append(part)
            count += len(part[1])
            if max_faces is not None and count > max_faces:
                return None
    return parts


def _march_slab(slab: np.ndarray, low: int, block: int) -> Iterator[Part]:
    """Run marching cubes over the blocks of a slab that has zeros about it in its plane."""
    rows, columns = (range(0, size - 1, block) for size in slab.shape[1:])
    for row, column in product(rows, columns):
        mask = slab[:, row : row + block + 1, column : column + block + 1]
        if mask.all() or not mask.any():
            continue
        vertices, faces, _, _ = marching_cubes(mask.astype(np.float32), 0.5, method="lorensen")
        # with 0 and 1 every vertex lies halfway between two voxels, so twice its place is a whole number
        yield np.rint(2 * vertices).astype(np.int64) + 2 * np.array([low, row - 1, column - 1]), faces


def _sew(parts: list[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Join blocks: vertices at the same place become one."""
    if not parts:
        return np.zeros((0, 3), np.int64), np.zeros((0, 3), np.int32)
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    vertices = np.concatenate([vertices for vertices, _ in parts])
    faces = np.concatenate([faces + offset for (_, faces), offset in zip(parts, offsets, strict=False)])
    low = vertices.min(axis=0)
    extent = vertices.max(axis=0) - low + 1
    _, first, place = np.unique(
        np.ravel_multi_index(tuple((vertices - low).T), extent), return_index=True, return_inverse=True
    )
    return vertices[first], place[faces].astype(np.int32)
