# SPDX-License-Identifier: Apache-2.0
"""The five bleeds where anatomy puts them, and how they displace the brain.

EDH: a lens between skull and dura. SDH: a crescent over one hemisphere, or a layer along falx or tentorium;
fresh, as grey as brain, or old with fresh blood below. SAH: fills sulci or basal cisterns, thin and faint.
IVH: sinks to the back of the ventricles with a level, or casts one. IPH: a ragged clot with a dark rim in the
basal ganglia, thalamus, a lobe, the cerebellum or the pons.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .head_brain import Brain, Spaces
from .head_geometry import Points, ball, blend
from .oct_fields import Waves, smoothstep

CLASSES = ("IPH", "IVH", "SAH", "SDH", "EDH")


@dataclass
class Lens:
    """An EDH: centre on the inner table, thickness, radius on the skull (mm), HU."""

    centre: tuple[float, float, float]
    thick: float
    radius: float
    hu: float


@dataclass
class Layer:
    """An SDH: place ("convexity", "falx" or "tentorium"), side (-1 right, 1 left), size in mm and HU.

    ``azimuth`` is the angle from the forehead to the middle, ``span`` half its angular extent, both in
    radians; ``level`` is where old blood above meets fresh blood below (mm along y), None if there is none.
    """

    place: str
    side: int
    thick: float
    azimuth: float
    span: float
    height: float
    reach: float
    hu: float
    level: float | None


@dataclass
class Clot:
    """An IPH: centre and radii in mm, width of the oedema in mm, HU."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    rim: float
    hu: float


@dataclass
class Bleeds:
    """All bleeds of one head.

    Attributes:
        lenses: EDH.
        layers: SDH.
        clots: IPH.
        cisterns: ellipsoids (centre, radii) whose sulci and cisterns hold SAH.
        levels: for the right and the left ventricle the y in mm behind which blood lies, None for no IVH.
        hu: HU of SAH and IVH.
        swell: mm by which SAH widens what it fills.
        ragged: makes outlines irregular.
        curds: makes blood uneven.
    """

    ragged: Waves
    curds: Waves
    lenses: list[Lens] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    clots: list[Clot] = field(default_factory=list)
    cisterns: list[tuple[tuple[float, float, float], tuple[float, float, float]]] = field(
        default_factory=list
    )
    levels: tuple[float, float] | None = None
    hu: dict[str, float] = field(default_factory=dict)
    swell: float = 0.0

    def shift(self) -> float:
        """Midline shift in mm that they cause, to the left if positive, at most 9."""
        push = sum(-layer.side * 0.4 * layer.thick for layer in self.layers if layer.place == "convexity")
        push += sum(-np.sign(lens.centre[0]) * 0.22 * lens.thick for lens in self.lenses)
        push += sum(-np.sign(c.centre[0]) * 0.35 * max(0.0, c.radii[0] - 9) for c in self.clots)
        return float(np.clip(push, -9, 9))

    def lenses_mm(self, p: Points, vault: np.ndarray) -> np.ndarray:
        """Thickness in mm of EDH over every point; ``vault`` is the depth below the vault."""
        thick = np.zeros_like(vault)
        for lens in self.lenses:
            if p.misses(lens.centre[2] - lens.radius, lens.centre[2] + lens.radius):
                continue
            x, y, z = (c - np.float32(m) for c, m in zip((p.x, p.y, p.z), lens.centre, strict=True))
            along = np.clip(x * x + y * y + z * z - vault * vault, 0, None) / np.float32(lens.radius**2)
            thick = np.maximum(thick, np.float32(lens.thick) * np.clip(1 - along, 0, None))
        return thick

    def crescents_mm(self, p: Points, brain: Brain) -> np.ndarray:
        """Thickness in mm of SDH over the convexity, above the tentorium."""
        thick = np.zeros_like(p.x)
        for layer in self.layers:
            if layer.place != "convexity" or p.misses(layer.height - layer.reach, layer.height + layer.reach):
                continue
            turn = (np.arctan2(layer.side * p.x, -p.y) - np.float32(layer.azimuth)) / np.float32(layer.span)
            up = (p.z - np.float32(layer.height)) / np.float32(layer.reach)
            share = np.clip(1 - turn**2, 0, 1) ** 0.5 * np.clip(1 - up**2, 0, 1) ** 0.5
            share = share * smoothstep(layer.side * p.x, np.float32(1), np.float32(7))
            uneven = 1 + np.float32(0.15) * p.field(self.ragged)
            above = smoothstep(
                p.z - np.where(p.y > 0, brain.tentorium_height(p), -99), np.float32(-2), np.float32(4)
            )
            thick = np.maximum(thick, np.float32(layer.thick) * share * uneven * above)
        return thick

    def region(self, p: Points) -> np.ndarray:
        """Where SAH lies, 0-1 over fluid spaces."""
        share = np.zeros_like(p.x)
        for centre, radii in self.cisterns:
            if p.misses(centre[2] - radii[2] - 4, centre[2] + radii[2] + 4):
                continue
            inside = ball(p, centre, radii, both=False) + 3 * p.field(self.ragged)
            share = np.maximum(share, smoothstep(inside, np.float32(-2), np.float32(3)))
        return share

    def collections(
        self, p: Points, vault: np.ndarray, lens: np.ndarray, crescent: np.ndarray, brain: Brain
    ) -> np.ndarray:
        """Share of every point that is SDH and EDH, (2, planes, rows, columns) float32 in 0-1.

        Args:
            p: the points.
            vault: depth in mm below the vault.
            lens: from ``lenses_mm``.
            crescent: from ``crescents_mm``.
            brain: for falx and tentorium.
        """
        inside = p.soft(vault)
        edh = p.soft(lens - vault) * inside * (lens > 0.5)
        sdh = p.soft(lens + crescent - vault) * inside * (crescent > 0.5)
        return np.stack([np.maximum(sdh * (1 - edh), self._sheets(p, brain)), edh])

    def inside_brain(self, p: Points, collections: np.ndarray, spaces: Spaces, sah: np.ndarray) -> np.ndarray:
        """Share of every point that is blood of each class, (5, planes, rows, columns) float32 in 0-1.

        Args:
            p: the points.
            collections: SDH and EDH, from ``collections``.
            spaces: from ``Brain.spaces``.
            sah: from ``region``.
        """
        room = 1 - collections.max(0)
        iph = self._inside_clots(p) * room
        rest = room - iph
        return np.concatenate(
            [np.stack([iph, self._sunk(p, spaces) * rest, spaces.outer * sah * rest]), collections]
        )

    def _sheets(self, p: Points, brain: Brain) -> np.ndarray:
        """SDH along falx and tentorium."""
        share = np.zeros_like(p.x)
        for layer in self.layers:
            if layer.place == "falx":
                off = np.float32(layer.side) * p.x - np.float32(0.6)
                along = (p.y - np.float32(80 * -np.cos(layer.azimuth))) / np.float32(38 * layer.span)
                up = (p.z - np.float32(layer.height)) / np.float32(layer.reach)
                thick = np.float32(layer.thick) * np.clip(1 - along**2 - up**2, 0, 1) ** 0.5
                inside = np.minimum(np.minimum(thick - off, off), brain.falx_reach(p) + 2)
            elif layer.place == "tentorium":
                off = (p.z - brain.tentorium_height(p)) * np.float32(0.88) - np.float32(0.6)
                x, y = (np.float32(layer.side) * p.x - 30) / 27, (p.y - 44) / 30
                thick = np.float32(layer.thick) * np.clip(1 - x**2 - y**2, 0, 1) ** 0.5
                inside = np.minimum(thick - off, off)
            else:
                continue
            share = np.maximum(share, p.soft(inside) * (thick > 0.3))
        return share

    def _inside_clots(self, p: Points) -> np.ndarray:
        share = np.zeros_like(p.x)
        for clot in self.clots:
            share = np.maximum(share, p.soft(self._clot(p, clot)))
        return share

    def _clot(self, p: Points, clot: Clot) -> np.ndarray:
        """Distance in mm inside one clot."""
        if p.misses(clot.centre[2] - clot.radii[2] - 12, clot.centre[2] + clot.radii[2] + 12):
            return np.full_like(p.x, -30)
        ragged = np.float32(0.20 * min(clot.radii)) * p.field(self.ragged)
        return ball(p, clot.centre, clot.radii, both=False) + ragged

    def _sunk(self, p: Points, spaces: Spaces) -> np.ndarray:
        if self.levels is None:
            return np.zeros_like(p.x)
        level = np.where(p.x < 0, np.float32(self.levels[0]), np.float32(self.levels[1]))
        return spaces.inner * p.soft(0.6 * (p.y - level))

    def oedema(self, hu: np.ndarray, p: Points) -> np.ndarray:
        """Darken the rim around every IPH."""
        for clot in self.clots:
            share = smoothstep(self._clot(p, clot), np.float32(-clot.rim), np.float32(-0.3 * clot.rim))
            hu = blend(hu, np.float32(0.85) * share, np.minimum(hu, np.float32(21)))
        return hu

    def paint(self, hu: np.ndarray, p: Points, masks: np.ndarray) -> np.ndarray:
        """Paint the blood; ``masks`` come from ``inside_brain``."""
        if not masks.any():
            return hu
        uneven = np.float32(2.5) * p.field(self.curds)
        for index, name in enumerate(CLASSES):
            if masks[index].any():
                hu = blend(hu, masks[index], self._blood(name, p) + uneven)
        return hu

    def _blood(self, name: str, p: Points) -> np.ndarray | np.float32:
        if name == "IPH":
            return np.float32(self.clots[0].hu)
        if name == "EDH":
            return np.float32(self.lenses[0].hu)
        if name != "SDH":
            return np.float32(self.hu[name])
        layer = self.layers[0]
        if layer.level is None:
            return np.float32(layer.hu)
        return layer.hu - np.float32(0.55 * layer.hu) * smoothstep(
            layer.level - p.y, np.float32(-6), np.float32(6)
        )
