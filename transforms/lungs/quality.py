# SPDX-License-Identifier: Apache-2.0
"""How plausible a lung mask is: the score that chooses a threshold, and warnings in plain words."""

from __future__ import annotations

import numpy as np

from .hull import hull_of
from .sides import LEFT, RIGHT

_FULL_LENGTH_MM = 250.0
_SMALL_LITRES, _LARGE_LITRES = (0.3, 1.0), (8.0, 11.0)
_MIDDLE = 2.0  # a few slices through the middle of the chest show this many times the mean area
_RATIO = 4.8
_HULL = (0.5, 0.95)
_ROUGH = (0.02, 0.15)
_EVERY = 4
_NO_LUNG = 0.05
_NAMES = {"right": RIGHT, "left": LEFT}


def score_lungs(
    sides: np.ndarray, *, spacing: tuple[float, float, float], length_mm: float
) -> dict[str, float]:
    """Score the lungs found at one threshold; each term is in 0-1, the total is their product.

    * ``volume``: both lungs together hold 1-8 litres (0 below 0.3 and above 11); in a scan shorter than
      250 mm, that share of it (twice the share at the upper end: its slices may be the largest ones).
    * ``two_lungs``: 1 while the larger is at most 4.8 times the smaller, falling to 0.4 for one lung.
    * ``hull``: mean share of a lung's convex hull, slice by slice, that is lung: 0.5 gives 0.4, 0.95 gives 1.
      Lungs in pieces and lungs with bowel have large hulls.
    * ``smooth``: mean change of the area's slope from slice to slice, against the largest area.

    Args:
        sides: uint8 (z, y, x): 0, 1 right, 2 left.
        spacing: mm along z, y, x.
        length_mm: length of the whole scan from feet to head.

    Returns:
        The four terms and ``total``.
    """
    ml = volumes_ml(sides, spacing)
    total = sum(ml.values())
    if not total:
        return {"volume": 0.0, "two_lungs": 0.0, "hull": 0.0, "smooth": 0.0, "total": 0.0}
    ratio = min(ml.values()) / max(ml.values())
    terms = {
        "volume": _volume_term(total / 1000, min(1.0, length_mm / _FULL_LENGTH_MM)),
        "two_lungs": float(np.interp(ratio, (0.0, 1 / _RATIO), (0.4, 1.0))),
        "hull": float(np.interp(_hull_share(sides), _HULL, (0.4, 1.0))),
        "smooth": float(np.interp(_roughness(sides), _ROUGH, (1.0, 0.5))),
    }
    return terms | {"total": float(np.prod(list(terms.values())))}


def stability(volumes: dict[str, float], following: dict[str, float]) -> float:
    """How complete both lungs are: 1 where the next threshold adds a tenth, 0.7 where it doubles one.

    A healthy lung's surface gives a few per cent from step to step; a dense lung comes in pieces at first.

    Args:
        volumes: right and left at a level, ml.
        following: at the next higher one; what is below a twentieth of both lungs is no lung.
    """
    least = _NO_LUNG * sum(following.values())
    shares = [volumes[side] / volume for side, volume in following.items() if volume > least]
    return float(np.interp(min(shares, default=1.0), (0.5, 0.9), (0.7, 1.0)))


def volumes_ml(sides: np.ndarray, spacing: tuple[float, float, float]) -> dict[str, float]:
    """Volumes of both lungs, ml."""
    ml = float(np.prod(spacing)) / 1000
    return {name: float(np.count_nonzero(sides == side) * ml) for name, side in _NAMES.items()}


def _volume_term(litres: float, share: float) -> float:
    enough = np.interp(litres / share, _SMALL_LITRES, (0.0, 1.0))
    not_too_much = np.interp(litres / min(1.0, _MIDDLE * share), _LARGE_LITRES, (1.0, 0.0))
    return float(min(enough, not_too_much))


def _hull_share(sides: np.ndarray) -> float:
    """Area of lung over area of its hull, summed over every fourth slice of both lungs."""
    lung = hull = 0.0
    for side in (RIGHT, LEFT):
        planes = np.flatnonzero((sides == side).any(axis=(1, 2)))
        for z in planes[len(planes) % _EVERY // 2 :: _EVERY]:
            plane = sides[z] == side
            lung += plane.sum()
            hull += max(hull_of(plane)[1], float(plane.sum()))
    return lung / hull if hull else 0.0


def _roughness(sides: np.ndarray) -> float:
    areas = (sides > 0).sum(axis=(1, 2)).astype(float)
    if len(areas) < 4:
        return 0.0
    return float(np.abs(np.diff(areas, n=2)).mean() / areas.max())
