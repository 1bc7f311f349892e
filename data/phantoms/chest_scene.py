# SPDX-License-Identifier: Apache-2.0
"""All that one chest phantom consists of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chest_airways import draw_airways
from .chest_body import ARM_HALF, ARM_X, HALF_DEPTH, HALF_WIDTH, Body, Table, draw_body
from .chest_bones import Bones, draw_bones
from .chest_faults import spoil_lungs
from .chest_findings import Finding, draw_findings
from .chest_geometry import Build
from .chest_lungs import Lungs, draw_lungs
from .chest_nodules import Lesion, draw_diameters, draw_nodules
from .chest_organs import Organs, draw_organs
from .chest_raster import Tubes
from .chest_vessels import Vessels, draw_vessels

MEAN_NODULES = 1.6  # in Tianchi's training set
_TABLE_HALF_MM, _WIDE_HALF_MM = 205.0, 262.0


@dataclass(frozen=True)
class Chest:
    """One patient on the table.

    Attributes:
        build: size of the patient.
        body: the wall.
        bones: the skeleton.
        lungs: the air.
        organs: heart, liver and the like.
        vessels: arteries and veins.
        airways: lumens.
        lesions: nodules.
        findings: what is no nodule.
        table: what the patient lies on.
    """

    build: Build
    body: Body
    bones: Bones
    lungs: Lungs
    organs: Organs
    vessels: Vessels
    airways: Tubes
    lesions: list[Lesion]
    findings: list[Finding]
    table: Table

    @property
    def half_width_mm(self) -> float:
        """Half the width of what the field of view has to hold."""
        half = ARM_X + ARM_HALF[0] if self.body.arms else HALF_WIDTH + (28 if self.body.neck else 10)
        return half * self.build.size[0]

    @property
    def middle_y_mm(self) -> float:
        """Y of the middle of the field of view: a little below the body's."""
        return 12.0 * self.build.size[1]


def draw_chest(seed: int, *, scale: float, nodules: int | None, fault: str | None) -> Chest:
    """Draw a patient; every part has its own source of randomness."""
    rngs = np.random.default_rng([seed, 20]).spawn(10)
    factors = rngs[0].normal(1.0, 0.04, 3).clip(0.92, 1.08) * scale
    build = Build(tuple(float(f) for f in factors), float(np.prod(factors) ** (1 / 3)))
    lungs = spoil_lungs(rngs[1], draw_lungs(rngs[2], build), fault)
    vessels = draw_vessels(rngs[3], lungs)
    count = int(rngs[4].poisson(MEAN_NODULES)) if nodules is None else int(nodules)
    lesions = draw_nodules(rngs[4], lungs, vessels, draw_diameters(rngs[4], count))
    head, wide = fault == "from_head", fault == "wide_table"
    return Chest(
        build=build,
        body=draw_body(rngs[5], arms=wide, neck=head),
        bones=draw_bones(rngs[6], neck=head),
        lungs=lungs,
        organs=draw_organs(rngs[7], lungs),
        vessels=vessels,
        airways=draw_airways(rngs[8], lungs, to_mouth=head),
        lesions=lesions,
        findings=draw_findings(rngs[9], lungs, lesions),
        table=_table(build, wide=wide),
    )


def _table(build: Build, *, wide: bool) -> Table:
    top = HALF_DEPTH * build.size[1] + 1.0
    return Table(_WIDE_HALF_MM, top, 2.0, gaps=True) if wide else Table(_TABLE_HALF_MM, top, 34.0)
