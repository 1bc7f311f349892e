# SPDX-License-Identifier: Apache-2.0
"""Candidates as the JSON of boxes that scripts around MONAI's detection module read."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .case import NoduleCase
from .ranked import score, write_json

SECTION = "validation"


def boxes_record(case: NoduleCase) -> dict[str, Any]:
    """Describe the candidates as boxes, cubes around the spheres.

    Args:
        case: the scan.

    Returns:
        "image" (the scan's file name; seriesuid of a DICOM series), "box" (N rows of x, y, z of the centre
        and three sides: mode cccwhd, world LPS mm as in LUNA16's tables), "label" (all 0, nodule) and
        "label_scores".
    """
    sides = np.repeat(case.nodules[:, 3:], 3, axis=1)
    return {
        "image": case.source or case.seriesuid,
        "box": np.round(np.concatenate([case.nodules[:, :3], sides], axis=1), 4),
        "label": [0] * len(case),
        "label_scores": [score(value) for value in case.probability],
    }


def write_boxes_json(path: str | PathLike, case: NoduleCase) -> Path:
    """Write :func:`boxes_record` as the only entry of a datalist's section "validation".

    The names of the keys are those of MONAI's bundle lung_nodule_ct_detection
    (https://github.com/Project-MONAI/model-zoo), the section that of its datalists, so that a list of
    predictions is read like one of annotations.

    Args:
        path: JSON file to write.
        case: the scan.

    Returns:
        ``path``.
    """
    return write_json(path, {SECTION: [boxes_record(case)]})
