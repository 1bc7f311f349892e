# SPDX-License-Identifier: Apache-2.0
"""Trees of tubes that branch from the hilum to points all over a lung.

From a point the tree goes part of the way to the centre of the ends it still has to reach, parts them in two
across its direction and goes on with each half. Radii follow the number of ends reached by Murray's law,
r0**3 = r1**3 + r2**3 at every bifurcation (C. D. Murray, PNAS 12:207, 1926).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chest_raster import Tubes

_PIECES = 4  # straight pieces of a branch


@dataclass
class _Job:
    start: np.ndarray
    heading: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True)
class Tree:
    """A tree.

    Attributes:
        tubes: its branches, each of four pieces.
        forks: (m, 3) where it parts, body mm.
        fork_radius: (m,) radius of the branch that parts.
    """

    tubes: Tubes
    forks: np.ndarray
    fork_radius: np.ndarray


def grow_tree(
    rng: np.random.Generator,
    ends: np.ndarray,
    *,
    root: np.ndarray,
    heading: np.ndarray,
    tip_mm: float,
    wiggle: float = 0.1,
) -> Tree:
    """Grow a tree.

    Args:
        rng: source of all randomness.
        ends: (n, 3) points to reach, n 1 or more.
        root: (3,) where it begins.
        heading: (3,) its first direction.
        tip_mm: radius of the last branches; the trunk's is ``tip_mm * n ** (1 / 3)``.
        wiggle: how much branches leave the straight line, as a share of their length.
    """
    jobs = [_Job(np.asarray(root, float), np.asarray(heading, float), np.arange(len(ends)))]
    paths, forks = [], []
    while jobs:
        job = jobs.pop()
        count = len(job.ends)
        curve, heading = _branch(rng, job, ends, wiggle)
        radius = tip_mm * count ** (1 / 3)
        paths.append(Tubes.along(np.column_stack([curve, np.full(len(curve), radius)])))
        if count > 1:
            forks.append([*curve[-1], radius])
            for half in _split(rng, ends, job.ends, heading):
                jobs.append(_Job(curve[-1], heading, half))
    forks = np.asarray(forks).reshape(-1, 4)
    return Tree(Tubes.joined(paths), forks[:, :3], forks[:, 3])


def _branch(
    rng: np.random.Generator, job: _Job, ends: np.ndarray, wiggle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Points along a branch, a quadratic Bezier curve, and the direction in which it ends."""
    goal = ends[job.ends].mean(axis=0)
    share = 1.0 if len(job.ends) == 1 else rng.uniform(0.28, 0.5)
    end = job.start + share * (goal - job.start)
    chord = end - job.start
    length = np.linalg.norm(chord) + 1e-9
    bow = rng.standard_normal(3) * wiggle * length
    middle = job.start + 0.5 * length * (0.4 * job.heading + 0.6 * chord / length) + bow
    t = np.linspace(0, 1, _PIECES + 1)[:, None]
    curve = (1 - t) ** 2 * job.start + 2 * t * (1 - t) * middle + t**2 * end
    heading = end - middle
    return curve, heading / (np.linalg.norm(heading) + 1e-9)


def _split(
    rng: np.random.Generator, ends: np.ndarray, members: np.ndarray, heading: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Part the ends along their longest axis across the direction of growth, unevenly."""
    points = ends[members] - ends[members].mean(axis=0)
    across = points - np.outer(points @ heading, heading)
    _, vectors = np.linalg.eigh(across.T @ across)
    order = np.argsort(points @ vectors[:, -1], kind="stable")
    cut = min(max(round(rng.uniform(0.25, 0.75) * len(members)), 1), len(members) - 1)
    return members[order[:cut]], members[order[cut:]]
