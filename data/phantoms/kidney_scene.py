# SPDX-License-Identifier: Apache-2.0
"""One kidney with all that is in it, rendered slab by slab on any grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .kidney_artefacts import Scanner, draw_scanner
from .kidney_body import Body, Grid, draw_body
from .kidney_lookalikes import draw_balls, draw_fibres, draw_specks, tubes
from .kidney_raster import Canvas, Shapes, paint
from .kidney_tissue import CORTEX, Tissue, draw_tissue
from .kidney_tree import Tree, grow_tree

LUMEN, WALL, VEIN, FIBRE, SPECK = 85.5, 112.0, 87.5, 114.0, 150.0
LABELLED_VOXELS = 0.7  # least radius of a vessel that is labelled
TERMINAL_UM = 22.0
GRAY = 257.0  # 16-bit grays of one 8-bit gray
_SLAB = 16


@dataclass(frozen=True)
class Scene:
    """One kidney and its scan.

    Attributes:
        body: its outline.
        tissue: its grays.
        arteries: the labelled tree.
        dark: arteries' look-alikes: balls with a lumen and a wall.
        veins: dark tubes without wall.
        bright: fibres and specks with their grays.
        scanner: faults of the scan.
        gain: contrast and offset of the scan's 8-bit grays.
    """

    body: Body
    tissue: Tissue
    arteries: Tree
    dark: Shapes
    veins: Shapes
    bright: tuple[tuple[Shapes, float], ...]
    scanner: Scanner
    gain: tuple[float, float]

    def slabs(self, grid: Grid) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Render a grid slab by slab.

        Yields:
            the slices; image, uint16 (slices, rows, columns); owner, int32 of the same shape: the segment of
            the arteries that a labelled voxel belongs to, -1 elsewhere.
        """
        shapes, line = tubes(self.arteries, wall=True), centre_line(self.arteries, grid)
        for start in range(0, grid.shape[0], _SLAB):
            part = slice(start, min(start + _SLAB, grid.shape[0]))
            vessels = self._canvas(shapes, grid, part)
            yield part, self._image(vessels, grid, part), self._owner(vessels, line, grid, part)

    def _canvas(self, shapes: Shapes, grid: Grid, part: slice) -> Canvas:
        canvas = Canvas.blank((part.stop - part.start, *grid.shape[1:]))
        paint(shapes, grid, part, canvas)
        return canvas

    def _image(self, vessels: Canvas, grid: Grid, part: slice) -> np.ndarray:
        ball, depth = self.body.sample(grid, part)
        gray = self.tissue.paint(grid, part, ball, depth)
        for shapes, level in (*self.bright, (self.veins, VEIN)):
            gray += self._canvas(shapes, grid, part).core * (np.float32(level) - gray)
        balls = self._canvas(self.dark, grid, part)
        core = np.maximum(vessels.core, balls.core)
        outer = np.maximum(vessels.outer, balls.outer)
        gray += (outer - core) * (np.float32(WALL) - gray) + core * (np.float32(LUMEN) - gray)
        gray = np.float32(CORTEX * self.gain[1]) + np.float32(self.gain[0]) * (gray - np.float32(CORTEX))
        self.scanner.add(gray, grid, part)
        return np.clip(np.rint(gray * np.float32(GRAY)), 0, 65535).astype(np.uint16)

    def _owner(
        self, vessels: Canvas, line: tuple[np.ndarray, np.ndarray], grid: Grid, part: slice
    ) -> np.ndarray:
        thick = self.arteries.radius_um >= LABELLED_VOXELS * grid.spacing_um
        labelled = (vessels.core >= 0.5) & thick[vessels.owner]
        owner = np.where(labelled, vessels.owner, -1)
        voxels, segments = line
        here = (voxels[:, 0] >= part.start) & (voxels[:, 0] < part.stop)
        z, y, x = (voxels[here] - (part.start, 0, 0)).T
        owner[z, y, x] = np.where(owner[z, y, x] < 0, segments[here], owner[z, y, x])
        return owner


def centre_line(tree: Tree, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Voxels on the centre-lines of the vessels that are labelled, 26-connected along each vessel.

    Returns:
        (n, 3) indices within the grid, and (n,) their segments; some voxels come more than once.
    """
    thick = np.flatnonzero(tree.radius_um >= LABELLED_VOXELS * grid.spacing_um)
    curve = (tree.curve_um[thick] - grid.corner_um) / grid.spacing_um
    longest = np.linalg.norm(np.diff(curve, axis=1), axis=2).max(initial=0.25)
    steps = int(np.ceil(longest / 0.25))
    t = (np.arange(steps) / steps)[None, None, :, None]
    points = curve[:, :-1, None] + t * np.diff(curve, axis=1)[:, :, None]
    voxels = np.floor(points).astype(np.int64).reshape(-1, 3)
    segments = np.repeat(thick, (curve.shape[1] - 1) * steps)
    inside = ((voxels >= 0) & (voxels < grid.shape)).all(axis=1)
    return voxels[inside], segments[inside].astype(np.int32)


def draw_scene(seed: int, extent_um: Sequence[float]) -> Scene:
    """Draw a kidney that fills a box.

    Args:
        seed: 0 or more.
        extent_um: (3,) size of the box in um; the trunk's radius grows with its 0.75th power, and is 5 voxels
            of 50 um in a box of 128 such voxels a side.
    """
    streams = np.random.default_rng([seed, 5]).spawn(6)
    body = draw_body(streams[0], extent_um)
    root = 250.0 * (body.size_um / 2600.0) ** 0.75
    arteries = grow_tree(
        streams[1], body, root_um=root, terminal_um=TERMINAL_UM, entry=np.array([0.03, 0.08, 1.25])
    )
    veins = grow_tree(
        streams[2],
        body,
        root_um=1.1 * root,
        terminal_um=2.6 * TERMINAL_UM,
        entry=np.array([-0.1, -0.15, 1.25]),
    )
    count = 4 + len(arteries.parent) // 40
    bright = (
        (draw_fibres(streams[3], body, count), FIBRE),
        (draw_specks(streams[3], body, count), SPECK),
    )
    return Scene(
        body=body,
        tissue=draw_tissue(streams[4], body),
        arteries=arteries,
        dark=draw_balls(streams[3], body, arteries),
        veins=tubes(veins, wall=False),
        bright=bright,
        scanner=draw_scanner(streams[5]),
        gain=(float(streams[5].uniform(0.9, 1.2)), float(streams[5].uniform(0.93, 1.25))),
    )
