# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.animations import draw_animation, make_palette
from tomobundles.visualize.colors import CLASS_COLORS

NAMES = ["SRF", "PED"]


@pytest.fixture
def volume():
    image = np.random.default_rng(0).normal(0, 1, (16, 12, 6)).astype(np.float32)
    mask = np.zeros(image.shape, np.uint8)
    mask[4:9, 4:9, 2] = 1
    mask[4:9, 4:9, 4] = 2
    return image, mask


def frames(path):
    with Image.open(path) as gif:
        result = []
        for index in range(gif.n_frames):
            gif.seek(index)
            result.append(np.asarray(gif.convert("RGB")))
        return result, gif.info


def test_one_frame_a_slice(tmp_path, volume):
    path = draw_animation(tmp_path / "a.gif", *volume, class_names=NAMES, panel_pixels=64, frame_ms=80)
    pictures, info = frames(path)
    assert len(pictures) == 6
    assert info["duration"] == 80
    assert info["loop"] == 0  # for ever


def test_panels(tmp_path, volume):
    image, mask = volume
    options = {"class_names": NAMES, "panel_pixels": 64}
    two = frames(draw_animation(tmp_path / "a.gif", image, mask, **options))[0][0]
    three = frames(draw_animation(tmp_path / "b.gif", image, mask, reference=mask, **options))[0][0]
    others = {"Prediction": mask, "Image": mask}  # the same titles do not push a panel out
    five = frames(draw_animation(tmp_path / "c.gif", image, mask, reference=mask, others=others, **options))[
        0
    ][0]
    # Panels are 48 pixels wide (4 times 12) with gaps of 6: 6 + 2 * 54.
    assert [picture.shape[1] for picture in (two, three, five)] == [114, 168, 276]


def test_a_class_is_drawn_in_its_slices_only_and_in_its_exact_color(tmp_path, volume):
    pictures, _ = frames(draw_animation(tmp_path / "a.gif", *volume, class_names=NAMES, panel_pixels=64))
    for color, where in zip(CLASS_COLORS, (2, 4), strict=False):
        counts = [int((picture == color).all(axis=2).sum()) for picture in pictures]
        others = {count for index, count in enumerate(counts) if index != where}
        assert len(others) == 1  # the box in the legend
        # Class outline: the rim of 5 x 5 pixels enlarged 4 times is 4 * 20 - 4 pixels.
        assert counts[where] == others.pop() + 76


def test_white_and_gray_survive_the_palette(tmp_path, volume):
    pictures, _ = frames(draw_animation(tmp_path / "a.gif", *volume, class_names=NAMES, panel_pixels=64))
    assert pictures[0][0, 0].tolist() == [255, 255, 255]
    panel = pictures[0][40:60, 10:50]
    assert (panel == panel[..., :1]).all()


@pytest.mark.parametrize("num_classes", range(1, 9))
def test_palette_holds_gray_levels_tints_and_full_colors(num_classes):
    colors = CLASS_COLORS[:num_classes]
    palette = np.array(make_palette(colors, 0.25).getpalette()).reshape(-1, 3)
    entries = {tuple(entry) for entry in palette.tolist()}
    assert len(palette) <= 256
    assert {*colors, (0, 0, 0), (255, 255, 255)} <= entries
    for color in colors:  # the darkest tint is a quarter of the colour
        assert tuple(round(value) for value in np.array(color) * 0.25) in entries


def test_deep_volumes_are_thinned_evenly(tmp_path):
    image = np.zeros((4, 4, 101), np.uint8)
    image[..., [0, 50, 100]] = 255
    mask = np.zeros(image.shape, np.uint8)
    pictures, _ = frames(draw_animation(tmp_path / "a.gif", image, mask, class_names=NAMES, max_frames=3))
    assert len(pictures) == 3
    assert all(picture[100, 100].tolist() == [255, 255, 255] for picture in pictures)  # slices 1, 51 and 101


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": np.zeros((16, 12, 5), np.uint8)}, "does not fit the image"),
        ({"reference": np.zeros((16, 12, 5), np.uint8)}, "does not fit the image"),
        ({"others": {"a": np.zeros((16, 12, 6))}}, "mask holds float64"),
        ({"class_names": ["SRF"]}, "1 colours for 2 classes"),
        ({"max_frames": 0}, "max_frames is 0"),
    ],
)
def test_wrong_input(tmp_path, volume, change, message):
    arguments = {"image": volume[0], "mask": volume[1], "class_names": NAMES} | change
    with pytest.raises(InputError, match=message):
        draw_animation(tmp_path / "a.gif", **arguments)
    assert not list(tmp_path.iterdir())
