# SPDX-License-Identifier: Apache-2.0
"""All that lies in one eye, as steps of reflectivity along the depth of every column.

A column of a B-scan is piecewise constant: at each border the level jumps. Depositing every jump into the two
rows that share it and summing down the column gives the whole slice with exact partial volumes, however thin
the layers, for the price of one cumulative sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .oct_anatomy import LAYERS, Retina
from .oct_fields import Grid, Waves, smoothstep
from .oct_lesions import Droplet, Lesions
from .oct_vessels import Vessels, draw_vessels

Step = tuple[np.ndarray, np.ndarray]  # depth in mm and jump of level below it, each (columns,) or a scalar
_POCKET_DB = -12.0  # liquid vitreous: nothing but noise


@dataclass
class Vitreous:
    """Haze above the posterior hyaloid and the dark pocket between it and the retina.

    Attributes:
        gap: depth of the pocket in mm (slices, columns), 0 where the vitreous is attached.
        haze_db: level above the hyaloid.
        line_db: level of the hyaloid itself.
    """

    gap: np.ndarray
    haze_db: float
    line_db: float


class Scene:
    """One eye, ready to be sliced.

    Args:
        retina: the layers, lesions included.
        lesions: masks and droplets from ``add_lesions``.
        rng: draws vessels, vitreous and choroid.
    """

    def __init__(self, retina: Retina, lesions: Lesions, rng: np.random.Generator) -> None:
        self.grid, self.retina, self.lesions = retina.grid, retina, lesions
        streams = rng.spawn(3)
        self.vessels: Vessels = draw_vessels(retina, streams[0])
        self.vitreous = _draw_vitreous(retina, streams[1])
        self.tops = retina.tops()
        self.texture = Waves(streams[2], (0.03, 0.3), count=64, stretch=(0.5, 2.0, 2.0), flat=False)
        self.lumens = Waves(streams[2], (0.16, 0.45), count=48, stretch=(0.5, 1.0, 2.0), flat=False)

    def level(self, index: int) -> np.ndarray:
        """Reflectivity of slice ``index`` in dB above the noise floor, (rows, columns) float32."""
        steps = [*self._layer_steps(index), *self._vitreous_steps(index), *self._vessel_steps(index)]
        for drop in self.lesions.droplets:
            steps += self._droplet_steps(drop, index)
        level = add_up(self.grid, steps) + np.float32(self.vitreous.haze_db)  # the level above the first step
        return level - self._attenuation(index) + self._texture(index)

    def label(self, index: int) -> np.ndarray:
        """Class of every pixel centre of slice ``index``: 0, 1 REA, 2 SRF, 3 PED; (rows, columns) uint8."""
        z = self.grid.z[:, None]
        top = {name: self.tops[name][index] for name in ("RNFL", "SRF", "RPE", "PED", "choriocapillaris")}
        label = np.zeros(self.grid.shape[:2], np.uint8)
        label[(z >= top["RNFL"]) & (z < top["SRF"]) & self.lesions.rea[index]] = 1
        label[(z >= top["SRF"]) & (z < top["RPE"])] = 2  # empty where the layer is 0 mm thick
        label[(z >= top["PED"]) & (z < top["choriocapillaris"])] = 3
        return label

    def _layer_steps(self, index: int) -> list[Step]:
        steps, before = [], np.float32(_POCKET_DB)
        for name in LAYERS:
            after = self.retina.level[name][index]
            steps.append((self.tops[name][index], after - before))
            before = after
        return steps

    def _vitreous_steps(self, index: int) -> list[Step]:
        ilm, gap = self.tops["RNFL"][index], self.vitreous.gap[index]
        hyaloid = ilm - gap
        line = np.minimum(0.012, gap)
        jump = np.float32(self.vitreous.line_db - self.vitreous.haze_db)
        return [(hyaloid - line, jump), (hyaloid, np.float32(_POCKET_DB) - np.float32(self.vitreous.line_db))]

    def _vessel_steps(self, index: int) -> list[Step]:
        half, radius = self.vessels.half_chord[index], self.vessels.radius[index]
        middle = self.tops["RNFL"][index] + np.float32(0.012) + radius
        top, bottom = middle - half, middle + half
        seen = (half > 0).astype(np.float32)
        wall = np.minimum(0.012, half)
        return [
            (top, 4.0 * seen),  # the wall that faces the beam reflects
            (top + wall, -12.0 * seen),
            (bottom, 8.0 * seen - self.vessels.shadow_db[index]),
        ]

    def _droplet_steps(self, drop: Droplet, index: int) -> list[Step]:
        dy = self.grid.y[index] - drop.y
        if abs(dy) >= drop.r:
            return []
        dx = self.grid.x - np.float32(drop.x)
        chord = np.sqrt(np.clip(1 - (dx**2 + dy**2) / np.float32(drop.r**2), 0, None))
        thickness = self.retina.thickness[drop.layer][index]
        middle = self.tops[drop.layer][index] + np.float32(drop.position) * thickness
        half = np.float32(0.5 * drop.height) * thickness * chord
        gain = np.float32(drop.gain_db) * (chord > 0)
        return [(middle - half, gain), (middle + half, -gain)]

    def _attenuation(self, index: int) -> np.ndarray:
        """Two-way loss in dB accumulated from the top of the image down."""
        steps, before = [], 0.0
        for name, (_, rate) in LAYERS.items():
            steps.append((self.tops[name][index], np.float32(rate - before)))
            before = rate
        return np.cumsum(add_up(self.grid, steps), axis=0) * np.float32(self.grid.row_mm)

    def _texture(self, index: int) -> np.ndarray:
        """Grain of the tissue, and the dark lumens of the choroid's vessels."""
        z, x, y = self.grid.z, self.grid.x, float(self.grid.y[index])
        bruch, sclera = self.retina.bruch[index], self.tops["sclera"][index]
        still = z - bruch.mean()  # the eye's own frame: motion must not make the pattern swim
        choroid = add_up(self.grid, [(bruch + np.float32(0.03), np.float32(1)), (sclera, np.float32(-1))])
        dark = smoothstep(self.lumens.b_scan(still, x, y), 0.0, 1.5)
        return self.texture.b_scan(still, x, y) - np.float32(9.0) * dark * choroid


def add_up(grid: Grid, steps: list[Step]) -> np.ndarray:
    """Add up the steps down every column; a step inside a pixel counts by the part that lies below it.

    Args:
        grid: the pixel grid.
        steps: depth in mm and jump; steps above the image count in full, steps below it not at all.

    Returns:
        (rows, columns) float32.
    """
    rows, columns = grid.shape[:2]
    depth = np.stack([np.broadcast_to(d, columns) for d, _ in steps]) / np.float32(grid.row_mm)
    jump = np.stack([np.broadcast_to(j, columns) for _, j in steps]).astype(np.float32)
    depth = np.clip(depth, 0, rows)
    row = depth.astype(np.int64)
    below = jump * (depth - row)  # the part of the jump that only the next row shows
    flat = row * columns + np.arange(columns)
    canvas = np.bincount(flat.ravel(), (jump - below).ravel(), (rows + 2) * columns)
    canvas += np.bincount((flat + columns).ravel(), below.ravel(), (rows + 2) * columns)
    return np.cumsum(canvas.reshape(rows + 2, columns)[:rows].astype(np.float32), axis=0)


def _draw_vitreous(retina: Retina, rng: np.random.Generator) -> Vitreous:
    """A detached hyaloid in most eyes: a faint line above the retina, haze above it, a dark pocket below."""
    grid = retina.grid
    height = rng.uniform(0.28, 0.65) + 0.09 * Waves(rng, (3.0, 9.0), count=10).en_face(grid.y, grid.x)
    # a smooth sheet that rests on what rises to meet it
    gap = retina.tops()["RNFL"] - (retina.bruch - height)
    gap = np.clip(gap, 0, None) if rng.random() < 0.75 else np.zeros_like(gap)
    return Vitreous(gap.astype(np.float32), haze_db=rng.uniform(-8.0, -1.0), line_db=rng.uniform(3.0, 12.0))
