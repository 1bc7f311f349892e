# SPDX-License-Identifier: Apache-2.0
"""Edema and fluid drawn into a healthy macula: REA, SRF, PED, cysts, and drusen that only look like a PED."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .oct_anatomy import Retina
from .oct_fields import BREADTH_MM, WIDTH_MM, Waves, smoothstep

Point = tuple[float, float]  # (y, x) in mm

# Share of the swelling that each layer takes: fluid collects in the nuclear layers and Henle's fibres.
_SWELLING = {"RNFL": 0.04, "GCL": 0.08, "IPL": 0.06, "INL": 0.26, "OPL": 0.08, "ONL": 0.48}
_DARKENING = {"RNFL": 0.5, "GCL": 1.0, "IPL": 1.5, "INL": 3.0, "OPL": 2.0, "ONL": 3.0, "EZ": 3.0}  # dB


@dataclass
class Blob:
    """An ellipse with an irregular border in the en-face plane; lengths in mm, ``turn`` in radians."""

    y: float
    x: float
    ry: float
    rx: float
    turn: float
    warp: Waves

    def radius(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Normalised distance from the centre on (len(y), len(x)) positions: 1 on the border."""
        dy, dx = y[:, None] - np.float32(self.y), x[None, :] - np.float32(self.x)
        c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        rho = np.hypot((c * dx + s * dy) / np.float32(self.rx), (c * dy - s * dx) / np.float32(self.ry))
        return rho * (1 + 0.18 * self.warp.en_face(y, x))


@dataclass
class Droplet:
    """An ellipsoid inside a layer: a cyst (``gain_db`` below 0) or a hyperreflective spot (above 0).

    ``height`` and ``position`` are fractions of the layer's thickness, so that it follows the layer's bends.
    """

    layer: str
    y: float
    x: float
    r: float
    height: float
    position: float
    gain_db: float


@dataclass
class Lesions:
    """What the layers cannot hold: the extent of REA (slices, columns), bool, and the droplets."""

    rea: np.ndarray
    droplets: list[Droplet]


def add_lesions(retina: Retina, rng: np.random.Generator, kinds: Collection[str]) -> Lesions:
    """Draw the lesions into ``retina`` (its thickness and level maps change).

    SRF and PED lie inside the lateral extent of REA where REA is drawn at all. At least one slice cuts every
    kind near its middle, however few slices there are.

    Args:
        retina: a healthy eye, changed in place.
        rng: source of all randomness.
        kinds: which of "REA", "SRF", "PED".
    """
    streams = rng.spawn(5)  # one per kind, so that leaving one kind out does not move the others
    centre = (retina.fovea[0] + rng.normal(0, 0.35), retina.fovea[1] + rng.normal(0, 0.45))
    srf = _srf(retina, streams[0], centre) if "SRF" in kinds else []
    ped = _ped(retina, streams[1], centre) if "PED" in kinds else []
    droplets, rea = [], np.zeros(retina.bruch.shape, bool)
    if "REA" in kinds:
        depth = _rea_depth(retina, streams[2], centre, srf, ped)
        rea = depth > 0
        _swell(retina, streams[2], depth)
        droplets = _cysts(retina, streams[3], depth)
    _drusen(retina, streams[4])
    droplets += _foci(streams[4], rea)
    _absorb(retina)
    return Lesions(rea, droplets)


def _absorb(retina: Retina) -> None:
    """Let the outer nuclear layer give way above bumps, so that the inner surface stays smooth."""
    bump = 0.75 * retina.thickness["PED"] + 0.85 * retina.thickness["drusen"]
    sunk = np.minimum(bump, 0.65 * retina.thickness["SRF"])  # a dome stands in the fluid, if there is any
    retina.thickness["SRF"] -= sunk.astype(np.float32)
    bump = bump - sunk
    room = 0.6 * retina.thickness["ONL"]
    retina.thickness["ONL"] -= (room * np.tanh(bump / np.maximum(room, 1e-3))).astype(np.float32)


def _blob(rng: np.random.Generator, retina: Retina, centre: Point, size: float, flat: float) -> Blob:
    """A blob about ``size`` mm in radius, ``flat`` times that across slices, whose middle lies on a slice."""
    y = retina.grid.nearest_slice(float(np.clip(centre[0], 1.0, 5.0)))
    x = float(np.clip(centre[1], 1.0, 5.0))
    warp = Waves(rng, (1.2 * size, 4.0 * size))
    return Blob(y, x, size * flat, size, rng.uniform(-0.5, 0.5), warp)


def _srf(retina: Retina, rng: np.random.Generator, centre: Point) -> list[Blob]:
    """Lenses of fluid between photoreceptors and pigment epithelium."""
    grid = retina.grid
    blobs = []
    for k in range(rng.choice([1, 2, 3], p=[0.65, 0.25, 0.1])):
        size = np.exp(rng.normal(np.log(1.35 if k == 0 else 0.5), 0.30))
        where = (centre[0] + rng.normal(0, 0.25 + 0.5 * k), centre[1] + rng.normal(0, 0.25 + 0.6 * k))
        blob = _blob(rng, retina, where, float(size), rng.uniform(0.55, 0.9))
        inside = np.clip(1 - blob.radius(grid.y, grid.x) ** 2, 0, 1)
        least = 0.13 if k == 0 else 0.05  # mm: the largest lens shows on every grid
        top = max(least, 0.16 * size * np.exp(rng.normal(0, 0.35)))
        lens = np.minimum(top, 0.40) * inside**0.75
        retina.thickness["SRF"] = np.maximum(retina.thickness["SRF"], lens.astype(np.float32))
        blobs.append(blob)
    _wet(retina, rng)
    return blobs


def _wet(retina: Retina, rng: np.random.Generator) -> None:
    """What subretinal fluid does to the photoreceptors above it."""
    grid = retina.grid
    wet = smoothstep(retina.thickness["SRF"], 0.0, 0.05)
    retina.level["SRF"] += np.float32(rng.uniform(-2.0, 8.0))  # clear to turbid
    retina.level["EZ"] -= wet * rng.uniform(1.0, 6.0)
    retina.level["OS"] += wet * rng.uniform(-1.0, 4.0)
    shaggy = 1 + 0.5 * Waves(rng, (0.15, 0.5)).en_face(grid.y, grid.x)
    hanging = np.float32(0.014) * wet * np.clip(shaggy, 0, 2)  # photoreceptors grow down into the fluid
    retina.thickness["OS"] += hanging
    retina.thickness["SRF"] -= np.minimum(hanging, 0.5 * retina.thickness["SRF"])


def _ped(retina: Retina, rng: np.random.Generator, centre: Point) -> list[Blob]:
    """Domes of fluid that lift the pigment epithelium off Bruch's membrane."""
    grid = retina.grid
    blobs = []
    for k in range(rng.choice([1, 2], p=[0.8, 0.2])):
        size = np.exp(rng.normal(np.log(0.48 if k == 0 else 0.3), 0.25))
        where = (centre[0] + rng.normal(0, 0.6), centre[1] + rng.normal(0, 0.8))
        blob = _blob(rng, retina, where, float(size), rng.uniform(0.4, 0.6))
        inside = np.clip(1 - blob.radius(grid.y, grid.x) ** 2, 0, 1)
        top = np.clip(0.11 * np.exp(rng.normal(0, 0.3)), 0.08, 0.22)
        retina.thickness["PED"] = np.maximum(retina.thickness["PED"], (top * inside**0.6).astype(np.float32))
        blobs.append(blob)
    high = smoothstep(retina.thickness["PED"], 0.0, 0.05)
    retina.level["PED"] += np.float32(rng.uniform(-2.0, 6.0))
    retina.level["RPE"] -= high * rng.uniform(0.5, 4.0)
    return blobs


def _rea_depth(
    retina: Retina, rng: np.random.Generator, centre: Point, srf: list[Blob], ped: list[Blob]
) -> np.ndarray:
    """Depth inside the swollen area: 0 on its border, 1 in its middle, negative outside."""
    grid = retina.grid
    depth = np.full(retina.bruch.shape, -np.inf, np.float32)
    for k in range(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15])):
        size = float(np.exp(rng.normal(np.log(1.75 if k == 0 else 0.8), 0.3)))
        where = (centre[0] + rng.normal(0, 0.2 + 0.7 * k), centre[1] + rng.normal(0, 0.2 + 0.9 * k))
        blob = _blob(rng, retina, where, size, rng.uniform(0.45, 0.8))
        depth = np.maximum(depth, 1 - blob.radius(grid.y, grid.x) ** 2)
    # fluid occurs where there is edema: take it in, with a margin
    for blob, grow in [(blob, 1.25) for blob in srf] + [(blob, 1.6) for blob in ped]:
        depth = np.maximum(depth, 1 - (blob.radius(grid.y, grid.x) / grow) ** 2)
    return depth


def _swell(retina: Retina, rng: np.random.Generator, depth: np.ndarray) -> None:
    """Thicken and darken the layers where ``depth`` says; the label's border lies on the rise."""
    grid = retina.grid
    ramp = smoothstep(depth, -0.25, 0.50)
    uneven = 1 + 0.12 * Waves(rng, (0.9, 2.5)).en_face(grid.y, grid.x)
    peak = np.clip(np.exp(rng.normal(np.log(0.15), 0.35)), 0.08, 0.32)  # mm
    swelling = _spread(peak * ramp * (0.55 + 0.45 * np.clip(depth, 0, 1)) * uneven, retina)
    for name, share in _SWELLING.items():
        retina.thickness[name] += (share * swelling).astype(np.float32)
    patches = np.clip(1 + 0.4 * Waves(rng, (0.2, 1.2)).en_face(grid.y, grid.x), 0, 2)
    strength = rng.uniform(0.5, 1.2)
    for name, loss in _DARKENING.items():
        retina.level[name] -= (loss * strength * ramp * patches).astype(np.float32)


def _spread(values: np.ndarray, retina: Retina) -> np.ndarray:
    """Smooth an en-face map over 0.12 mm: tissue is too stiff for sharp steps."""
    sigma = (0.12 * values.shape[0] / BREADTH_MM, 0.12 / retina.grid.column_mm)
    return gaussian_filter(values, sigma, mode="nearest")


def _cysts(retina: Retina, rng: np.random.Generator, depth: np.ndarray) -> list[Droplet]:
    """Dark cystoid holes in the nuclear layers, from a few to many; a part of the swollen area."""
    cysts = []
    for y, x in _places(rng, depth > 0.25, rng.poisson(rng.choice([4.0, 25.0, 60.0]))):
        layer = "INL" if rng.random() < 0.4 else "ONL"
        r = float(np.clip(np.exp(rng.normal(np.log(0.11), 0.5)), 0.04, 0.32))
        height = rng.uniform(0.5, 1.0) * min(1.0, r / 0.09)
        cysts.append(Droplet(layer, y, x, r, height, rng.uniform(0.4, 0.6), -rng.uniform(9, 16)))
    return cysts


def _foci(rng: np.random.Generator, rea: np.ndarray) -> list[Droplet]:
    """Hard exudates: small bright spots, more of them where the retina is swollen."""
    foci = []
    for y, x in _places(rng, rea, rng.poisson(14)) + _places(rng, ~rea, rng.poisson(4)):
        layer = str(rng.choice(["OPL", "INL", "ONL"]))
        r, height, position = rng.uniform([0.02, 0.2, 0.2], [0.06, 0.6, 0.8])
        foci.append(Droplet(layer, y, x, r, height, position, rng.uniform(6, 13)))
    return foci


def _drusen(retina: Retina, rng: np.random.Generator) -> None:
    """Small bumps of the pigment epithelium, filled with material as bright as the tissue: never labelled."""
    grid = retina.grid
    for _ in range(rng.poisson(rng.choice([1.0, 12.0, 30.0]))):
        y, x = rng.uniform(0.3, 5.7, 2)
        r = rng.uniform(0.06, 0.22)
        bump = 1 - ((grid.y[:, None] - y) ** 2 + (grid.x[None, :] - x) ** 2) / r**2
        bump = rng.uniform(0.15, 0.35) * r * np.clip(bump, 0, 1)
        retina.thickness["drusen"] = np.maximum(retina.thickness["drusen"], bump.astype(np.float32))


def _places(rng: np.random.Generator, mask: np.ndarray, count: int) -> list[Point]:
    """At most ``count`` random positions where ``mask`` (slices, columns) holds."""
    points = rng.random((400, 2))  # as many on every grid, so that all grids show much the same eye
    cells = (points * mask.shape).astype(int)
    kept = points[mask[cells[:, 0], cells[:, 1]]][:count] * (BREADTH_MM, WIDTH_MM)
    return [(float(y), float(x)) for y, x in kept]
