# SPDX-License-Identifier: Apache-2.0
"""The chest phantom's skeleton: ribs that descend from the spine to the front, spine, sternum, scapulae.

Everything is painted onto one thin plane at template coordinates x (1, W), y (H, 1), z. Ribs lie in a shell
just outside the lungs, so cut across they are round bright spots at the lungs' outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chest_geometry import block, soft, superellipse

_RIB_PITCH, _RIB_DROP = 23.0, 108.0  # mm between ribs; how much lower they are in front
_DISC_PITCH = 23.0
_SKULL_MM = 228.0  # the spine ends here
Plane = tuple[np.ndarray, np.ndarray, float]


@dataclass(frozen=True)
class Bones:
    """Where the bones of one patient lie, template mm.

    Attributes:
        rib_phase: height of a rib at the spine.
        rib_hu: HU of a rib's cortex.
        marrow_hu: HU inside vertebrae.
        disc_phase: height of a disc.
        neck: the spine goes on above the chest, and there is a skull.
    """

    rib_phase: float
    rib_hu: float
    marrow_hu: float
    disc_phase: float
    neck: bool = False

    def paint(self, hu: np.ndarray, plane: Plane, outside: np.ndarray, *, edge: float) -> None:
        """Paint all bones.

        Args:
            hu: (H, W), changed in place.
            plane: template coordinates.
            outside: (H, W) template mm outside the lungs' cage.
            edge: width of a voxel in template mm.
        """
        self._ribs(hu, plane, outside, edge)
        self._scapulae(hu, plane, outside, edge)
        self._spine(hu, plane, edge)
        self._sternum(hu, plane, edge)

    def _ribs(self, hu: np.ndarray, plane: Plane, outside: np.ndarray, edge: float) -> None:
        x, y, z = plane
        shell = (outside > -0.5 * edge) & (outside < 11.5) & (np.abs(x) > np.where(y > 0, 24, 14))
        if z > 128 or z < -150 or not shell.any():
            return
        rows, columns = np.nonzero(shell)
        turn = np.arctan2(np.abs(x[0, columns]), y[rows, 0]) / np.float32(np.pi)  # 0 at the back, 1 in front
        height = np.float32(z - self.rib_phase) + np.float32(_RIB_DROP) * turn
        height = (height / np.float32(_RIB_PITCH) + np.float32(0.5)) % 1 - np.float32(0.5)
        across = (outside[rows, columns] - np.float32(5.6)) / np.float32(4.4)
        rho = np.sqrt(across**2 + (height * np.float32(_RIB_PITCH / 6.2)) ** 2)
        depth = (1 - rho) * np.float32(5.0)
        bone = np.where(depth > 1.6, np.float32(230.0), np.float32(self.rib_hu))
        bone = np.where(turn > np.float32(0.86), np.float32(115.0), bone)  # cartilage
        _lay(hu, (rows, columns), bone, depth, edge)

    def _scapulae(self, hu: np.ndarray, plane: Plane, outside: np.ndarray, edge: float) -> None:
        x, y, z = plane
        if not 10 < z < 118:
            return
        shell = (np.abs(outside - 17) < 4) & (y > -10) & (np.abs(x) > 55) & (np.abs(x) < 150)
        rows, columns = np.nonzero(shell)
        height = min(z - 10, 118 - z) / 10
        width = np.minimum(np.abs(x[0, columns]) - 60, 140 - np.abs(x[0, columns]))
        depth = np.minimum(2.4 - np.abs(outside[rows, columns] - 17), np.minimum(width, height))
        _lay(hu, (rows, columns), np.float32(420.0), depth.astype(np.float32), edge)

    def _spine(self, hu: np.ndarray, plane: Plane, edge: float) -> None:
        part, x, y, z = _window(plane, 40, (28, 122))
        if z > (_SKULL_MM if self.neck else 175):
            return
        shift = np.float32(max(z - 60, 0) * 0.22 if self.neck else 0.0)
        y = y + shift
        view = hu[part]
        to_disc = abs((z - self.disc_phase + _DISC_PITCH / 2) % _DISC_PITCH - _DISC_PITCH / 2)
        body = superellipse(x, y - np.float32(59), (np.float32(18), np.float32(14.5)), 2.4)
        rim = np.minimum(body, np.float32(to_disc - 3.0))
        vertebra = np.where(rim > 1.6, np.float32(self.marrow_hu), np.float32(430.0))
        value = np.float32(85.0) if to_disc < 3 else vertebra
        _blend(view, soft(body, edge), value)
        arch = superellipse(x, y - np.float32(83), (np.float32(15.0), np.float32(12.5)))
        spread = 26 if to_disc > 7 else 0
        wings = block(x, y - np.float32(86), (spread, 4.5)) if spread else np.full_like(arch, -9)
        spine = block(x, y - np.float32(101), (3.0, 11.0)) if to_disc > 4 else np.full_like(arch, -9)
        solid = np.maximum(np.maximum(arch, wings), spine)
        _blend(view, soft(solid, edge), np.where(solid > 2.5, np.float32(260.0), np.float32(480.0)))
        canal = superellipse(x, y - np.float32(82), (np.float32(9.5), np.float32(8.0)))
        _blend(view, soft(canal, edge), np.float32(25.0))

    def _sternum(self, hu: np.ndarray, plane: Plane, edge: float) -> None:
        part, x, y, z = _window(plane, 24, (-112, -88))
        if not -75 < z < 95:
            return
        half = 14.0 + 8.0 * max(0.0, (z - 50) / 45)
        solid = superellipse(x, y + np.float32(98.5), (np.float32(half), np.float32(6.5)), 3.0)
        value = np.where(solid > 1.6, np.float32(170.0), np.float32(430.0))
        _blend(hu[part], soft(solid, edge), value)


def draw_bones(rng: np.random.Generator, *, neck: bool = False) -> Bones:
    """A skeleton, young or old."""
    age = rng.uniform(0, 1)
    return Bones(
        rib_phase=float(rng.uniform(0, _RIB_PITCH)),
        rib_hu=float(850 - 250 * age),
        marrow_hu=float(260 - 140 * age),
        disc_phase=float(rng.uniform(0, _DISC_PITCH)),
        neck=neck,
    )


def _window(plane: Plane, half: float, rows: tuple[float, float]) -> tuple:
    """The part of a plane with |x| below ``half`` and y within ``rows``."""
    x, y, z = plane
    columns = slice(*np.searchsorted(x[0], (-half, half)))
    lines = slice(*np.searchsorted(y[:, 0], rows))
    return (lines, columns), x[:, columns], y[lines], z


def _blend(hu: np.ndarray, share: np.ndarray, value: np.ndarray | np.float32) -> None:
    hu += share * (value - hu)


def _lay(
    hu: np.ndarray, where: tuple, value: np.ndarray | np.float32, depth: np.ndarray, edge: float
) -> None:
    share = soft(depth, edge)
    hu[where] += share * (value - hu[where])
