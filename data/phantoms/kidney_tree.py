# SPDX-License-Identifier: Apache-2.0
"""Vessel trees grown by bifurcation, with radii by Murray's law.

A tree supplies terminal points that are spread over the organ. From a point it grows part of the way to the
centre of the terminals it still has to supply, splits them in two across the direction of growth, and goes
on with each half. Every terminal takes a share of the flow; the radius of a segment follows from the flow
through it, r**3 proportional to flow, which is Murray's law r0**3 = r1**3 + r2**3 at every bifurcation
(C. D. Murray, The physiological principle of minimum work, PNAS 12:207, 1926).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .kidney_body import Body

_STEPS = 8  # pieces of a segment's curve
_MARGIN = 0.96  # curves keep within this radius of the unit ball


@dataclass(frozen=True)
class Tree:
    """A vessel tree; segment i runs from the end of its parent to its own end.

    Attributes:
        parent: (n,) index of the parent segment, -1 for the trunk (always segment 0); parents come first.
        radius_um: (n,) radius of the lumen.
        curve_um: (n, steps + 1, 3) points along the segment in um (z, y, x), from its start to its end.
    """

    parent: np.ndarray
    radius_um: np.ndarray
    curve_um: np.ndarray

    def subtree_sums(self, values: np.ndarray) -> np.ndarray:
        """Sum (n,) values over every segment and all that it leads to."""
        sums = np.array(values)
        for index in range(len(sums) - 1, 0, -1):
            sums[self.parent[index]] += sums[index]
        return sums

    def below(self, index: int) -> np.ndarray:
        """Mask (n,) of a segment and all that it leads to."""
        mask = np.zeros(len(self.parent), dtype=bool)
        mask[index] = True
        for child in range(index + 1, len(mask)):
            mask[child] |= mask[self.parent[child]] and child > 0
        return mask


@dataclass
class _Job:
    parent: int
    start: np.ndarray
    heading: np.ndarray
    terminals: np.ndarray


def grow_tree(
    rng: np.random.Generator,
    body: Body,
    *,
    root_um: float,
    terminal_um: float,
    entry: np.ndarray,
    wiggle: float = 0.12,
) -> Tree:
    """Grow a tree that enters at the hilum and ends all over the kidney.

    Args:
        rng: source of all randomness.
        body: the kidney.
        root_um: radius of the trunk; with ``terminal_um`` it sets the number of ends, (root / terminal)**3.
        terminal_um: median radius of the ends.
        entry: (3,) where the trunk begins, in the body's unit ball or a little outside it.
        wiggle: how much segments leave the straight line, as a share of their length.
    """
    count = max(round((root_um / terminal_um) ** 3), 2)
    ends = _draw_terminals(rng, count)
    flow = rng.lognormal(0.0, 0.5, count)
    inward = -np.asarray(entry) / np.linalg.norm(entry)
    jobs = [_Job(-1, np.asarray(entry, dtype=np.float64), inward, np.arange(count))]
    parents, flows, curves = [], [], []
    while jobs:
        job = jobs.pop()
        index = len(parents)
        curve, heading = _segment(rng, job, ends, wiggle)
        parents.append(job.parent)
        flows.append(flow[job.terminals].sum())
        curves.append(curve)
        if len(job.terminals) > 1:
            for half in _split(rng, ends, job.terminals, heading):
                jobs.append(_Job(index, curve[-1], heading, half))
    ball = np.asarray(curves)
    world = body.to_world(ball.reshape(-1, 3)).reshape(ball.shape)
    radius = root_um * (np.asarray(flows) / flows[0]) ** (1 / 3)
    return Tree(np.asarray(parents), radius, world)


def _draw_terminals(rng: np.random.Generator, count: int) -> np.ndarray:
    """Points of the unit ball (count, 3), most of them in the cortex, none in the sinus or at the hilum."""
    kept = np.empty((0, 3))
    while len(kept) < count:
        direction = rng.standard_normal((4 * count + 16, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        outer = rng.random(len(direction)) < 0.8
        distance = np.where(
            outer, rng.uniform(0.66, 0.92, len(direction)), rng.uniform(0.4, 0.7, len(direction))
        )
        points = direction * distance[:, None]
        kept = np.concatenate([kept, points[direction[:, 2] < 0.72]])
    return kept[:count]


def _segment(
    rng: np.random.Generator, job: _Job, ends: np.ndarray, wiggle: float
) -> tuple[np.ndarray, np.ndarray]:
    """The curve (steps + 1, 3) of a job's segment, and the direction in which it ends.

    A quadratic Bezier curve that leaves in a direction between the parent's and its own.
    """
    goal = ends[job.terminals].mean(axis=0)
    share = 1.0 if len(job.terminals) == 1 else rng.uniform(0.3, 0.5)
    end = _inside(job.start + share * (goal - job.start))
    chord = end - job.start
    length = np.linalg.norm(chord) + 1e-9
    bow = rng.standard_normal(3) * wiggle * length
    middle = job.start + 0.5 * length * (0.35 * job.heading + 0.65 * chord / length) + bow
    middle = _inside(middle) if job.parent >= 0 else middle  # the trunk comes from outside
    t = np.linspace(0, 1, _STEPS + 1)[:, None]
    curve = (1 - t) ** 2 * job.start + 2 * t * (1 - t) * middle + t**2 * end
    heading = end - middle
    return curve, heading / (np.linalg.norm(heading) + 1e-9)


def _inside(point: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(point)
    return point if norm <= _MARGIN else point * (_MARGIN / norm)


def _split(
    rng: np.random.Generator, ends: np.ndarray, terminals: np.ndarray, heading: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Part the terminals along their longest axis across the direction of growth, unevenly."""
    points = ends[terminals] - ends[terminals].mean(axis=0)
    across = points - np.outer(points @ heading, heading)
    _, vectors = np.linalg.eigh(across.T @ across)
    order = np.argsort(points @ vectors[:, -1], kind="stable")
    cut = round(rng.uniform(0.25, 0.75) * len(terminals))
    cut = min(max(cut, 1), len(terminals) - 1)
    return terminals[order[:cut]], terminals[order[cut:]]
