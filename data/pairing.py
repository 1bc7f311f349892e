# SPDX-License-Identifier: Apache-2.0
"""Volumes and labels paired by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..utils import InputError
from .discover import is_volume
from .writers_names import volume_name


def pair_by_name(
    *, images: Path, labels: Path, label_suffix: str = "", patient: str = r"^[^_]+"
) -> list[dict[str, Any]]:
    """Pair each volume with the label of its name.

    Args:
        images: folder of volumes.
        labels: folder of labels; may be the same folder where ``label_suffix`` tells them apart.
        label_suffix: what a label's name has after its volume's.
        patient: regular expression searched in a volume's name; its first group, or the whole match, is the
            patient.

    Returns:
        items with "image", "label" and "patient", sorted by name.

    Raises:
        InputError: an empty folder, two volumes of one name, a volume without label or the reverse, a bad
            pattern, or a name in which it finds no patient.
    """
    marks = {
        name.removesuffix(label_suffix): path
        for name, path in _volumes(labels).items()
        if name.endswith(label_suffix)
    }
    scans = _volumes(images)
    if label_suffix and images.resolve() == labels.resolve():
        scans = {name: path for name, path in scans.items() if not name.endswith(label_suffix)}
    _check(scans, marks, images=images, labels=labels)
    return [
        {"image": str(scans[name]), "label": str(marks[name]), "patient": _patient(scans[name], patient)}
        for name in sorted(scans)
    ]


def _volumes(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError("no such folder", path=folder, remedy="check --images and --labels")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not is_volume(path):
            continue
        if (other := found.setdefault(volume_name(path), path)) != path:
            raise InputError(
                f"{other.name} has the same name", path=path, remedy="give volumes distinct names"
            )
    return found


def _check(scans: dict[str, Path], marks: dict[str, Path], *, images: Path, labels: Path) -> None:
    if not scans:
        raise InputError("no volume found here", path=images, remedy="check --images")
    if bare := sorted(set(scans) - set(marks)):
        raise InputError(
            f"volume without a label of its name in {labels}",
            path=scans[bare[0]],
            remedy="check --label_suffix",
        )
    if orphans := sorted(set(marks) - set(scans)):
        raise InputError(
            f"label without a volume of its name in {images}",
            path=marks[orphans[0]],
            remedy="restore the volume or remove the label",
        )


def _patient(path: Path, pattern: str) -> str:
    try:
        match = re.search(pattern, volume_name(path))
    except re.error as error:
        raise InputError(f"--patient {pattern!r} is not a regular expression: {error}") from error
    if match is None:
        raise InputError(f"no patient found in this name by {pattern!r}", path=path, remedy="mend --patient")
    return match.group(1) if match.groups() else match.group(0)
