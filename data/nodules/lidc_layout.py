# SPDX-License-Identifier: Apache-2.0
"""LIDC-IDRI as it is downloaded: DICOM series and XML files of readings, anywhere below a folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from ...utils import InputError
from ..dicom import Series, find_series
from .lidc_nodules import Grid, lidc_label
from .lidc_xml import Reading, is_lidc_xml, read_lidc_xml

_logger = logging.getLogger("tomobundles")

Item = dict[str, Any]


def lidc_files(root: Path) -> Iterator[Path]:
    """XML files of readings of CTs below a folder; others (chest films) are left out."""
    return (file for file in sorted(root.rglob("*.xml")) if is_lidc_xml(file))


def read_lidc(root: str | PathLike, *, min_readers: int = 3) -> dict[str, list[Item]]:
    """Pair readings and DICOM series by SeriesInstanceUID, and merge the readings.

    All headers below the folder are read: save the result with ``save_datalist``.

    Args:
        root: folder of both.
        min_readers: see ``lidc_label``.

    Returns:
        "training" -> items with "image" (the series' folder), "series_uid", "seriesuid" (the same), "files",
        "patient" (a hash of PatientID) and "label".

    Raises:
        InputError: no reading, none of whose series is here; two readings of one series; a series with a
            faulty geometry; see also ``read_lidc_xml`` and ``lidc_label``.
    """
    readings = _readings(Path(root))
    series = {one.series_uid: one for one in find_series(root).series}
    here = [uid for uid in sorted(readings) if uid in series]
    if not here:
        raise InputError(
            f"{len(readings)} readings of LIDC, and none of their DICOM series",
            path=root,
            remedy="put the DICOM series below the same folder",
        )
    if absent := len(readings) - len(here):
        _logger.warning("%s: %d of %d readings have no DICOM series here", root, absent, len(readings))
    return {"training": [_item(readings[uid], series[uid], min_readers) for uid in here]}


def _readings(root: Path) -> dict[str, Reading]:
    readings: dict[str, Reading] = {}
    for file in lidc_files(root):
        reading = read_lidc_xml(file)
        if (other := readings.setdefault(reading.series_uid, reading)) is not reading:
            raise InputError(
                f"a reading of the same series as {other.path}", path=file, remedy="keep one of them"
            )
    if not readings:
        raise InputError("no XML file of LIDC's readings of CTs here", path=root, remedy="add them")
    return readings


def _item(reading: Reading, series: Series, min_readers: int) -> Item:
    first = series.slices[0]
    if series.affine is None:
        problem = series.fatal[0].message if series.fatal else "its geometry is not known"
        raise InputError(f"series {series.short_uid}: {problem}", path=first.path, remedy="leave it out")
    shape = (first.rows, first.columns, len(series.slices))
    grid = Grid(series.affine, shape, tuple(header.sop_uid for header in series.slices))
    return {
        "image": str(Path(first.path).parent),
        "patient": series.patient,
        "series_uid": series.series_uid,
        "seriesuid": series.series_uid,
        "files": [header.path for header in series.slices],
        "label": lidc_label(reading, grid, min_readers=min_readers),
    }
