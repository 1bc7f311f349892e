# SPDX-License-Identifier: Apache-2.0
"""Outlines of nodules: round, oval, lobulated or spiculated, of a known volume."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

_DIRECTIONS = 3000
_CUBE = 33


@dataclass(frozen=True)
class Outline:
    """A star-shaped body about 0: its border lies at ``radius`` times a factor of the direction.

    Attributes:
        radius: mm of the sphere of equal volume.
        axes: (3, 3) rows are the directions of the ellipsoid's axes.
        squeeze: (3,) their relative lengths.
        bumps: (m, 3) directions of lobes or spicules.
        heights: (m,) their heights as a share of the radius.
        sharpness: (m,) the larger the thinner.
        norm: factor that makes the mean of the cubed factors one.
        farthest: no factor is larger.
    """

    radius: float
    axes: np.ndarray
    squeeze: np.ndarray
    bumps: np.ndarray
    heights: np.ndarray
    sharpness: np.ndarray
    norm: float = 1.0
    farthest: float = 1.0

    def factor(self, directions: np.ndarray) -> np.ndarray:
        """Relative distance (n,) of the border along unit vectors (n, 3)."""
        along = directions @ self.axes.T / self.squeeze
        out = 1 / np.sqrt((along**2).sum(1))
        for bump, height, sharp in zip(self.bumps, self.heights, self.sharpness, strict=True):
            out = out + height * np.exp(sharp * (directions @ bump - 1))
        return out * self.norm

    def depth(self, offsets: np.ndarray) -> np.ndarray:
        """Mm inside the border (n,), along the ray from 0, of points (n, 3); negative outside."""
        offsets = offsets + 1e-6  # 0 has no direction
        length = np.sqrt((offsets**2).sum(1))
        return self.radius * self.factor(offsets / length[:, None]) - length

    @property
    def reach(self) -> float:
        """No part of the body is further from 0 than this many mm."""
        return float(self.radius * self.farthest)

    def of_radius(self, radius: float) -> Outline:
        """The same form in another size."""
        return replace(self, radius=float(radius))


def draw_outline(rng: np.random.Generator, radius: float, *, spiculated: bool = False) -> Outline:
    """An outline whose volume is that of a sphere of ``radius``.

    Small nodules are smooth; from 3 mm of radius on they have lobes; spicules are thin rays.
    """
    axes, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    squeeze = np.exp(rng.normal(0, 0.10, 3).clip(-0.2, 0.2))
    lobes = int(rng.integers(0, 5)) if radius >= 3 else 0
    spicules = int(rng.integers(6, 13)) if spiculated else 0
    bumps = rng.standard_normal((lobes + spicules, 3))
    bumps /= np.linalg.norm(bumps, axis=1, keepdims=True)
    heights = np.concatenate([rng.uniform(0.1, 0.35, lobes), rng.uniform(0.35, 0.8, spicules)])
    sharpness = np.concatenate([rng.uniform(4, 9, lobes), rng.uniform(35, 80, spicules)])
    plain = Outline(float(radius), axes, squeeze, bumps, heights, sharpness)
    factors = plain.factor(sphere(_DIRECTIONS))
    norm = float((factors**3).mean() ** (-1 / 3))
    tips = plain.factor(np.concatenate([bumps, axes])).max()  # maxima lie at or near these
    return replace(plain, norm=norm, farthest=1.02 * norm * float(max(factors.max(), tips)))


def sphere(count: int) -> np.ndarray:
    """Unit vectors (count, 3) spread evenly over the sphere (Fibonacci lattice)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (1 + 5**0.5) * np.arange(count)
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], 1)


def samples(outline: Outline) -> tuple[np.ndarray, float]:
    """Points (n, 3) of a fine cubic lattice that lie inside, and the volume in mm3 of each."""
    step = 2 * outline.reach / _CUBE
    axis = (np.arange(_CUBE) - (_CUBE - 1) / 2) * step
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    return cube[outline.depth(cube) >= 0], step**3
