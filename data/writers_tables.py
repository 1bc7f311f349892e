# SPDX-License-Identifier: Apache-2.0
"""Tables of findings: one row a slice, or one row a volume."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..utils import InputError, atomic_path
from ..visualize.checks import check_presence
from ..visualize.selection import count_pixels

Row = dict[str, Any]


def write_presence_csv(
    path: str | PathLike,
    *,
    volume: str,
    class_names: Sequence[str],
    presence: np.ndarray | None,
    mask: np.ndarray,
    spacing_mm: Sequence[float] | None = None,
) -> Path:
    """Write one row a slice: volume, slice (from 1), and per class its probability and its area.

    Columns of a class: ``<class>_probability``, ``<class>_area_px``, ``<class>_area_mm2``. What is not known
    stays blank, so that the columns are the same for all volumes.

    Args:
        path: CSV file to write.
        volume: the volume's name.
        class_names: names of classes 1..K.
        presence: (K, D) probabilities 0-1, or None.
        mask: (H, W, D) class indices.
        spacing_mm: distance between rows, columns and slices in mm, or None where unknown.

    Returns:
        ``path``.

    Raises:
        InputError: presence or spacing of the wrong form, or a class without a name in the mask.
    """
    areas = count_pixels(mask, len(class_names))
    if presence is not None:
        check_presence(presence, *areas.shape)
    area_mm2 = None if spacing_mm is None else float(np.prod(_checked_spacing(spacing_mm)[:2]))
    rows = []
    for index in range(areas.shape[1]):
        row: Row = {"volume": volume, "slice": index + 1}
        for k, name in enumerate(class_names):
            row[f"{name}_probability"] = "" if presence is None else _number(presence[k, index])
            row[f"{name}_area_px"] = int(areas[k, index])
            row[f"{name}_area_mm2"] = "" if area_mm2 is None else _number(areas[k, index] * area_mm2)
        rows.append(row)
    return _write(path, rows)


def summarize_volume(
    *,
    volume: str,
    class_names: Sequence[str],
    presence: np.ndarray | None,
    mask: np.ndarray,
    spacing_mm: Sequence[float] | None = None,
) -> Row:
    """Sum a volume up in one row for :func:`write_volume_csv`.

    Args:
        volume: the volume's name.
        class_names: names of classes 1..K.
        presence: (K, D) probabilities 0-1, or None.
        mask: (H, W, D) class indices.
        spacing_mm: distance between rows, columns and slices in mm, or None where unknown.

    Returns:
        volume, slices, and per class ``<class>_max_probability``, ``<class>_slices`` (slices in which the
        mask has the class), ``<class>_voxels`` and ``<class>_volume_mm3``; unknown values are blank.

    Raises:
        InputError: presence or spacing of the wrong form, or a class without a name in the mask.
    """
    areas = count_pixels(mask, len(class_names))
    if presence is not None:
        check_presence(presence, *areas.shape)
    voxel_mm3 = None if spacing_mm is None else float(np.prod(_checked_spacing(spacing_mm)))
    row: Row = {"volume": volume, "slices": areas.shape[1]}
    for k, name in enumerate(class_names):
        voxels = int(areas[k].sum())
        row[f"{name}_max_probability"] = "" if presence is None else _number(presence[k].max())
        row[f"{name}_slices"] = int((areas[k] > 0).sum())
        row[f"{name}_voxels"] = voxels
        row[f"{name}_volume_mm3"] = "" if voxel_mm3 is None else _number(voxels * voxel_mm3)
    return row


def write_volume_csv(path: str | PathLike, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write one row a volume.

    Args:
        path: CSV file to write.
        rows: rows of :func:`summarize_volume`, all with the same columns.

    Returns:
        ``path``.

    Raises:
        InputError: no rows, or rows with different columns.
    """
    if not rows:
        raise InputError("no volumes to list", path=path)
    for row in rows:
        if list(row) != list(rows[0]):
            raise InputError(
                f"volume {row.get('volume')} has other columns than {rows[0].get('volume')}",
                path=path,
                remedy="list only volumes with the same classes in one table",
            )
    return _write(path, rows)


def _write(path: str | PathLike, rows: Sequence[Mapping[str, Any]]) -> Path:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return Path(path)


def _number(value: float) -> str:
    """Format to six significant digits, without the exponents that spreadsheets misread."""
    return np.format_float_positional(float(value), precision=6, fractional=False, trim="-")


def _checked_spacing(spacing_mm: Sequence[float]) -> np.ndarray:
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(
            f"spacing {spacing.tolist()} mm",
            remedy="give three positive distances: rows, columns, slices, in mm",
        )
    return spacing
