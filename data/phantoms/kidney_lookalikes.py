# SPDX-License-Identifier: Apache-2.0
"""What looks like an artery and is none: short dark balls with a wall, bright specks and fibres.

A ball has the grays of an artery of its radius, wall included, so that in one slice it is a vessel's
cross-section; only the neighbouring slices tell that it does not go on.
"""

from __future__ import annotations

import numpy as np

from .kidney_body import Body
from .kidney_raster import Shapes
from .kidney_tree import Tree

_PIECE_UM = 120.0  # length up to which a straight piece will do


def wall_um(radius_um: np.ndarray) -> np.ndarray:
    """Thickness of an artery's wall; small arteries have the relatively thicker ones."""
    return 28.0 + 0.25 * np.asarray(radius_um)


def tubes(tree: Tree, *, wall: bool) -> Shapes:
    """A tree's segments as straight pieces, owned by their segment, with an artery's wall or none.

    Short segments are made of fewer pieces than their curve has: what counts is the time to paint them.
    """
    steps = tree.curve_um.shape[1] - 1
    piece = np.linalg.norm(np.diff(tree.curve_um, axis=1), axis=2).mean(axis=1)
    stride = np.where(piece * steps < _PIECE_UM, steps, np.where(piece * 2 < _PIECE_UM, 2, 1))
    parts = [(step, np.flatnonzero(stride == step)) for step in (1, 2, steps)]
    curves = [tree.curve_um[segments, ::step] for step, segments in parts]
    owner = np.concatenate([np.repeat(segments, steps // step) for step, segments in parts])
    radius = tree.radius_um[owner]
    return Shapes(
        start_um=np.concatenate([curve[:, :-1].reshape(-1, 3) for curve in curves]),
        end_um=np.concatenate([curve[:, 1:].reshape(-1, 3) for curve in curves]),
        radius_um=radius,
        wall_um=wall_um(radius) if wall else np.zeros_like(radius),
        owner=owner,
    )


def draw_balls(rng: np.random.Generator, body: Body, tree: Tree) -> Shapes:
    """Draw dark balls (tubules, cysts), about as many cross-sections of them as of small arteries."""
    radius_um = 30.0, 90.0
    steps = np.linalg.norm(np.diff(tree.curve_um, axis=1), axis=2).sum(axis=1)
    small = (tree.radius_um > radius_um[0]) & (tree.radius_um < radius_um[1])
    count = round(0.7 * steps[small].sum() / sum(radius_um)) + 2
    radius = np.exp(rng.uniform(*np.log(radius_um), count))
    return _balls(body.to_world(_places(rng, count)), radius, wall_um(radius))


def draw_specks(rng: np.random.Generator, body: Body, count: int) -> Shapes:
    """Draw bright specks (calcifications)."""
    radius = np.exp(rng.uniform(*np.log((18.0, 60.0)), count))
    return _balls(body.to_world(_places(rng, count)), radius, np.zeros(count))


def draw_fibres(rng: np.random.Generator, body: Body, count: int) -> Shapes:
    """Draw short bright tubes (collagen)."""
    centre = body.to_world(_places(rng, count))
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    half = direction * rng.uniform(80.0, 350.0, (count, 1))
    return Shapes(
        centre - half, centre + half, rng.uniform(20.0, 55.0, count), np.zeros(count), np.arange(count)
    )


def _places(rng: np.random.Generator, count: int) -> np.ndarray:
    """Points (count, 3) of the unit ball, well below the surface."""
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction * 0.88 * rng.random((count, 1)) ** (1 / 3)


def _balls(centre: np.ndarray, radius: np.ndarray, wall: np.ndarray) -> Shapes:
    return Shapes(centre, centre, radius, wall, np.arange(len(radius)), balls=True)
