# SPDX-License-Identifier: Apache-2.0
"""The metadata of OME-Zarr 0.4 and 0.5 for one volume (axes z, y, x): multiscales, labels, display."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Okabe and Ito's vermilion, half transparent: seen by the colour-blind, and the gray below shows
_VESSEL_RGBA = [213, 94, 0, 128]
_DESCRIPTIONS = {
    "max": "a voxel is set where any of the 2x2x2 voxels of the level before is",
    "mean": "mean of the 2x2x2 voxels of the level before",
}


@dataclass(frozen=True)
class Pyramid:
    """What the metadata says about the levels of one volume.

    Args:
        name: of the image or label.
        version: of OME-Zarr, "0.4" or "0.5".
        levels: number of levels, each half as fine as the one before.
        method: "max" or "mean" of 2x2x2 voxels.
        spacing_um: distance of slices, rows, columns on level 0; None where unknown.
    """

    name: str
    version: str
    levels: int
    method: str
    spacing_um: Sequence[float] | None

    def attributes(self, **content: Any) -> dict[str, Any]:
        """Attributes of a group; 0.5 keeps its own under one key."""
        return {"ome": {"version": self.version, **content}} if self.version == "0.5" else content

    def multiscales(self, folder: str = "") -> list[dict[str, Any]]:
        """The "multiscales" of a group whose arrays are ``<folder>0``, ``<folder>1``, ..."""
        unit = {} if self.spacing_um is None else {"unit": "micrometer"}
        content = {
            "name": self.name,
            "axes": [{"name": letter, "type": "space", **unit} for letter in "zyx"],
            "datasets": [self._dataset(folder, level) for level in range(self.levels)],
            "type": self.method,
            "metadata": {"description": _DESCRIPTIONS[self.method]},
        }
        return [content | ({"version": "0.4"} if self.version == "0.4" else {})]

    def image_label(self) -> dict[str, Any]:
        """The "image-label" of a mask whose vessels are 1, below ``labels/<name>`` of its image."""
        content = {
            "colors": [{"label-value": 1, "rgba": _VESSEL_RGBA}],
            "properties": [{"label-value": 1, "class": self.name}],
            "source": {"image": "../../"},
        }
        return content | ({"version": "0.4"} if self.version == "0.4" else {})

    def display(self, largest: int) -> dict[str, Any]:
        """The "omero" that has viewers map 0 to black and ``largest`` to white."""
        window = {"min": 0, "max": largest, "start": 0, "end": largest}
        return {"channels": [{"label": self.name, "color": "FFFFFF", "active": True, "window": window}]}

    def _dataset(self, folder: str, level: int) -> dict[str, Any]:
        fine = self.spacing_um or (1.0, 1.0, 1.0)
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": [size * 2**level for size in fine]}]
        if level:  # the centre of the first voxel lies between those of the fine voxels it covers
            shift = [size * (2**level - 1) / 2 for size in fine]
            steps.append({"type": "translation", "translation": shift})
        return {"path": f"{folder}{level}", "coordinateTransformations": steps}
