# SPDX-License-Identifier: Apache-2.0
from itertools import combinations

import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.colors import CLASS_COLORS, colors_for

# Machado, Oliveira, Fernandes 2009, table 1, severity 1.0, in linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
# CIE: linear sRGB to XYZ over the white point D65.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(color, sight):
    """CIELAB of an sRGB colour as seen with a kind of colour vision."""
    value = np.array(color) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1) / XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("count", "distance"), [(2, 80), (3, 30), (4, 20), (8, 15)])
def test_colors_stay_apart(sight, count, distance):
    # A difference of 2.3 in CIELAB is just noticeable; the smallest among all eight is 16.
    seen = [lab(color, sight) for color in CLASS_COLORS[:count]]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > distance


def test_colors_for():
    assert colors_for(0) == ()
    assert colors_for(2) == CLASS_COLORS[:2]
    assert colors_for(1, [[1, 2, 3], [4, 5, 6]]) == ((1, 2, 3),)  # lists, as JSON gives them


@pytest.mark.parametrize(
    ("count", "colors", "message"),
    [
        (9, None, "8 colours for 9 classes"),
        (2, [(1, 2, 3)], "1 colours for 2 classes"),
        (1, [(1, 2)], "not an RGB colour"),
        (1, [(1, 2, 256)], "not an RGB colour"),
        (1, [(0.5, 0.2, 0.1)], "not an RGB colour"),
    ],
)
def test_wrong_colors(count, colors, message):
    with pytest.raises(InputError, match=message):
        colors_for(count, colors)
