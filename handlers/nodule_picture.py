# SPDX-License-Identifier: Apache-2.0
"""What a training's log shows of a chest CT: candidates and annotated nodules in a few slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..data.nodules.case import NoduleCase
from ..data.nodules.page import nodule_marks, truth_marks
from ..visualize import compose_marked_slices
from .nodule_case import nodule_case

Scan = Mapping[str, Any]


class NodulePicture:
    """Axial slices of a chest CT with the circles of candidates (orange) and annotated nodules (blue).

    Shown are the slices through the largest nodules, then those through the most probable candidates that
    are on none of these; a candidate's probability stands beside its circle. What it reads is what
    ``NoduleResultsHandler`` reads.

    Args:
        num_slices: how many slices.
        max_candidates: how many candidates are drawn at most, the most probable first.
        height: of the picture in pixels.
    """

    def __init__(self, *, num_slices: int = 3, max_candidates: int = 10, height: int = 180) -> None:
        self.num_slices = num_slices
        self.max_candidates = max_candidates
        self.height = height

    def choose(self, output: Scan, item: Scan) -> tuple[list[int], bool]:
        """The slices through the largest nodules, and whether there is one."""
        case = self._case(output, item)
        nodules = sorted(truth_marks(case), key=lambda mark: -mark.diameter_mm)
        slices = dict.fromkeys(_axial(case, mark.centre) for mark in nodules)
        return list(slices)[: self.num_slices], bool(nodules)

    def draw(self, output: Scan, item: Scan, slices: Sequence[int]) -> np.ndarray:
        """Draw the slices; (H, W, 3) uint8."""
        case = self._case(output, item)
        found = [
            replace(mark, label=f"{probability:.2f}")
            for mark, probability in zip(
                nodule_marks(case, count=self.max_candidates), case.probability, strict=False
            )
        ]
        shown = dict.fromkeys([*slices, *(_axial(case, mark.centre) for mark in found)])
        # a scan in which nothing is known and nothing found shows its middle
        chosen = list(shown)[: self.num_slices] or [case.image.shape[2] // 2]
        options = {"spacing": case.spacing, "annotated": truth_marks(case), "height": self.height}
        return np.asarray(compose_marked_slices(case.image, chosen, found, **options))

    def _case(self, output: Scan, item: Scan) -> NoduleCase:
        image = item.get("image", output.get("image"))
        about = {"name": "scan", "patient": "", "model": "", "seconds": {}}
        return nodule_case(image, output["pred"], item, **about)


def _axial(case: NoduleCase, centre: Sequence[float]) -> int:
    """The axial slice nearest to a point, inside the image."""
    return int(np.clip(round(float(centre[2])), 0, case.image.shape[2] - 1))
