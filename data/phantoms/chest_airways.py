# SPDX-License-Identifier: Apache-2.0
"""The chest phantom's airways: trachea, bronchi, a bronchial tree in each lung; the way to mouth and nose."""

from __future__ import annotations

import numpy as np

from .chest_lungs import LEFT, RIGHT, Lungs
from .chest_raster import Tubes
from .chest_tree import grow_tree
from .chest_vessels import draw_points, lung_volume_ml, scaled_path

WALL_HU, LUMEN_HU = 10.0, -990.0
_TIP_MM = 0.9  # radius of the smallest lumens
_ENDS_PER_ML = 0.03
_CARINA = (0, 14, 36)
_TRACHEA = [(0, 2, 190, 8.5), (0, 6, 120, 8.5), (*_CARINA, 8.5)]
_MAIN = {
    RIGHT: [(*_CARINA, 7.0), (-16, 16, 22, 7.0), (-34, 17, 8, 6.0)],
    LEFT: [(*_CARINA, 6.0), (20, 18, 20, 6.0), (38, 20, 10, 5.5)],
}
_THROAT = [(0, 2, 190, 7.0), (0, 4, 215, 7.0), (0, 2, 262, 9.0)]
_MOUTH = [(0, 2, 236, 8.0), (0, -50, 238, 9.0), (0, -130, 232, 9.0)]
_NOSE = [(0, 2, 262, 8.0), (0, -60, 268, 7.0), (0, -130, 256, 7.0)]


def draw_airways(rng: np.random.Generator, lungs: Lungs, *, to_mouth: bool = False) -> Tubes:
    """Lumens of all airways.

    Args:
        rng: source of all randomness.
        lungs: where the bronchi end.
        to_mouth: also throat, mouth and nose, open to the air outside.
    """
    paths = [_TRACHEA, _MAIN[RIGHT], _MAIN[LEFT], *([_THROAT, _MOUTH, _NOSE] if to_mouth else [])]
    tubes = [scaled_path(lungs.build, path) for path in paths]
    for side in (RIGHT, LEFT):
        count = max(round(_ENDS_PER_ML * lung_volume_ml(rng, lungs, side)), 2)
        ends = draw_points(rng, lungs, count, side=side, depth_mm=7.0)
        if not len(ends):
            continue
        hilum = np.asarray(_MAIN[side][-1][:3], float)
        heading = np.array([np.sign(hilum[0]), 0.1, -0.5])
        tree = grow_tree(rng, ends, root=lungs.build.body(hilum), heading=heading, tip_mm=_TIP_MM)
        tubes.append(tree.tubes)
    return Tubes.joined(tubes)


def wall_mm(lumens: Tubes) -> Tubes:
    """Lumens with their walls: a fifth of the lumen's radius, 0.7 to 1.5 mm."""
    return Tubes(lumens.start, lumens.end, lumens.radius + np.clip(0.2 * lumens.radius, 0.7, 1.5))
