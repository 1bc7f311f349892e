# SPDX-License-Identifier: Apache-2.0
"""A ladder of thresholds, each tried and scored; the best one gives the lungs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .airspace import lung_air
from .body import Body, find_body
from .finish import fill_lungs
from .profile import lung_run, trace_airway, widen
from .quality import score_lungs, stability, volumes_ml
from .sides import halves, split_sides

PROFILE_HU = -320
AIRWAY_HU = -600
_ROOM_MM = 40.0  # apices and recesses beyond the run of large areas
_STEP = 0.02  # price of each step up the ladder: among equals the lowest threshold wins
_DOUBTFUL = 0.3  # below it the body is looked for once more, with thin walls kept

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Found:
    """The best lungs of a ladder.

    Attributes:
        sides: uint8 (z, y, x): 0, 1 right, 2 left; None where no level gave any.
        level: HU of the threshold, None with ``sides``.
        scores: level -> terms of its score and "volumes_ml".
        body: of the whole scan.
    """

    sides: np.ndarray | None
    level: int | None
    scores: dict[int, dict] = field(default_factory=dict)
    body: Body | None = None

    @property
    def total(self) -> float:
        """Score of the chosen level, 0 without."""
        return self.scores[self.level]["total"] if self.level is not None else 0.0


def climb(hu: np.ndarray, *, ladder: Sequence[int], spacing: Spacing, middle_x: float) -> Found:
    """Find the lungs at each level and keep the best.

    A level's score is the product of the terms of ``score_lungs`` and of ``stability`` against the next
    level, less 0.02 for each step up the ladder. Sides go by the body's middle until a level is chosen.

    Args:
        hu: (z, y, x) of about 2 mm, z to the head, y to the back, x to the patient's left.
        ladder: thresholds in HU.
        spacing: mm along z, y, x.
        middle_x: voxel of the world's middle along x, which parts right from left in a crop of one lung.
    """
    found = None
    for opening in (True, False):
        body = find_body(hu, spacing=spacing, opening=opening)
        body = replace(body, centre_x=middle_x) if body.crop else body
        other = _climb_in(body, hu, ladder, spacing)
        found = other if found is None or other.total > found.total else found
        if found.total >= _DOUBTFUL:
            break
    return found


def _climb_in(body: Body, hu: np.ndarray, ladder: Sequence[int], spacing: Spacing) -> Found:
    areas = ((hu < PROFILE_HU) & body.mask).sum(axis=(1, 2)) * spacing[1] * spacing[2] / 100
    run = lung_run(areas)
    if run.start == run.stop:
        return Found(None, None, {}, body)
    room = widen(run, voxels=round(_ROOM_MM / spacing[0]), count=len(hu))
    box = (room, *_in_plane_box(body.mask[room]))
    part, part_body = hu[box], _crop(body, box)
    airway = trace_airway(
        (part < AIRWAY_HU) & part_body.mask,
        centre_x=part_body.centre_x,
        spacing=spacing,
        lowest_start=run.start - room.start + 2 * (run.stop - run.start) // 3,
    )
    part_body = replace(part_body, mask=part_body.mask & ~airway)
    lungs, level, scores = _best_level(part, part_body, ladder, spacing, length_mm=len(hu) * spacing[0])
    if level is None:
        return Found(None, None, scores, body)
    whole = np.zeros(hu.shape, np.uint8)
    whole[box] = fill_lungs(split_sides(lungs, centre_x=part_body.centre_x))
    return Found(whole, level, scores, body)


def _best_level(
    hu: np.ndarray, body: Body, ladder: Sequence[int], spacing: Spacing, *, length_mm: float
) -> tuple[np.ndarray | None, int | None, dict[int, dict]]:
    """Air of the lungs at the best level, the level, and the scores of all."""
    found, scores = {}, {}
    for threshold in ladder:
        found[threshold] = lung_air((hu < threshold) & body.mask, hu, body, spacing=spacing)
        sides = halves(found[threshold], centre_x=body.centre_x)
        terms = score_lungs(sides, spacing=spacing, length_mm=length_mm)
        scores[threshold] = terms | {"volumes_ml": volumes_ml(sides, spacing)}
    level = _choose(scores)
    return found.get(level), level, scores


def _choose(scores: dict[int, dict]) -> int | None:
    """Add "stable" to the terms, make the totals final, and give the best level with any lung."""
    levels = sorted(scores)
    for step, level in enumerate(levels):
        following = scores[levels[min(step + 1, len(levels) - 1)]]
        stable = stability(scores[level]["volumes_ml"], following["volumes_ml"])
        total = max(0.0, scores[level]["total"] * stable - _STEP * step)
        scores[level] |= {"stable": stable, "total": total}
    with_lung = [level for level in levels if any(scores[level]["volumes_ml"].values())]
    return max(with_lung, key=lambda level: scores[level]["total"], default=None)


def _in_plane_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the body in these slices."""
    ends = []
    for axis in ((0, 2), (0, 1)):
        places = np.flatnonzero(mask.any(axis=axis))
        ends.append(slice(int(places[0]), int(places[-1]) + 1))
    return ends[0], ends[1]


def _crop(body: Body, box: tuple[slice, slice, slice]) -> Body:
    return replace(
        body,
        mask=body.mask[box],
        centre_x=body.centre_x - box[2].start,
        centre_y=body.centre_y[box[0]] - box[1].start,
    )
