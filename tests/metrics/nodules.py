# SPDX-License-Identifier: Apache-2.0
"""Scans with nodules and candidates, and a slow reference of the contest's score."""

from __future__ import annotations

import numpy as np

from tomobundles.metrics import match_scan


def scan(hits=(), misses=0, false=(), sizes=()):
    """A match with a nodule hit at each probability, nodules missed, and false positives at others."""
    count = len(hits) + misses
    diameters = list(sizes) or [10.0] * count
    nodules = [[100.0 * index, 0, 0, diameter] for index, diameter in enumerate(diameters)]
    points = [nodules[index][:3] for index in range(len(hits))]
    points += [[100.0 * index, 500, 0] for index in range(len(false))]
    return match_scan(points=points, probability=[*hits, *false], nodules=nodules)


def random_scans(seed, count=12, *, ties=True):
    """Raw scans in which every rule is met: few candidates to many, overlaps, equal probabilities."""
    rng = np.random.default_rng(seed)
    scans = []
    for _ in range(count):
        nodules, excluded = (
            np.column_stack([rng.uniform(0, 60, (size, 3)), rng.choice([-1, 5, 12, 25], size)])
            for size in rng.integers(0, 4, 2)
        )
        points = rng.uniform(0, 60, (rng.integers(0, 20), 3))
        if len(nodules):
            near = rng.choice(nodules[:, :3], 5) + rng.normal(0, 3, (5, 3))
            points = rng.permutation(np.concatenate([points, near]))
        probability = rng.random(len(points))
        scans.append(
            {
                "points": points,
                "probability": np.round(probability, 1) if ties else probability,
                "nodules": nodules,
                "excluded": excluded,
            }
        )
    return scans


def slow_points(scans, *, max_marks=100):
    """(false positives per scan, sensitivity) at each threshold, counted anew with nothing matched."""
    levels = sorted({float(p) for one in scans for p in one["probability"]}, reverse=True)
    points = [(0.0, 0.0)]
    nodules = sum(len(one["nodules"]) for one in scans)
    for level in levels:
        found = false = 0
        for one in scans:
            kept = _kept(one, max_marks)
            found += sum(any(_inside(p, n) for p, s in kept if s >= level) for n in one["nodules"])
            others = [*one["nodules"], *one["excluded"]]
            false += sum(s >= level and not any(_inside(p, n) for n in others) for p, s in kept)
        points.append((false / len(scans), found / nodules))
    return points


def slow_sensitivity(points, rate):
    """The highest point at the rate or, between two, the line; beyond the end the last one."""
    at = [y for x, y in points if x == rate]
    if at:
        return max(at)
    below = max((x, y) for x, y in points if x < rate)
    above = [(x, y) for x, y in points if x > rate]
    if not above:
        return below[1]
    right = min(above)
    return below[1] + (right[1] - below[1]) * (rate - below[0]) / (right[0] - below[0])


def _kept(one, max_marks):
    pairs = list(zip(one["points"].tolist(), one["probability"].tolist(), strict=True))
    if len(pairs) <= max_marks:
        return pairs
    limit = sorted((score for _, score in pairs), reverse=True)[max_marks]
    return [(point, score) for point, score in pairs if score > limit]


def _inside(point, finding):
    *centre, diameter = finding
    diameter = 10 if diameter < 0 else diameter
    return sum((a - b) ** 2 for a, b in zip(point, centre, strict=True)) < (diameter / 2) ** 2
