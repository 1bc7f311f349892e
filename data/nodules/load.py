# SPDX-License-Identifier: Apache-2.0
"""Labels of nodules as arrays in the world, checked against the image that they belong to."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import Transform

from ...utils import InputError
from .checks import check_inside, check_nodules

_logger = logging.getLogger("tomobundles")


class LoadNodulesd(Transform):
    """Turn a scan's label into world arrays.

    Comes after ``LoadVolumed``. Adds "nodules" (N, 4) and "excluded" (M, 4), float64 rows x, y, z,
    diameter_mm in LPS mm (an excluded diameter of -1 is unknown), both (0, 4) where there is no label.
    "false_positives" (rows x, y, z, diameter, see ``with_false_positives``) becomes such an array where it is
    there. The label's key is removed.

    Args:
        image_key: key of the loaded image (1, H, W, D) with its affine.
        label_key: key of the label, see ``check_nodules``.

    Raises:
        InputError: and when called: a label of another form, or a nodule outside the image: the message names
            its row. An excluded finding outside the image is logged, since it can do no harm.
    """

    def __init__(self, *, image_key: str = "image", label_key: str = "label") -> None:
        self.image_key = image_key
        self.label_key = label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace the label by arrays."""
        result = dict(data)
        image = result[self.image_key]
        path = getattr(image, "meta", {}).get("filename_or_obj")
        label = result.pop(self.label_key, None)
        checked = check_nodules({"nodules": []} if label is None else label, path=path)
        for name in ("nodules", "excluded"):
            result[name] = _array(checked[name])
        if "false_positives" in result:
            result["false_positives"] = _array(result["false_positives"])
        place = {
            "affine": np.asarray(image.affine, np.float64),
            "shape": tuple(image.shape[1:]),
            "path": path,
        }
        check_inside(result["nodules"][:, :3], where=_origins(checked), **place)
        try:
            names = [f"excluded[{index}]" for index in range(len(result["excluded"]))]
            check_inside(result["excluded"][:, :3], where=names, **place)
        except InputError as error:
            _logger.warning("%s: %s", path, error.problem.replace("nodule", "excluded finding", 1))
        return result


def _array(rows: Any) -> np.ndarray:
    return np.asarray(rows, np.float64).reshape(-1, 4)


def _origins(label: Mapping[str, Any]) -> Sequence[str]:
    """Where each nodule comes from, in words."""
    count, lines = len(label["nodules"]), label.get("lines", ())
    if len(lines) == count and label.get("source"):
        return [f"{Path(str(label['source'])).name}, line {line}" for line in lines]
    return [f"nodules[{index}]" for index in range(count)]
