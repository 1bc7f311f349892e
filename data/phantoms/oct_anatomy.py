# SPDX-License-Identifier: Apache-2.0
"""The healthy macula: layers with a foveal pit, bent, tilted and jittered as the scanner sees them.

Thicknesses follow the usual description of the macula in OCT: about 0.23 mm at the foveola, 0.33 mm on the
rim of the pit, 0.28 mm outside, thicker nerve fibres towards the optic disc. Reflectivity is in dB above the
noise floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .oct_fields import BREADTH_MM, WIDTH_MM, Grid, Waves, smoothstep

# name: (level in dB, attenuation in dB per mm), from the inner limiting membrane down
LAYERS: dict[str, tuple[float, float]] = {
    "RNFL": (23.0, 18.0),
    "GCL": (17.0, 8.0),
    "IPL": (20.0, 8.0),
    "INL": (13.0, 6.0),
    "OPL": (19.0, 8.0),
    "ONL": (10.5, 5.0),
    "ELM": (16.0, 5.0),
    "IS": (11.5, 5.0),
    "EZ": (27.0, 20.0),
    "OS": (16.0, 10.0),
    "SRF": (-2.0, 0.0),  # subretinal fluid: 0 mm thick in the healthy eye
    "RPE": (34.0, 130.0),
    "drusen": (21.0, 20.0),
    "PED": (1.0, 0.0),  # fluid below a detached pigment epithelium
    "choriocapillaris": (28.0, 40.0),  # its top is Bruch's membrane
    "choroid": (25.0, 30.0),
    "sclera": (20.0, 40.0),
}
_BELOW = ("choriocapillaris", "choroid", "sclera")


@dataclass
class Retina:
    """Maps of one eye on the (slices, columns) positions of a grid, float32.

    Attributes:
        grid: the pixel grid.
        bruch: depth of Bruch's membrane in mm.
        thickness: thickness in mm of every layer of ``LAYERS``.
        level: reflectivity in dB of every layer.
        fovea: (y, x) of the foveola in mm.
        nasal: +1 where the optic disc lies at large x (right eye), else -1.
    """

    grid: Grid
    bruch: np.ndarray
    thickness: dict[str, np.ndarray]
    level: dict[str, np.ndarray]
    fovea: tuple[float, float]
    nasal: int

    def tops(self) -> dict[str, np.ndarray]:
        """Depth in mm of every layer's upper border; ``tops()["RNFL"]`` is the inner limiting membrane."""
        above = [name for name in LAYERS if name not in _BELOW]
        depth, tops = self.bruch, {}
        for name in reversed(above):
            depth = depth - self.thickness[name]
            tops[name] = depth
        depth = self.bruch
        for name in _BELOW:
            tops[name] = depth
            depth = depth + self.thickness[name]
        return {name: tops[name] for name in LAYERS}

    def centre(self) -> None:
        """Move the whole eye in depth as an operator does, so that all of the retina is in the image."""
        inner, outer = self.tops()["RNFL"].min(), self.bruch.max()
        self.bruch += np.float32(0.95 - (inner + outer) / 2)


def draw_retina(
    grid: Grid, patient_rng: np.random.Generator, eye_rng: np.random.Generator, *, nasal: int = 1
) -> Retina:
    """Draw a healthy macula.

    Args:
        grid: the pixel grid.
        patient_rng: draws what both eyes of a patient share (thickness, pit, reflectivity); a generator of
            the same seed gives the same patient.
        eye_rng: draws what every scan has of its own (position of the fovea, tilt, bending, motion).
        nasal: +1 for a right eye, -1 for a left one.
    """
    fovea = (3.0 + eye_rng.uniform(-0.3, 0.3), 3.0 + eye_rng.uniform(-0.35, 0.35))
    y, x = grid.y[:, None] - np.float32(fovea[0]), nasal * (grid.x[None, :] - np.float32(fovea[1]))
    thickness = _thickness(x, y, patient_rng)
    wobble = Waves(eye_rng, (0.8, 3.0))
    thickness = {name: t * (1 + 0.04 * wobble.en_face(grid.y, grid.x)) for name, t in thickness.items()}
    thickness["choroid"] *= 1 + 0.15 * Waves(eye_rng, (0.6, 2.5)).en_face(grid.y, grid.x)
    level = _levels(grid, patient_rng, eye_rng)
    return Retina(grid, _bruch(grid, eye_rng), thickness, level, fovea, nasal)


def _thickness(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Layer thickness in mm; ``x`` (towards the disc) and ``y`` are mm from the foveola."""
    r = np.hypot(x, y)
    width = rng.uniform(0.42, 0.68)
    outside = 1 - rng.uniform(0.8, 1.0) * np.exp(-((r / width) ** 2))  # 0 in the pit
    ring = np.exp(-(((r - 1.0) / 0.65) ** 2))
    cone = np.exp(-((r / 0.5) ** 2))
    nasal = smoothstep(x, -1.0, 3.2) * (0.6 + 0.4 * np.tanh(np.abs(y)))
    maps = {
        "RNFL": 0.008 + 0.016 * outside + rng.uniform(0.03, 0.06) * nasal * outside,
        "GCL": outside * (0.022 + 0.026 * ring),
        "IPL": outside * (0.028 + 0.012 * ring),
        "INL": 0.006 + outside * (0.027 + 0.008 * ring),
        "OPL": 0.016 + 0.010 * outside,
        "ONL": 0.058 + 0.042 * cone + 0.008 * ring,
        "ELM": np.full_like(r, 0.008),
        "IS": np.full_like(r, 0.020),
        "EZ": np.full_like(r, 0.016),
        "OS": 0.020 + 0.014 * cone,
        "SRF": np.zeros_like(r),
        "RPE": np.full_like(r, 0.024),
        "drusen": np.zeros_like(r),
        "PED": np.zeros_like(r),
        "choriocapillaris": np.full_like(r, 0.018),
        "choroid": rng.uniform(0.13, 0.33) * (1 - 0.12 * r / 3) - 0.03 * nasal,
        "sclera": np.full_like(r, 2.0),  # to the bottom of any image
    }
    whole = rng.normal(1.0, 0.06)
    own = {name: whole * max(0.7, rng.normal(1.0, 0.07)) for name in maps}
    return {name: (t * own[name]).astype(np.float32) for name, t in maps.items()}


def _levels(
    grid: Grid, patient_rng: np.random.Generator, eye_rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Reflectivity maps in dB: each patient's layers differ a little, and each scan is brighter or darker."""
    brightness = eye_rng.normal(0.0, 1.3)
    mottle = Waves(eye_rng, (0.5, 2.5)).en_face(grid.y, grid.x)
    return {
        name: (level + patient_rng.normal(0.0, 0.9) + brightness + 0.6 * mottle).astype(np.float32)
        for name, (level, _) in LAYERS.items()
    }


def _bruch(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Depth of Bruch's membrane in mm: bowl, tilt, bent edges in some eyes, motion between slices."""
    y, x = grid.y[:, None] / BREADTH_MM * 2 - 1, grid.x[None, :] / WIDTH_MM * 2 - 1  # -1 .. 1
    depth = rng.uniform(-0.13, 0.02) * x**2 + rng.uniform(-0.10, 0.02) * y**2  # mostly a bowl: edges higher
    depth = depth + rng.uniform(-0.13, 0.13) * x + rng.uniform(-0.05, 0.05) * y
    left, right = rng.random(2) < 0.3  # edge bending: a quarter to a half millimetre in the outermost part
    bend = rng.uniform(0.15, 0.42, 2) * np.where(rng.random(2) < 0.8, -1, 0.5)
    depth = depth + left * bend[0] * np.clip(-x, 0, 1) ** 4 + right * bend[1] * np.clip(x, 0, 1) ** 4
    depth = depth + 0.008 * Waves(rng, (1.5, 4.0)).en_face(grid.y, grid.x)
    return (depth + _motion(grid, rng)[:, None]).astype(np.float32)


def _motion(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Axial position of each slice in mm: breathing and drift, with a little jitter."""
    drift = Waves(rng, (1.0, 6.0), count=8).en_face(grid.y, np.zeros(1))[:, 0]
    tremor = Waves(rng, (0.1, 0.4), count=16).en_face(grid.y, np.zeros(1))[:, 0]
    return 0.022 * drift + 0.003 * tremor
