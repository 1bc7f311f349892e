# SPDX-License-Identifier: Apache-2.0
"""Readers' marks from the XML files of LIDC-IDRI.

Four radiologists marked each CT: nodules of 3 mm and more by a contour a slice, smaller ones and findings
that are no nodule by a point. A contour runs just outside of what it marks; ``inclusion`` FALSE marks a hole
(Armato et al. 2011, https://doi.org/10.1118/1.3528204).
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from ...utils import InputError

NODULE, SMALL, OTHER = "nodule", "small nodule", "non-nodule"
_ROOT = "LidcReadMessage"


@dataclass(frozen=True, eq=False)
class Contour:
    """A contour, or a point, in one slice.

    Args:
        sop_uid: SOPInstanceUID of the slice, "" where it is not given.
        z_mm: z of the slice in the patient, mm.
        points: (N, 2) x (column) and y (row) in pixels, counted from 0.
        inclusion: False for a hole.
    """

    sop_uid: str
    z_mm: float
    points: np.ndarray
    inclusion: bool = True


@dataclass(frozen=True)
class Mark:
    """What one reader marked: ``kind`` is NODULE (3 mm or more), SMALL or OTHER."""

    reader: int
    kind: str
    contours: tuple[Contour, ...]


@dataclass(frozen=True)
class Reading:
    """All marks of one series, and how many readers there were."""

    path: str
    series_uid: str
    readers: int
    marks: tuple[Mark, ...]


def is_lidc_xml(path: str | PathLike) -> bool:
    """Say by its first bytes whether a file is a reading of LIDC's CTs."""
    try:
        with Path(path).open("rb") as file:
            return _ROOT.encode() in file.read(1000)
    except OSError:
        return False


def read_lidc_xml(path: str | PathLike) -> Reading:
    """Read one file.

    Raises:
        InputError: unreadable, no XML, no reading of a CT, or a mark without place.
    """
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot be read as XML: {reason}", path=path, remedy="unpack the file again"
        ) from error
    series = _text(root, "SeriesInstanceUid")
    if _name(root) != _ROOT or not series:
        raise InputError(
            f"not a reading of LIDC's CTs: <{_name(root)}>",
            path=path,
            remedy=f"give the XML files with <{_ROOT}> and a SeriesInstanceUid",
        )
    sessions = [child for child in root if _name(child) == "readingSession"]
    marks = [mark for reader, session in enumerate(sessions) for mark in _marks(session, reader, path)]
    return Reading(str(path), series, len(sessions), tuple(marks))


def _marks(session: ET.Element, reader: int, path: str | PathLike) -> Iterator[Mark]:
    for element in session:
        if _name(element) == "unblindedReadNodule":
            contours = tuple(_contour(roi, "edgeMap", path) for roi in element if _name(roi) == "roi")
            # ratings are given for nodules of 3 mm and more; in some files one without ratings has a contour
            rated = any(_name(child) == "characteristics" and len(child) for child in element)
            large = rated or sum(len(contour.points) for contour in contours) > 1
            if contours:
                yield Mark(reader, NODULE if large else SMALL, contours)
        elif _name(element) == "nonNodule":
            yield Mark(reader, OTHER, (_contour(element, "locus", path),))


def _contour(element: ET.Element, points_name: str, path: str | PathLike) -> Contour:
    try:
        points = [
            (float(_text(point, "xCoord")), float(_text(point, "yCoord")))
            for point in element
            if _name(point) == points_name
        ]
        z_mm = float(_text(element, "imageZposition"))
    except ValueError:
        points, z_mm = [], math.nan
    if not points or not (math.isfinite(z_mm) and np.isfinite(points).all()):
        raise InputError(
            "a mark without its place (imageZposition, xCoord, yCoord)",
            path=path,
            remedy="unpack the file again, or remove the mark",
        )
    inclusion = _text(element, "inclusion").upper() != "FALSE"
    return Contour(_text(element, "imageSOP_UID"), z_mm, np.array(points, np.float64), inclusion)


def _name(element: ET.Element) -> str:
    """Tag without its namespace, of which LIDC's files have several."""
    return element.tag.rpartition("}")[2]


def _text(element: ET.Element, name: str) -> str:
    """Text of the first element of a name below this one; "" where there is none."""
    found = next((child for child in element.iter() if _name(child) == name), None)
    return (found.text or "").strip() if found is not None else ""
