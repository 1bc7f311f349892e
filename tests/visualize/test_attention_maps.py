# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.attention_maps import draw_attention_maps

IMAGE = np.random.default_rng(0).integers(5000, 20000, (40, 60)).astype(np.uint16)
MASK = np.zeros((40, 60), np.uint8)
MASK[10:20, 20:40] = 1


def draw(path, attention, **options):
    with Image.open(draw_attention_maps(path, IMAGE, attention, panel_pixels=120, **options)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_panels(tmp_path):
    maps = [np.full((5, 8), 0.5), np.full((40, 60), 0.5)]
    alone = draw(tmp_path / "a.png", maps)
    compared = draw(tmp_path / "b.png", maps, prediction=MASK, reference=np.roll(MASK, 3, axis=1))
    # panels of 120 x 80 with gaps of 6: three in a row, then a second row
    assert alone.shape[1] == compared.shape[1] == 3 * 126 + 6
    assert compared.shape[0] > alone.shape[0] + 80
    only = draw(tmp_path / "c.png", maps, prediction=MASK)
    assert not np.array_equal(only, compared)


def test_heat_is_the_coefficient(tmp_path):
    means = [
        draw(tmp_path / "a.png", [np.full((4, 6), value)])[:110, 132:252].mean() for value in (0, 0.5, 1)
    ]
    assert means[0] < means[1] < means[2]


def test_titles(tmp_path):
    maps = [np.zeros((4, 6)), np.zeros((4, 6))]
    plain = draw(tmp_path / "a.png", maps)
    named = draw(tmp_path / "b.png", maps, titles=["coarse", "coarse"])
    assert plain.shape[1] == named.shape[1]
    assert not np.array_equal(plain[:25], named[:25])
    different = draw(tmp_path / "c.png", maps, titles=["coarse", "fine"])
    assert not np.array_equal(different, named)
    renamed = draw(tmp_path / "d.png", maps, titles=["Slice", "fine"])  # as the first panel is called
    assert renamed.shape == different.shape


@pytest.mark.parametrize(
    ("attention", "options", "message"),
    [
        ([], {}, "attention maps of shapes"),
        ([np.zeros((1, 2, 2))], {}, "attention maps of shapes"),
        ([np.full((2, 2), 1.5)], {}, "outside 0-1"),
        ([np.full((2, 2), np.nan)], {}, "outside 0-1 or NaN"),
        ([np.zeros((2, 2))], {"titles": ["a", "b"]}, "2 titles for 1 attention maps"),
        ([np.zeros((2, 2))], {"prediction": MASK[1:]}, "do not fit"),
        ([np.zeros((2, 2))], {"reference": MASK[1:]}, "do not fit"),
    ],
)
def test_wrong_input(tmp_path, attention, options, message):
    with pytest.raises(InputError, match=message):
        draw(tmp_path / "a.png", attention, **options)
    assert not list(tmp_path.iterdir())


def test_image_with_three_axes(tmp_path):
    with pytest.raises(InputError, match="slice of shape"):
        draw_attention_maps(tmp_path / "a.png", IMAGE[None], [np.zeros((2, 2))])
