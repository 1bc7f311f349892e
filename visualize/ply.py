# SPDX-License-Identifier: Apache-2.0
"""Surfaces as PLY files, which ParaView, MeshLab, Blender and 3D Slicer open."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from ..utils import atomic_path
from .surfaces import Surface

_FACE = np.dtype([("count", "u1"), ("vertices", "<i4", 3)])


def write_ply(path: str | PathLike, surface: Surface) -> Path:
    """Write a surface as binary little-endian PLY 1.0 (Turk, Stanford 1994).

    Args:
        path: file to write.
        surface: triangles; its ``values``, where it has some, become the vertex property "value".

    Returns:
        ``path``.
    """
    names = ["x", "y", "z"] + ([] if surface.values is None else ["value"])
    vertices = np.empty((len(surface.vertices), len(names)), "<f4")
    vertices[:, :3] = surface.vertices
    if surface.values is not None:
        vertices[:, 3] = surface.values
    faces = np.empty(len(surface.faces), _FACE)
    faces["count"], faces["vertices"] = 3, surface.faces
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_header(surface, names).encode("ascii"))
        file.write(vertices.data if vertices.size else b"")
        file.write(faces.data if faces.size else b"")
    return Path(path)


def _header(surface: Surface, names: list[str]) -> str:
    lines = ["ply", "format binary_little_endian 1.0", f"comment coordinates in {surface.unit}"]
    if surface.values is not None and surface.value_name:
        name = " ".join(surface.value_name.split())  # a line break would end the comment
        lines.append(f"comment value: {name}".encode("ascii", "replace").decode())
    lines.append(f"element vertex {len(surface.vertices)}")
    lines += [f"property float {name}" for name in names]
    lines += [f"element face {len(surface.faces)}", "property list uchar int vertex_indices", "end_header"]
    return "\n".join(lines) + "\n"
