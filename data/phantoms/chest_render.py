# SPDX-License-Identifier: Apache-2.0
"""A chest phantom sampled on thin planes, slab by slab, and averaged to slices."""

from __future__ import annotations

import numpy as np

from .chest_airways import LUMEN_HU, WALL_HU, wall_mm
from .chest_findings import paint_finding
from .chest_geometry import Grid, soft
from .chest_lungs import APEX_MM, BASE_MM, LEFT, RIGHT
from .chest_nodules import paint_lesion
from .chest_organs import COLLAPSED_HU, FLUID_HU
from .chest_physics import Scanner
from .chest_raster import paint_tubes
from .chest_scene import Chest
from .chest_vessels import VESSEL_HU
from .head_geometry import blend

_PLANES = 16  # thin planes at a time
_ABOVE_MM = 34.0  # bones reach this much higher than the lungs
_HALF = (160.0, 124.0)  # no bone or organ lies further from the middle, template mm


def render(
    chest: Chest, grid: Grid, scanner: Scanner, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU int16, lungs uint8 and nodules uint8 (slices, rows, columns) of a chest."""
    shape = (len(grid.slices), len(grid.rows), len(grid.columns))
    hu = np.empty(shape, np.int16)
    lungs, labels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    step = max(_PLANES // grid.planes_per_slice, 1)
    for first in range(0, shape[0], step):
        stop = min(first + step, shape[0])
        thin, inside, shares = _slab(chest, grid, grid.planes(first, stop))
        slices = _mean(thin, grid)
        hu[first:stop] = scanner.expose(slices, grid, rng)
        side = np.where(grid.columns < 0, RIGHT, LEFT).astype(np.uint8)
        lungs[first:stop] = (_mean(inside, grid) >= 0.5) * side
        for number, share in shares:
            labels[first:stop][_mean(share, grid) >= 0.5] = number
    return hu, lungs, labels


def _mean(planes: np.ndarray, grid: Grid) -> np.ndarray:
    """Thin planes to slices."""
    count = grid.planes_per_slice
    return planes if count == 1 else planes.reshape(-1, count, *planes.shape[1:]).mean(1)


def _slab(chest: Chest, grid: Grid, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, list]:
    """HU, share of lung, and (number, share) of every nodule in some thin planes."""
    vessels, great = (paint_tubes(t, grid, z) for t in (chest.vessels.tubes, chest.vessels.great))
    lumen, wall = (paint_tubes(t, grid, z) for t in (chest.airways, wall_mm(chest.airways)))
    shape = (len(z), len(grid.rows), len(grid.columns))
    hu, inside = np.empty(shape, np.float32), np.zeros(shape, np.float32)
    for k, height in enumerate(z):
        hu[k] = _plane(chest, grid, float(height), (vessels[k], great[k]), inside[k])
    hu += wall * (np.float32(WALL_HU) - hu) * (wall > lumen)
    hu += lumen * (np.float32(LUMEN_HU) - hu)
    for finding in chest.findings:
        paint_finding(hu, finding, grid, z)
    shares = []
    for number, lesion in enumerate(chest.lesions, start=1):
        painted = paint_lesion(hu, lesion, grid, z, chest.lungs)
        if painted is not None:
            share = np.zeros(shape, np.float32)
            share[painted[0]] = painted[1]
            shares.append((number, share))
    return hu, inside, shares


def _plane(
    chest: Chest, grid: Grid, height: float, vessels: tuple[np.ndarray, np.ndarray], inside: np.ndarray
) -> np.ndarray:
    """HU of one thin plane before airways and nodules; ``inside`` receives the share of lung."""
    columns, rows = grid.columns[None, :].astype(np.float32), grid.rows[:, None].astype(np.float32)
    plane = chest.build.template(columns, rows, height)
    edge = grid.edge / chest.build.scale
    hu = chest.body.paint(plane, edge=edge)
    x, y, z = plane
    box = (_around(y[:, 0], _HALF[1]), _around(x[0], _HALF[0]))  # all that is left lies in it
    part, view = (x[:, box[1]], y[box[0]], z), hu[box]
    if z < APEX_MM + _ABOVE_MM:
        _chest(chest, view, part, (vessels[0][box], vessels[1][box]), inside[box], edge)
    else:
        chest.bones.paint(view, part, np.full(view.shape, np.float32(99.0)), edge=edge)
    chest.table.paint(hu, columns, rows, edge=grid.edge)
    return hu


def _chest(
    chest: Chest, hu: np.ndarray, plane: tuple, vessels: tuple, inside: np.ndarray, edge: float
) -> None:
    """Contents of the cage, and the bones around it, in place."""
    lungs = chest.lungs
    cage, above = lungs.cage(*plane), lungs.above_diaphragm(*plane)
    hu[:] = chest.organs.paint(hu, plane, cage, above, edge=edge)
    hu += vessels[1] * (np.float32(VESSEL_HU) - hu)
    if BASE_MM - 10 < plane[2] < APEX_MM + 10:
        _lungs(chest, hu, plane, vessels[0], inside, edge)
    chest.bones.paint(hu, plane, -cage, edge=edge)


def _lungs(
    chest: Chest, hu: np.ndarray, plane: tuple, vessels: np.ndarray, inside: np.ndarray, edge: float
) -> None:
    """Lung tissue and vessels, and what stands where a lung has no air, in place."""
    lungs = chest.lungs
    cavity = lungs.cavity(*plane)
    air = lungs.aerated(*plane, cavity)
    if lungs.fluid or lungs.shrunken:
        wet = FLUID_HU if lungs.fluid else COLLAPSED_HU
        hu[:] = blend(hu, soft(cavity, edge), np.float32(wet))
    inside[:] = soft(air, edge)
    hu[:] = blend(hu, inside, lungs.parenchyma(plane))
    hu += vessels * soft(air + np.float32(3.0), 3.0) * (np.float32(VESSEL_HU) - hu)


def _around(axis: np.ndarray, half: float) -> slice:
    return slice(*np.searchsorted(axis, (-half, half)))
