# SPDX-License-Identifier: Apache-2.0
"""Tables of findings: one row a slice, or one row a volume."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    mask: np.ndarray | None,
    spacing_mm: Sequence[float] | None = None,
) -> Path:
    """Write one row a slice: volume, slice (from 1), and per class its probability and its area.

    Columns of a class: ``<class>_probability``, ``<class>_area_px``, ``<class>_area_mm2``. What is not known
    stays blank, so that the columns are the same for all volumes.

    Args:
        path: CSV file to write.
        volume: the volume's name.
        class_names: names of classes 1..K.
        presence: (K, D) probabilities 0-1, or None from a network that only segments.
        mask: (H, W, D) class indices, or None from a network that only detects.
        spacing_mm: distance between rows, columns and slices in mm, or None where unknown.

    Returns:
        ``path``.

    Raises:
        InputError: presence or spacing of the wrong form, neither presence nor mask, or a class without a
            name in the mask.
    """
    findings = _Findings.of(class_names, presence, mask, spacing_mm)
    rows = []
    for index in range(findings.depth):
        row: Row = {"volume": volume, "slice": index + 1}
        for k, name in enumerate(class_names):
            probability, area = findings.at(k, index)
            row[f"{name}_probability"] = _number(probability)
            row[f"{name}_area_px"] = _count(area)
            row[f"{name}_area_mm2"] = _number(area, findings.pixel_mm2)
        rows.append(row)
    return _write(path, rows)


def summarize_volume(
    *,
    volume: str,
    class_names: Sequence[str],
    presence: np.ndarray | None,
    mask: np.ndarray | None,
    spacing_mm: Sequence[float] | None = None,
) -> Row:
    """Sum a volume up in one row for :func:`write_volume_csv`.

    Args:
        volume: the volume's name.
        class_names: names of classes 1..K.
        presence: (K, D) probabilities 0-1, or None from a network that only segments.
        mask: (H, W, D) class indices, or None from a network that only detects.
        spacing_mm: distance between rows, columns and slices in mm, or None where unknown.

    Returns:
        volume, slices, and per class ``<class>_max_probability``, ``<class>_slices`` (slices in which the
        mask has the class), ``<class>_voxels`` and ``<class>_volume_mm3``; unknown values are blank.

    Raises:
        InputError: presence or spacing of the wrong form, neither presence nor mask, or a class without a
            name in the mask.
    """
    findings = _Findings.of(class_names, presence, mask, spacing_mm)
    row: Row = {"volume": volume, "slices": findings.depth}
    for k, name in enumerate(class_names):
        areas = None if findings.areas is None else findings.areas[k]
        voxels = None if areas is None else areas.sum()
        row[f"{name}_max_probability"] = _number(None if presence is None else presence[k].max())
        row[f"{name}_slices"] = _count(None if areas is None else (areas > 0).sum())
        row[f"{name}_voxels"] = _count(voxels)
        row[f"{name}_volume_mm3"] = _number(voxels, findings.voxel_mm3)
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


def _count(value: int | None) -> int | str:
    return "" if value is None else int(value)


def _number(value: float | None, unit: float | None = 1) -> str:
    """Format ``value`` times ``unit`` to six digits without exponents; blank where one is not known."""
    if value is None or unit is None:
        return ""
    return np.format_float_positional(float(value) * unit, precision=6, fractional=False, trim="-")


@dataclass(frozen=True)
class _Findings:
    """What is known about a volume: (K, D) probabilities, (K, D) pixels, and the size of pixel and voxel."""

    presence: np.ndarray | None
    areas: np.ndarray | None
    pixel_mm2: float | None
    voxel_mm3: float | None

    @classmethod
    def of(
        cls,
        class_names: Sequence[str],
        presence: np.ndarray | None,
        mask: np.ndarray | None,
        spacing_mm: Sequence[float] | None,
    ) -> _Findings:
        if presence is None and mask is None:
            raise InputError("neither presence nor mask: nothing to list")
        areas = None if mask is None else count_pixels(mask, len(class_names))
        if presence is not None:
            check_presence(
                presence, len(class_names), presence.shape[-1] if areas is None else areas.shape[1]
            )
        if spacing_mm is None:
            return cls(presence, areas, None, None)
        spacing = _checked_spacing(spacing_mm)
        return cls(presence, areas, float(spacing[:2].prod()), float(spacing.prod()))

    @property
    def depth(self) -> int:
        return (self.presence if self.areas is None else self.areas).shape[1]

    def at(self, k: int, index: int) -> tuple[float | None, int | None]:
        """Return probability and pixels of class k + 1 in a slice."""
        probability = None if self.presence is None else self.presence[k, index]
        return probability, None if self.areas is None else self.areas[k, index]


def _checked_spacing(spacing_mm: Sequence[float]) -> np.ndarray:
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(
            f"spacing {spacing.tolist()} mm",
            remedy="give three positive distances: rows, columns, slices, in mm",
        )
    return spacing
