# SPDX-License-Identifier: Apache-2.0
"""The voxel size that a TIFF states, where it states one."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from os import PathLike
from xml.etree import ElementTree

import tifffile

Spacing = tuple[float, float, float]

UNITS_UM = {
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "m": 1e6, "meter": 1e6, "metre": 1e6,
    "in": 25_400.0, "inch": 25_400.0,
    "a": 1e-4, "angstrom": 1e-4,
}  # fmt: skip
_TAG_UNITS_UM = {2: 25_400.0, 3: 10_000.0}  # ResolutionUnit: inch, centimetre
# What programs write that know no voxel size: screens, printers, and 1.
_DEFAULT_DPI = (72, 96, 100, 120, 150, 200, 300, 400, 600, 1200)

logger = logging.getLogger(__name__)


def unit_um(name: str | None) -> float | None:
    """Micrometres of a unit of length by its name, in any spelling that files use; None where unknown."""
    text = str(name or "").strip().lower().replace("\\u00b5", "u")
    for sign in ("\u00b5", "\u03bc"):  # micro sign and Greek mu
        text = text.replace(sign, "u")
    return UNITS_UM.get(text.replace("\u00e5", "a"))


def tiff_spacing(tiff: tifffile.TiffFile, path: str | PathLike) -> tuple[Spacing | None, str]:
    """Voxel size of a TIFF, from OME's or ImageJ's description, else its resolution tags.

    A file may tell the size of a pixel but not the distance of slices. If its pixels are square, the
    distance is taken to be the same, with a line in the log.

    Args:
        tiff: the open file.
        path: its name, for the log.

    Returns:
        (z, y, x) in micrometres, None where not stated (tags that hold a screen's or printer's resolution
        state nothing), and where it comes from.
    """
    for source, read in (("OME", _ome), ("ImageJ", _imagej), ("TIFF resolution", _tags)):
        z, y, x = read(tiff)
        if y is None or x is None:
            continue
        if z is None and math.isclose(y, x, rel_tol=1e-3):
            logger.warning("%s: no distance of slices is stated: taken as that of pixels, %g um", path, x)
            z, source = x, f"{source}, slices as pixels"
        if z is not None:
            return (z, y, x), source
    return None, ""


def _ome(tiff: tifffile.TiffFile) -> list[float | None]:
    if not tiff.is_ome:
        return [None, None, None]
    try:
        root = ElementTree.fromstring(tiff.ome_metadata)
    except ElementTree.ParseError:
        return [None, None, None]
    pixels = next((node for node in root.iter() if node.tag.rpartition("}")[2] == "Pixels"), None)
    return [_ome_size({} if pixels is None else pixels.attrib, letter) for letter in "ZYX"]


def _ome_size(attributes: Mapping[str, str], letter: str) -> float | None:
    unit = unit_um(attributes.get(f"PhysicalSize{letter}Unit", "um"))  # OME's default
    return _positive(attributes.get(f"PhysicalSize{letter}"), unit)


def _imagej(tiff: tifffile.TiffFile) -> list[float | None]:
    if not tiff.is_imagej:
        return [None, None, None]
    about = tiff.imagej_metadata or {}
    unit = unit_um(about.get("unit"))
    tags = tiff.pages.first.tags
    pixels = [_inverse(tags.valueof(f"{letter}Resolution"), unit) for letter in "YX"]
    return [_positive(about.get("spacing"), unit), *pixels]


def _tags(tiff: tifffile.TiffFile) -> list[float | None]:
    tags = tiff.pages.first.tags
    unit = _TAG_UNITS_UM.get(int(tags.valueof("ResolutionUnit", default=1)))
    sizes = [_inverse(tags.valueof(f"{letter}Resolution"), unit) for letter in "YX"]
    if any(size is not None and _is_default(size, unit) for size in sizes):
        return [None, None, None]
    return [None, *sizes]


def _is_default(size_um: float, unit: float) -> bool:
    dots = 25_400.0 / size_um
    return unit / size_um <= 1.0 or any(abs(dots - default) < 0.5 for default in _DEFAULT_DPI)


def _inverse(resolution: tuple[int, int] | None, unit: float | None) -> float | None:
    if not resolution or not resolution[0]:
        return None
    return _positive(resolution[1] / resolution[0], unit)


def _positive(value: str | float | None, unit: float | None) -> float | None:
    try:
        size = float(value) * unit
    except (TypeError, ValueError):  # not stated, or no unit that is known
        return None
    return size if math.isfinite(size) and size > 0 else None
