# SPDX-License-Identifier: Apache-2.0
"""The ranked list of one scan as text for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...utils import atomic_path
from .case import NoduleCase

_DIGITS = 4  # of mm: a tenth of a micrometre


def ranked_lines(case: NoduleCase) -> list[str]:
    """Write a line a candidate: rank, slice (from 1), probability, [x, y] pixel.

    Args:
        case: the scan.

    Returns:
        N lines, as ``1  slice 218  0.999686  [409, 293]``.
    """
    return [
        f"{rank}  slice {number + 1}  {value:.6f}  [{x}, {y}]"
        for rank, (number, value, (x, y)) in enumerate(
            zip(case.slices.tolist(), case.probability.tolist(), case.pixels.tolist(), strict=True), start=1
        )
    ]


def write_ranked_text(path: str | PathLike, case: NoduleCase) -> Path:
    """Write :func:`ranked_lines` under a header that says what the numbers are.

    Args:
        path: text file to write.
        case: the scan.

    Returns:
        ``path``.
    """
    header = [
        f"# {case.name}: {len(case)} nodule candidates, most probable first",
        f"# rank  slice (from 1, {case.slice_order})  probability  [x, y] pixel (column, row, from 0)",
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join([*header, *ranked_lines(case)]) + "\n", encoding="utf-8")
    return Path(path)


def ranked_record(case: NoduleCase) -> dict[str, Any]:
    """Collect what is known about a scan's candidates, as plain numbers and texts.

    Args:
        case: the scan.

    Returns:
        names and UIDs of the scan, "conventions", "nodules" (N records with rank, slice from 1 and from 0,
        its name and InstanceNumber, x, y, world, voxel, diameter_mm, probability, detector, and classifier
        where there is one), "lung_quality", "findings" and "seconds".
    """
    about = {
        "name": case.name,
        "patient": case.patient,
        "seriesuid": case.seriesuid,
        "study_uid": case.study_uid,
        "series_uid": case.series_uid,
        "shape": list(case.native_shape),
        "model": case.model,
        "tomobundles": __version__,
    }
    conventions = {
        "slice_number": f"from 1, {case.slice_order}",
        "slice_index": f"from 0, {case.slice_order}",
        "instance_number": "of the slice's DICOM file, by which viewers count",
        "x": "column, from 0",
        "y": "row, from 0",
        "world": "x, y, z in LPS mm",
        "voxel": "row, column, slice in the stored array, from 0",
    }
    rest = {
        "nodules": [_record(case, index) for index in range(len(case))],
        "lung_quality": case.lung_quality,
        "findings": list(case.findings),
        "seconds": case.seconds,
    }
    return plain(about | {"conventions": conventions} | rest)


def write_ranked_json(path: str | PathLike, case: NoduleCase) -> Path:
    """Write :func:`ranked_record`; return ``path``."""
    return write_json(path, ranked_record(case))


def write_lung_quality(path: str | PathLike, case: NoduleCase) -> Path:
    """Write the record of the lung segmentation, with the scan's names; return ``path``."""
    about = {"name": case.name, "patient": case.patient, "seriesuid": case.seriesuid}
    return write_json(path, about | dict(case.lung_quality))


def write_json(path: str | PathLike, content: Any) -> Path:
    """Write :func:`plain` content as strict JSON (no NaN); return ``path``."""
    with atomic_path(path) as temporary:
        text = json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return Path(path)


def plain(value: Any) -> Any:
    """Turn arrays, tensors and their numbers into what JSON knows; NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if hasattr(value, "tolist"):  # arrays and tensors of any library
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def _record(case: NoduleCase, index: int) -> dict[str, Any]:
    number = int(case.slices[index])
    scores = {} if case.classifier is None else {"classifier": score(case.classifier[index])}
    return {
        "rank": index + 1,
        "slice_number": number + 1,
        "slice_index": number,
        "slice_name": case.slice_names[number] if case.series_uid and case.slice_names else None,
        "instance_number": case.instance_number(index),
        "x": int(case.pixels[index, 0]),
        "y": int(case.pixels[index, 1]),
        "world": np.round(case.nodules[index, :3], _DIGITS),
        "voxel": np.round(case.voxel[index], _DIGITS),
        "diameter_mm": round(float(case.nodules[index, 3]), _DIGITS),
        "probability": score(case.probability[index]),
        "detector": score(case.detector[index]),
    } | scores


def score(value: float | np.floating) -> float:
    """Return a float32 score as the shortest number that reads back as itself, so that ranks are kept."""
    return float(np.format_float_positional(np.float32(value), unique=True, trim="-"))
