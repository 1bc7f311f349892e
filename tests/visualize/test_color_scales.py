# SPDX-License-Identifier: Apache-2.0
import numpy as np
from PIL import Image, ImageDraw

from tomobundles.visualize.color_scales import BAR, draw_scale, scale_width


def test_scale_runs_from_the_first_colour_to_the_last():
    colors = np.array([(255, 0, 0), (0, 255, 0)], np.uint8)
    width = scale_width(("0", "1"), size=14)
    sheet = Image.new("RGB", (width, 20), "white")
    draw_scale(ImageDraw.Draw(sheet), ("0", "1"), colors, 0, 0, size=14)
    pixels = np.asarray(sheet)
    assert ((pixels[8] == colors[0]).all(axis=1)).sum() == BAR // 2
    assert ((pixels[8] == colors[1]).all(axis=1)).sum() == BAR // 2
