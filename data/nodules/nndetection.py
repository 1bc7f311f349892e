# SPDX-License-Identifier: Apache-2.0
"""nnDetection's data sets: images, masks with a number for each nodule, and a JSON beside each mask.

https://github.com/MIC-DKFZ/nnDetection: ``imagesTr/<case>_0000.nii.gz``, ``labelsTr/<case>.nii.gz`` and
``labelsTr/<case>.json`` with ``{"instances": {"1": 0, ...}}``: number in the mask -> class.
"""

from __future__ import annotations

import json
import logging
import math
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ...utils import InputError
from ...utils.world import voxel_to_world
from ..readers import read_volume

_logger = logging.getLogger("tomobundles")

Item = dict[str, Any]
_CHANNEL = "_0000.nii.gz"
_FOLDERS = {"training": ("imagesTr", "labelsTr"), "test": ("imagesTs", "labelsTs")}


def nndetection_root(root: Path) -> Path | None:
    """The folder that holds imagesTr: ``root`` or its raw_splitted; None if neither does."""
    return next((folder for folder in (root, root / "raw_splitted") if (folder / "imagesTr").is_dir()), None)


def nndetection_sections(root: Path) -> set[str]:
    """Sections that a data set has a folder of images for."""
    folder = nndetection_root(root)
    return {name for name, (images, _) in _FOLDERS.items() if folder and (folder / images).is_dir()}


def read_nndetection(root: str | PathLike) -> dict[str, list[Item]]:
    """Read a data set of nnDetection's; every mask with a nodule is read, once, so save the result.

    Returns:
        "training" and "test" -> items with "image", "patient", "seriesuid", and where there is a label
        "label" and "mask" (numbers of nodules, 0 elsewhere).

    Raises:
        InputError: no such layout, several channels, a case without label in training, a label
            without its image, or see :func:`instances_to_nodules`.
    """
    folder = nndetection_root(Path(root))
    if folder is None:
        raise InputError("no folder imagesTr here", path=root, remedy="give a task's folder of nnDetection")
    _logger.info("reading nodules from the masks in %s", folder)
    sections = {name: _items(folder / images, folder / labels) for name, (images, labels) in _FOLDERS.items()}
    for item in sections["training"]:
        if "label" not in item:
            raise InputError("no label of this case", path=item["image"], remedy="restore it in labelsTr")
    return sections


def instances_to_nodules(mask: str | PathLike, table: str | PathLike) -> list[list[float]]:
    """Nodules of a mask: an instance's centroid, and the diameter of the sphere of its volume.

    Args:
        mask: NIfTI with a number for each nodule.
        table: JSON with "instances", number -> class; all classes are taken.

    Returns:
        rows x, y, z, diameter_mm in LPS mm, by number.

    Raises:
        InputError: a file that cannot be read, or numbers of the two that differ.
    """
    numbers = _instances(Path(table))
    if not numbers:
        return []
    labels, meta = read_volume(mask)
    if labels.dtype.kind == "f":
        labels = labels.astype(np.int32)
    boxes = ndimage.find_objects(labels)
    present = {index + 1 for index, box in enumerate(boxes) if box is not None}
    if present != numbers:
        lone = min(present ^ numbers)
        raise InputError(
            f"instance {lone} is in {'the mask' if lone in present else 'the JSON'} only",
            path=table,
            remedy=f"mend {Path(table).name} or {Path(mask).name}",
        )
    voxel_mm3 = abs(np.linalg.det(meta["affine"][:3, :3]))
    rows = []
    for number in sorted(numbers):
        box = boxes[number - 1]
        voxels = np.argwhere(labels[box] == number)
        centre = voxels.mean(axis=0) + [part.start for part in box]
        diameter = math.cbrt(6 * len(voxels) * voxel_mm3 / math.pi)
        rows.append([*voxel_to_world(centre, meta["affine"])[0].tolist(), diameter])
    return rows


def _items(images: Path, labels: Path) -> list[Item]:
    files = sorted(images.glob("*.nii.gz")) if images.is_dir() else []
    items = []
    for file in files:
        if not file.name.endswith(_CHANNEL):
            raise InputError(
                f"no single channel: the name does not end in {_CHANNEL}", path=file, remedy="give CT alone"
            )
        case = file.name.removesuffix(_CHANNEL)
        item: Item = {"image": str(file), "patient": case, "seriesuid": case}
        mask, table = labels / f"{case}.nii.gz", labels / f"{case}.json"
        if mask.is_file() != table.is_file():
            lone, other = (mask, table) if mask.is_file() else (table, mask)
            raise InputError(f"{other.name} is missing beside it", path=lone, remedy="restore it")
        if mask.is_file():
            nodules = instances_to_nodules(mask, table)
            item |= {"label": {"nodules": nodules, "excluded": []}, "mask": str(mask)}
        items.append(item)
    cases = {item["seriesuid"] for item in items}
    orphans = [file for file in sorted(labels.glob("*.json")) if file.stem not in cases]
    if orphans:
        raise InputError(
            f"a label without its image in {images}", path=orphans[0], remedy="restore the image"
        )
    return items


def _instances(table: Path) -> set[int]:
    try:
        instances = json.loads(table.read_text(encoding="utf-8"))["instances"]
        return {int(number) for number in instances}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"cannot be read as a table of instances: {type(error).__name__}",
            path=table,
            remedy='write {"instances": {"1": 0, ...}}: number in the mask, class',
        ) from error
