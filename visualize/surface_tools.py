# SPDX-License-Identifier: Apache-2.0
"""Surfaces made lighter and smoother for the screen, and numbers to colour them by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.csgraph import connected_components

from ..utils import InputError
from .surfaces import Surface, pooled_shape, read_pooled
from .volume_like import VolumeLike, relative_spacing

_PASS_BAND, _LAMBDA = 0.1, 0.5  # of Taubin's filter; mu follows from 1/lambda + 1/mu = pass band
_NORMAL_ROUNDS = 8  # how often normals are averaged with their neighbours'
MAX_VOXELS = 1 << 23  # of the grid on which radii are measured: about 0.3 GB while it is


def smooth_surface(surface: Surface, *, iterations: int = 10) -> Surface:
    """Take the voxels' steps off a surface without shrinking it.

    Taubin's filter ("A signal processing approach to fair surface design", SIGGRAPH 1995): each iteration
    moves vertices towards the mean of their neighbours by 0.5, then away from it by 0.526.

    Args:
        surface: triangles.
        iterations: how often; 0 changes nothing.

    Returns:
        the same triangles with moved vertices.
    """
    if not len(surface.faces) or iterations < 1:
        return surface
    mean = _neighbour_mean(surface)
    vertices = surface.vertices.astype(np.float64)
    for factor in [_LAMBDA, 1 / (_PASS_BAND - 1 / _LAMBDA)] * iterations:
        vertices += factor * (mean @ vertices - vertices)
    return replace(surface, vertices=vertices.astype(np.float32))


def simplify_surface(surface: Surface, *, max_faces: int) -> Surface:
    """Reduce the number of triangles by joining vertices in cells of a grid.

    Vertex clustering (Rossignac and Borrel 1993): vertices in one cell become their mean, triangles that lose
    a corner go. The cell grows until few enough are left. Good for the screen; it need not stay closed.

    Args:
        surface: triangles; ``values`` are averaged too.
        max_faces: triangles allowed.

    Returns:
        a surface of at most ``max_faces`` triangles; the same one where it has no more.

    Raises:
        InputError: ``max_faces`` below 1.
    """
    if max_faces < 1:
        raise InputError(f"max_faces is {max_faces}", remedy="give 1 or more")
    if len(surface.faces) <= max_faces:
        return surface
    # a cell as wide as two typical edges leaves about a quarter; 1.2 per try overshoots little
    cell = _edge_length(surface)
    reduced = surface
    while len(reduced.faces) > max_faces:
        reduced = _cluster(surface, cell)
        cell *= 1.2
    return reduced


def color_by_component(surface: Surface) -> Surface:
    """Number the connected parts of a surface by size, from 1 for the one with the most triangles."""
    count, labels = connected_components(_links(surface), directed=False)
    sizes = np.bincount(labels[surface.faces[:, 0]], minlength=count)
    rank = np.empty(count, np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1)
    return replace(surface, values=rank[labels].astype(np.float32), value_name="connected part, by size")


def color_by_radius(surface: Surface, mask_volume: VolumeLike, *, max_voxels: int = MAX_VOXELS) -> Surface:
    """Give each vertex the radius of the vessel that it lies on, for colouring.

    From the vertex a point walks inwards along the normal, and the radius is the greatest distance to the
    background that it meets before the distances fall: for a tube, the tube's radius. Distances are measured
    on a grid pooled to at most ``max_voxels``, less what pooling adds to a vessel on average, so thin vessels
    of large volumes are only roughly right: take figures from the vessel table.

    Args:
        surface: of ``mask_volume``, from :func:`extract_surface`.
        mask_volume: (Z, Y, X), 0 is background.
        max_voxels: size of the grid.

    Returns:
        the surface with ``values``, at least 0, in its own unit.
    """
    if not len(surface.faces):
        return replace(surface, values=np.zeros(len(surface.vertices), np.float32), value_name="radius")
    spacing = relative_spacing(mask_volume.spacing_um if surface.unit == "um" else None)
    step = next(step for step in range(1, 1 << 20) if _fits(mask_volume.shape, step, max_voxels))
    mask = read_pooled(mask_volume, 0, pooled_shape(mask_volume.shape, step)[0], step)
    cell = np.array(spacing) * step
    padded = np.pad(mask, 1)  # outside is background, as for the surface
    distance = distance_transform_edt(padded, sampling=cell).astype(np.float32)
    radius = _walk_inwards(surface, distance, cell[::-1])
    radius = np.maximum(radius - cell.min() / 2 - (step - 1) / 2 * min(spacing), 0)
    name = "radius (um)" if surface.unit == "um" else "radius (voxels)"
    return replace(surface, values=radius.astype(np.float32), value_name=name)


def _fits(shape: tuple[int, int, int], step: int, max_voxels: int) -> bool:
    return np.prod(pooled_shape(shape, step), dtype=np.int64) <= max_voxels or step > max(shape)


def _walk_inwards(surface: Surface, distance: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the first maximum of the distance on the way inwards from each vertex."""
    inwards = -_vertex_normals(surface) * cell.min() / 2
    best = np.zeros(len(surface.vertices), np.float32)
    active = np.arange(len(best))
    for count in range(1, 3 + int(2 * distance.max() / cell.min())):
        places = (
            surface.vertices[active] + count * inwards[active]
        ) / cell + 0.5  # - 0.5 + 1 for the padding
        found = map_coordinates(distance, places[:, ::-1].T, order=1, mode="nearest")
        best[active] = np.maximum(best[active], found)
        # the first steps may lie outside; a small dip is the grid's, not the axis
        active = active[(found >= best[active] - cell.min() / 2) | (count <= 2)]
    return best


def _vertex_normals(surface: Surface) -> np.ndarray:
    """Return the (V, 3) outward unit normals, averaged over a few neighbours.

    The triangles of a mask look along a few directions only; those of one vertex miss the vessel's axis.
    """
    normals = np.zeros((len(surface.vertices), 3))
    for side in range(3):
        np.add.at(normals, surface.faces[:, side], surface.normals())
    mean = _neighbour_mean(surface)
    for _ in range(_NORMAL_ROUNDS):
        normals = normals + mean @ normals
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)


def _neighbour_mean(surface: Surface) -> csr_matrix:
    """Return the (V, V) matrix that takes the mean over the vertices that share an edge with each."""
    links = _links(surface)
    return diags(1 / np.maximum(np.asarray(links.sum(axis=1))[:, 0], 1)).tocsr() @ links


def _links(surface: Surface) -> csr_matrix:
    """Return the (V, V) matrix with 1 where vertices share an edge."""
    ends = np.concatenate([surface.faces[:, [0, 1]], surface.faces[:, [1, 2]], surface.faces[:, [2, 0]]])
    size = len(surface.vertices)
    ones = np.ones(2 * len(ends))
    places = (np.concatenate([ends[:, 0], ends[:, 1]]), np.concatenate([ends[:, 1], ends[:, 0]]))
    links = coo_matrix((ones, places), shape=(size, size)).tocsr()
    links.data[:] = 1  # an edge belongs to two triangles
    return links


def _edge_length(surface: Surface) -> float:
    first, second = (surface.vertices[surface.faces[:, side]] for side in range(2))
    return float(np.median(np.linalg.norm(second - first, axis=1)))


def _cluster(surface: Surface, cell: float) -> Surface:
    keys = np.floor((surface.vertices - surface.vertices.min(axis=0)) / cell).astype(np.int64)
    _, place, counts = np.unique(
        np.ravel_multi_index(tuple(keys.T), keys.max(axis=0) + 1), return_inverse=True, return_counts=True
    )

    def mean(numbers: np.ndarray) -> np.ndarray:
        return (np.bincount(place, weights=numbers) / counts).astype(np.float32)

    faces = place[surface.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return replace(
        surface,
        vertices=np.stack([mean(column) for column in surface.vertices.T], axis=1),
        faces=faces[whole].astype(np.int32),
        values=None if surface.values is None else mean(surface.values),
    )
