# SPDX-License-Identifier: Apache-2.0
"""Results of a volume to disk: masks, submissions, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from ..utils import InputError
from ..visualize import count_pixels, draw_animation, draw_contact_sheet, draw_overlays, draw_presence_strip
from ..visualize.checks import IGNORE_LABEL, check_presence, check_volumes
from .writers_contest import write_contest_submission, zip_submission
from .writers_masks import write_mask_like
from .writers_names import LABEL_SUFFIX, volume_name
from .writers_tables import summarize_volume, write_presence_csv, write_volume_csv

__all__ = [
    "FORMS",
    "LABEL_SUFFIX",
    "summarize_volume",
    "volume_name",
    "write_contest_submission",
    "write_mask_like",
    "write_presence_csv",
    "write_results",
    "write_volume_csv",
    "zip_submission",
]


@dataclass(frozen=True)
class _Results:
    """All that is known about one volume, and where it goes: ``folder/name...``."""

    source: str | PathLike
    image: np.ndarray
    mask: np.ndarray | None
    presence: np.ndarray | None
    class_names: Sequence[str]
    folder: Path
    name: str
    label_values: Mapping[int, int] | None
    spacing_mm: Sequence[float] | None
    reference: np.ndarray | None
    axes: str | None

    def path(self, ending: str) -> Path:
        return self.folder / f"{self.name}{ending}"

    @property
    def columns(self) -> dict[str, np.ndarray]:
        reference = {} if self.reference is None else {"Reference": self.reference}
        return {**reference, "Prediction": self.mask}


def write_results(
    *,
    source: str | PathLike,
    image: np.ndarray,
    mask: np.ndarray | None,
    presence: np.ndarray | None,
    class_names: Sequence[str],
    output_dir: str | PathLike,
    label_values: Mapping[int, int] | None = None,
    spacing_mm: Sequence[float] | None = None,
    forms: Sequence[str] = ("mask", "csv", "overlays", "animation"),
    reference: np.ndarray | None = None,
    name: str | None = None,
    axes: str | None = None,
) -> list[Path]:
    """Write the results of one volume into ``output_dir/<name>/``.

    Args:
        source: file or folder the volume was read from; gives the name and the form of the mask.
        image: (H, W, D) gray values of any real type.
        mask: (H, W, D) predicted class indices, or None from a network that only detects; forms that show a
            mask are then left out.
        presence: (K, D) probability of each class in each slice, 0-1, or None from a network that only
            segments.
        class_names: names of classes 1..K.
        output_dir: folder that gets one folder a volume.
        label_values: class index -> value in the mask's files; None writes class indices.
        spacing_mm: distance between rows, columns and slices in mm, or None where unknown.
        forms: which results, of ``FORMS``: "mask" (the input's own form), "csv" (a row a slice, and a row for
            the volume), "overlays" (a PNG a slice), "animation" (GIF), "contact_sheet" (PNG),
            "presence_strip" (PNG; nothing without presence), "contest" (two .npy for the contest's scoring).
        reference: (H, W, D) class indices of the ground truth, for the pictures; 255 is not annotated.
        name: name of the results; None derives it from ``source``.
        axes: order of a .npy's or NIfTI's stored axes, as given to :func:`read_volume`.

    Returns:
        the files and folders written, in the order of ``forms``.

    Raises:
        InputError: an unknown form, or an array that does not fit the others.
    """
    unknown = [form for form in forms if form not in FORMS]
    if unknown:
        raise InputError(f"unknown form of results {unknown[0]!r}", remedy=f"known are {', '.join(FORMS)}")
    check_volumes(image, *(one for one in (mask, reference) if one is not None))
    # Counting refuses classes without a name before anything is written.
    if mask is not None:
        count_pixels(mask, len(class_names))
    if reference is not None:
        count_pixels(reference, len(class_names), ignore_label=IGNORE_LABEL)
    if presence is not None:
        check_presence(presence, len(class_names), image.shape[-1])
    name = volume_name(source) if name is None else name
    folder = Path(output_dir) / name
    results = _Results(
        source, image, mask, presence, class_names, folder, name, label_values, spacing_mm, reference, axes
    )
    written = [form for form in forms if mask is not None or form in _WITHOUT_MASK]
    return [path for form in written for path in FORMS[form](results)]


def _mask(results: _Results) -> list[Path]:
    options = {"label_values": results.label_values, "axes": results.axes}
    return [write_mask_like(results.source, results.mask, results.folder, **options)]


def _csv(results: _Results) -> list[Path]:
    content = {
        "volume": results.name,
        "class_names": results.class_names,
        "presence": results.presence,
        "mask": results.mask,
        "spacing_mm": results.spacing_mm,
    }
    slices = write_presence_csv(results.path("_presence.csv"), **content)
    return [slices, write_volume_csv(results.path("_volume.csv"), [summarize_volume(**content)])]


def _overlays(results: _Results) -> list[Path]:
    folder = results.path("_overlays")
    draw_overlays(folder, results.image, results.mask)
    return [folder]


def _animation(results: _Results) -> list[Path]:
    options = {"class_names": results.class_names, "reference": results.reference}
    return [draw_animation(results.path(".gif"), results.image, results.mask, **options)]


def _contact_sheet(results: _Results) -> list[Path]:
    path = results.path("_contact_sheet.png")
    return [draw_contact_sheet(path, results.image, results.columns, class_names=results.class_names)]


def _presence_strip(results: _Results) -> list[Path]:
    if results.presence is None:
        return []
    names = results.class_names
    reference = None
    if results.reference is not None:
        reference = count_pixels(results.reference, len(names), ignore_label=IGNORE_LABEL) > 0
    path = results.path("_presence.png")
    return [draw_presence_strip(path, results.presence, class_names=names, reference=reference)]


def _contest(results: _Results) -> list[Path]:
    return [*write_contest_submission(results.folder, results.name, results.mask, results.presence)]


_WITHOUT_MASK = ("csv", "presence_strip")
FORMS: dict[str, Callable[[_Results], list[Path]]] = {
    "mask": _mask,
    "csv": _csv,
    "overlays": _overlays,
    "animation": _animation,
    "contact_sheet": _contact_sheet,
    "presence_strip": _presence_strip,
    "contest": _contest,
}
