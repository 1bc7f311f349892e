# SPDX-License-Identifier: Apache-2.0
"""RSNA 2019's haemorrhage data: one flat folder of DICOM files and a long table of labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils import InputError
from .dicom.headers import read_header
from .ich_tables import read_rsna_csv
from .slice_labels import Values
from .slices import natural_key

_logger = logging.getLogger("tomobundles")

Slices = list[tuple[str, Path]]  # (SOPInstanceUID, file)


def read_rsna(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Read ``stage_2_train/*.dcm`` and stage_2_train.csv: one item a series, grouped by header.

    The files' names tell no series, so that all headers are read (the whole set has 752,803 files): save the
    result with ``save_datalist`` and train from that.

    Returns:
        "training" -> items with "image" (the flat folder), "series_uid" and its "files", "patient" (a hash of
        PatientID), and "label" by SOPInstanceUID.

    Raises:
        InputError: see ``read_rsna_csv``; a label without its file, or no file that can be read.
    """
    folder, path = root / "stage_2_train", root / "stage_2_train.csv"
    table = read_rsna_csv(path)
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".dcm")
    if missing := sorted(set(table) - {file.stem for file in files}, key=natural_key):
        raise InputError(
            f"label for a missing slice: {missing[0]!r} is not in {folder}",
            path=path,
            remedy=f"restore the slice or remove its rows ({len(missing)} slices are missing)",
        )
    series = _group(files, folder)
    unlabelled = sum(file.stem not in table for _, slices in series.values() for _, file in slices)
    if unlabelled:
        _logger.info("%d slices are not in %s: their labels are unknown", unlabelled, path)
    return {"training": [_item(folder, uid, *series[uid], table) for uid in sorted(series)]}


def _group(files: Sequence[Path], folder: Path) -> dict[str, tuple[str, Slices]]:
    """Return SeriesInstanceUID -> (hashed patient, slices).

    Only headers are read; ``find_series`` would judge the geometry of all series as well.
    """
    _logger.info("reading the headers of %d files in %s", len(files), folder)
    found: dict[str, tuple[str, Slices]] = {}
    lost = []
    for file in files:
        try:
            header = read_header(file)
        except InputError as error:  # ID_6431af929 of the published set is cut off
            lost.append(error)
            continue
        if header is not None:  # not a DICOMDIR
            slices = found.setdefault(header.series_uid, (header.patient, []))[1]
            slices.append((header.sop_uid, file))
    if lost:
        # Which series they belong to is not known; the resolver finds the gap that one leaves.
        _logger.warning(
            "%d files cannot be read and are left out, first: %s",
            len(lost),
            " ".join(str(lost[0]).split()),
        )
    if not found:
        raise InputError("no DICOM file here that can be read", path=folder, remedy="unpack the data again")
    return found


def _item(
    folder: Path, uid: str, patient: str, slices: Slices, table: Mapping[str, Values]
) -> dict[str, Any]:
    known = {sop: table[file.stem] for sop, file in slices if file.stem in table}
    item: dict[str, Any] = {"image": str(folder), "series_uid": uid, "patient": patient}
    item["files"] = [str(file) for _, file in slices]
    return item | ({"label": {"slices": known}} if known else {})
