# SPDX-License-Identifier: Apache-2.0
"""What an OME-Zarr group says of its image: axes, levels, voxel size.

The formats: https://ngff.openmicroscopy.org/0.4 and https://ngff.openmicroscopy.org/0.5
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from ...utils import InputError
from .tiff_spacing import Spacing, unit_um

_OLD_AXES = "tczyx"  # of all images before 0.3


@dataclass(frozen=True)
class OmeImage:
    """One level of an image.

    Args:
        axes: a letter an axis of the array, lower case.
        level: path of the array in the group.
        spacing_um: (z, y, x) in micrometres; None where it is not stated or has no unit.
    """

    axes: str
    level: str
    spacing_um: Spacing | None


def read_multiscales(
    attributes: Mapping[str, Any],
    *,
    path: str | PathLike,
    level: str | int | None = None,
    groups: Callable[[], Sequence[str]] = tuple,
) -> OmeImage:
    """Find a level in a group's attributes.

    Args:
        attributes: of the group; 0.5 keeps them below "ome".
        path: for messages.
        level: path of the level; None for the first, which is the finest.
        groups: gives names of what the group holds, for the message.

    Raises:
        InputError: no image there, no such level, or metadata that break the format.
    """
    scales = (attributes.get("ome") or attributes).get("multiscales")
    if not scales:
        inside = groups()
        below = f", such as {path}/{inside[0]}" if inside else ""
        raise InputError(
            "zarr group without an image (no multiscales)",
            path=path,
            remedy=f"give the path of an image or array in it{below}",
        )
    try:
        datasets = {str(one["path"]): one for one in scales[0]["datasets"]}
        axes, units = _axes(scales[0].get("axes"))
        wanted = next(iter(datasets)) if level is None else str(level)
        if wanted not in datasets:
            raise InputError(
                f"no level {wanted!r}: there are {', '.join(datasets)}",
                path=path,
                remedy=f"give one of them, e.g. {path}::{next(iter(datasets))}",
            )
        scale = _scale(datasets[wanted], len(axes))
        whole = _scale(scales[0], len(axes)) if scale is not None else None
        scale = scale if whole is None else [one * other for one, other in zip(scale, whole, strict=True)]
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, StopIteration) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"OME-Zarr metadata break the format: {type(error).__name__} {error}",
            path=path,
            remedy="write the group again, or give the path of its array",
        ) from error
    return OmeImage(axes=axes, level=wanted, spacing_um=_spacing_um(axes, units, scale))


def _axes(stated: Sequence[Any] | None) -> tuple[str, list[float | None]]:
    """Letters of the axes and micrometres of their units; 0.3 names them by strings, without units."""
    if stated is None:
        return _OLD_AXES, [None] * len(_OLD_AXES)
    named = [{"name": axis} if isinstance(axis, str) else axis for axis in stated]
    letters = "".join(str(axis["name"]).lower()[:1] for axis in named)
    if len(set(letters)) != len(letters):
        raise ValueError(f"axes {letters}")
    return letters, [unit_um(axis.get("unit")) for axis in named]


def _scale(dataset: Mapping[str, Any], count: int) -> list[float] | None:
    for step in dataset.get("coordinateTransformations") or ():
        if step["type"] == "scale" and "scale" in step:  # else it lies in a file of its own
            scale = [float(size) for size in step["scale"]]
            if len(scale) != count:
                raise ValueError(f"scale {scale} for {count} axes")
            return scale
    return None


def _spacing_um(axes: str, units: Sequence[float | None], scale: Sequence[float] | None) -> Spacing | None:
    if scale is None or not set("zyx") <= set(axes):
        return None
    sizes = []
    for letter in "zyx":
        unit, size = units[axes.index(letter)], scale[axes.index(letter)]
        if unit is None or not (math.isfinite(size) and size > 0):
            return None
        sizes.append(size * unit)
    return tuple(sizes)
