# SPDX-License-Identifier: Apache-2.0
"""The folders of AI Challenger 2018 (retinal edema in OCT) as a datalist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..utils import InputError

_FOLDERS = {
    "training": "Edema_trainingset",
    "validation": "Edema_validationset",
    "test": "Edema_testset",
}
_VOLUME_SUFFIX = ".img"
_LABEL_SUFFIX = "_labelMark"


class AIChallengerLayout:
    """Read ``Edema_*set/original_images/<name>.img/`` and ``label_images/<name>_labelMark/``, paired by name.

    The patient is the part of the name before its first underscore (``P0012_MacularCube...`` -> ``P0012``).
    The test set of the contest has no labels; where a label folder lies beside it, it is used.
    """

    def matches(self, root: Path) -> bool:
        """Say whether any of the contest's folders is in ``root``."""
        return any((root / folder / "original_images").is_dir() for folder in _FOLDERS.values())

    def __call__(self, root: Path) -> dict[str, list[dict[str, Any]]]:
        """Return section -> items.

        Raises:
            InputError: none of the folders is there, a label without its volume, or a volume without label
                where its set has labels.
        """
        if not self.matches(root):
            raise InputError(
                "neither a datalist nor the contest's folders (Edema_trainingset/original_images/...) here",
                path=root,
                remedy="name a datalist JSON with --datalist, or check --dataset_dir",
            )
        return {section: _read_set(root / folder) for section, folder in _FOLDERS.items()}


def _read_set(folder: Path) -> list[dict[str, Any]]:
    images, labels = folder / "original_images", folder / "label_images"
    if not images.is_dir():
        return []
    volumes = {_name(path): path for path in images.iterdir() if path.is_dir()}
    marks = {}
    if labels.is_dir():
        marks = {
            path.name.removesuffix(_LABEL_SUFFIX): path
            for path in labels.iterdir()
            if path.is_dir() and path.name.endswith(_LABEL_SUFFIX)
        }
    _check_pairs(volumes, marks)
    items = []
    for name in sorted(volumes):
        item: dict[str, Any] = {"image": str(volumes[name]), "patient": _patient(name)}
        if name in marks:
            item["label"] = str(marks[name])
        items.append(item)
    return items


def _name(path: Path) -> str:
    return path.name.removesuffix(_VOLUME_SUFFIX)


def _patient(name: str) -> str:
    return re.split("_", name, maxsplit=1)[0]


def _check_pairs(volumes: dict[str, Path], marks: dict[str, Path]) -> None:
    if orphans := sorted(set(marks) - set(volumes)):
        raise InputError(
            "label without a volume of its name",
            path=marks[orphans[0]],
            remedy=f"restore original_images/{orphans[0]}{_VOLUME_SUFFIX} or remove the label",
        )
    if marks and (bare := sorted(set(volumes) - set(marks))):
        raise InputError(
            "volume without a label of its name",
            path=volumes[bare[0]],
            remedy=f"restore label_images/{bare[0]}{_LABEL_SUFFIX} or remove the volume",
        )
