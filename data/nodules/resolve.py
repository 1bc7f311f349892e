# SPDX-License-Identifier: Apache-2.0
"""Labels of nodules in datalists: rows of a table and MONAI's boxes become labels of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from ...utils import InputError
from ..label_csv import csv_rows
from .annotations import Annotation, label_of, read_annotations
from .monai_boxes import MODE, boxes_to_nodules
from .names import seriesuid_of, uid_key

Item = dict[str, Any]
_IMAGES = (".mhd", ".mha", ".nii.gz", ".nii")
_EXCLUDED = "annotations_excluded.csv"
_DEPTH = 3


class LabelResolver:
    """Bring the labels of a datalist's items to ``{"nodules": ..., "excluded": ...}``.

    - "label" as the path of an annotations.csv: the rows of the item's scan (its "seriesuid", "series_uid" or
      file name); annotations_excluded.csv beside it is read too. Without a row the scan has no nodule.
    - MONAI's "box" (its "label", class numbers, is dropped): see ``boxes_to_nodules``; "box_mode" of the item
      or the list names the mode. MONAI's lists name images as files that users have converted: an image that
      is not there is looked for by its name below the root, with any ending.

    Other items are returned as they are. Tables and the listing are read once.

    Args:
        root: folder that paths are relative to.
        source: the datalist, named in errors.
        mode: mode of boxes.
    """

    def __init__(self, root: str | PathLike, *, source: str | PathLike, mode: str = MODE) -> None:
        self.root = Path(root)
        self.source = Path(source)
        self.mode = mode
        self._tables: dict[Path, tuple[dict, dict]] = {}

    def __call__(self, item: Mapping[str, Any]) -> Item:
        """Return an item with its label resolved.

        Raises:
            InputError: a damaged table, a box that is none, or an image that is there twice.
        """
        result = dict(item)
        label = result.get("label")
        if "box" in result:
            result["image"] = self._image(str(result["image"]))
            boxes, mode = result.pop("box"), result.pop("box_mode", self.mode)
            result["label"] = {
                "nodules": boxes_to_nodules(boxes, mode=mode, path=self.source),
                "excluded": [],
            }
        elif isinstance(label, str | PathLike) and is_annotations(self.root / label):
            result["label"] = self._rows(self.root / label, seriesuid_of(result))
        return result

    def _rows(self, table: Path, name: str) -> dict[str, Any]:
        if table not in self._tables:
            excluded = table.with_name(_EXCLUDED)
            findings: dict[str, list[Annotation]] = {}
            if excluded.is_file() and excluded != table:
                findings = read_annotations(excluded, excluded=True)
            self._tables[table] = read_annotations(table), findings
        nodules, excluded = (rows.get(uid_key(name), ()) for rows in self._tables[table])
        return label_of(nodules, excluded, source=table.name)

    def _image(self, image: str) -> str:
        if (self.root / image).exists():
            return image
        found = self._listing.get(uid_key(image), [])
        if len(found) > 1:
            raise InputError(
                f"image {image} of the datalist may be {found[0].name} or {found[1].name}",
                path=self.source,
                remedy="keep one of them below dataset_dir",
            )
        return str(found[0]) if found else image

    @cached_property
    def _listing(self) -> dict[str, list[Path]]:
        """Images below the root by name."""
        found: dict[str, list[Path]] = {}
        for folder, folders, files in os.walk(self.root):
            depth = len(Path(folder).relative_to(self.root).parts)
            folders[:] = sorted(name for name in folders if depth < _DEPTH and name.lower() != "masks")
            for name in sorted(files):
                if name.lower().endswith(_IMAGES) and not name.startswith("."):
                    found.setdefault(uid_key(name), []).append(Path(folder, name))
        return found


def is_annotations(path: str | PathLike) -> bool:
    """Say by its header whether a CSV is a table of nodules; a file that is not there is none."""
    path = Path(path)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    header = next(csv_rows(path, delimiter=None), (0, []))[1]
    return "seriesuid" in (cell.strip().lower() for cell in header)
