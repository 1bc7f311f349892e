# SPDX-License-Identifier: Apache-2.0
"""What an evaluation keeps of a chest CT: candidates, nodules, and rows of tables made of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine

from ..data.writers_names import volume_name
from ..metrics import ScanMatch, match_scan, sphere_errors
from ..metrics.nodule_matching import MAX_MARKS
from ..utils import InputError, gather_in_order
from .rows import Row


@dataclass(frozen=True, kw_only=True)
class ScanRecord:
    """One scan, in plain lists that any process can send to the others.

    Args:
        seriesuid: name of the scan in the contest's tables.
        patient: the patient's pseudonym.
        world: N candidates x, y, z, diameter in mm (LPS); a diameter may be NaN.
        probability: of the candidates.
        nodules: M annotated nodules x, y, z, diameter.
        excluded: E findings that count neither way; a negative diameter is not known.
        quality: record of the lung segmentation.
        masks: scores of the nodule mask, where there is one.
    """

    seriesuid: str
    patient: str = ""
    world: list[list[float]] = field(default_factory=list)
    probability: list[float] = field(default_factory=list)
    nodules: list[list[float]] = field(default_factory=list)
    excluded: list[list[float]] = field(default_factory=list)
    quality: Row = field(default_factory=dict)
    masks: Row = field(default_factory=dict)

    def match(self, *, max_marks: int = MAX_MARKS) -> ScanMatch:
        """Match the candidates with the nodules.

        Raises:
            InputError: what ``match_scan`` raises, with the scan's name.
        """
        try:
            return match_scan(
                points=[row[:3] for row in self.world],
                probability=self.probability,
                nodules=self.nodules,
                excluded=self.excluded,
                max_marks=max_marks,
            )
        except InputError as error:
            raise InputError(error.problem, path=self.seriesuid, remedy=error.remedy) from error


def engine_scans(engine: Engine) -> Iterator[tuple[Row, Row]]:
    """Yield (output, batch item) of each scan of an evaluator's iteration.

    Output and batch are a dictionary, of a batch of one scan, or a list of them.
    """
    output, batch = engine.state.output, engine.state.batch
    outputs = [output] if isinstance(output, Mapping) else output
    items = [batch] if isinstance(batch, Mapping) else batch
    yield from zip(outputs, items, strict=True)


def scan_record(pred: Mapping[str, Any], item: Mapping[str, Any], *, masks: Row | None = None) -> ScanRecord:
    """Take over what is needed of a scan.

    Args:
        pred: the detection result: "world" (N, 4) x, y, z, diameter in mm and "probability" (N,).
        item: the batch item with "nodules" and "excluded" (either may be missing), and its names.
        masks: scores of the nodule mask.

    Raises:
        InputError: no world coordinates.
    """
    uid = scan_uid(item)
    if "world" not in pred:
        raise InputError(
            "the candidates have no world coordinates",
            path=uid,
            remedy="put NodulesToWorldd in postprocessing",
        )
    return ScanRecord(
        seriesuid=uid,
        patient=str(item.get("patient", "")),
        world=_rows(pred["world"]),
        probability=_array(pred["probability"]).ravel().tolist(),
        nodules=_rows(item.get("nodules", ())),
        excluded=_rows(item.get("excluded", ())),
        quality=dict(item.get("lung_quality") or {}),
        masks=masks or {},
    )


def scan_uid(item: Mapping[str, Any]) -> str:
    """Name a scan as the contest's tables do: seriesuid, SeriesInstanceUID, or the file's name."""
    meta = getattr(item.get("image"), "meta", {})
    for known in (item.get("seriesuid"), item.get("series_uid"), meta.get("series_uid")):
        if known:
            return str(known)
    source = meta.get("filename_or_obj")
    return volume_name(str(source)) if source else str(item.get("name", ""))


def gather_records(records: Sequence[ScanRecord]) -> list[ScanRecord]:
    """All ranks' records in the data set's order; a named scan that two ranks did comes once."""
    return gather_in_order(
        records, pack=asdict, unpack=lambda known: ScanRecord(**known), key=_identity, default=_plain
    )


def _identity(known: Mapping[str, Any]) -> str | None:
    """What two ranks have in common that did one scan, with the nodules of one reader."""
    parts = [known[key] for key in ("patient", "seriesuid", "nodules", "excluded")]
    return json.dumps(parts) if known["seriesuid"] else None


def scan_row(record: ScanRecord, match: ScanMatch) -> Row:
    """A scan's row of scans.csv."""
    false = match.false_positive_probability
    return {
        "seriesuid": record.seriesuid,
        "patient": record.patient,
        "nodules": len(match.diameters),
        "found": int(match.found.sum()),
        "candidates": match.candidates,
        "marks": match.marks,
        "false_positives": len(match.false_positives),
        "in_excluded": len(match.excluded),
        "double_hits": match.doubles,
        "shared_hits": match.shared,
        "top_false_positive": float(false.max()) if len(false) else math.nan,
        "level_hu": record.quality.get("level_hu"),
        "warnings": "; ".join(map(str, record.quality.get("warnings") or ())),
    }


def nodule_rows(record: ScanRecord, match: ScanMatch) -> list[Row]:
    """A scan's rows of nodules.csv, one an annotated nodule."""
    centre, size = sphere_errors(record.world, record.nodules, match.hit_index)
    names = ("coordX", "coordY", "coordZ", "diameter_mm")
    return [
        {"seriesuid": record.seriesuid, "patient": record.patient}
        | dict(zip(names, map(float, record.nodules[index]), strict=True))
        | {
            "found": int(match.found[index]),
            "probability": float(match.hit_probability[index]),
            "rank": int(match.hit_rank[index]) or None,
            "centre_error_mm": float(centre[index]),
            "diameter_error_mm": float(size[index]),
        }
        for index in range(len(match.diameters))
    ]


def _array(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().as_subclass(torch.Tensor).cpu().double().numpy()
    return np.asarray(values, np.float64)


def _rows(values: Any) -> list[list[float]]:
    array = _array(values)
    return array.tolist() if array.size else []


def _plain(value: Any) -> Any:
    """Numbers of numpy and torch in a quality record."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
