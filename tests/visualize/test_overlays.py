# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.utils import InputError
from tomobundles.visualize.colors import CLASS_COLORS
from tomobundles.visualize.overlays import class_edges, draw_overlays, overlay

RED, BLUE = (255, 0, 0), (0, 0, 200)


@pytest.fixture
def square():
    """Class 1 in the middle 3 x 3 of 5 x 5, so that only the centre is inside its outline."""
    mask = np.zeros((5, 5), np.uint8)
    mask[1:4, 1:4] = 1
    return mask


def test_tint_and_outline(square):
    # Gray 100 with 20 % red: 0.8 * 100 + 0.2 * (255, 0, 0) = (131, 80, 80).
    drawn = overlay(np.full((5, 5), 100, np.uint8), square, class_colors=[RED], alpha=0.2)
    assert drawn.dtype == np.uint8
    assert drawn[2, 2].tolist() == [131, 80, 80]
    assert drawn[1, 2].tolist() == [255, 0, 0]
    assert drawn[0, 0].tolist() == [100, 100, 100]
    assert (drawn == RED).all(axis=2).sum() == 8


def test_without_outline(square):
    drawn = overlay(np.full((5, 5), 100, np.uint8), square, class_colors=[RED], alpha=0.2, contour=False)
    assert (drawn[square == 1] == (131, 80, 80)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_colors_of_several_classes(dtype):
    mask = np.array([[0, 1, 2]], dtype)
    drawn = overlay(np.zeros((1, 3), np.uint8), mask, class_colors=[RED, BLUE], alpha=1)
    assert drawn.tolist() == [[[0, 0, 0], [255, 0, 0], [0, 0, 200]]]


def test_no_finding_leaves_the_image(square):
    gray = np.arange(25, dtype=np.uint8).reshape(5, 5)
    assert (overlay(gray, np.zeros_like(square)) == gray[..., None]).all()
    assert (overlay(gray, square, alpha=0, contour=False) == gray[..., None]).all()


def test_default_colors_do_not_depend_on_the_classes_present():
    drawn = [
        overlay(np.zeros((1, 2), np.uint8), np.array([[2, k]], np.uint8), alpha=1)[0, 0] for k in (0, 1, 5)
    ]
    assert all(tuple(color) == CLASS_COLORS[1] for color in drawn)


def test_pixels_without_annotation_are_bare():
    gray = np.array([[10, 20, 30]], np.uint8)
    drawn = overlay(gray, np.array([[255, 1, 255]], np.uint8), class_colors=[RED])
    assert drawn.tolist() == [[[10, 10, 10], [255, 0, 0], [30, 30, 30]]]


def test_edges_by_hand():
    mask = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 2, 0]])
    # Every pixel beside a 0 or the other class; the picture's border is no edge.
    assert class_edges(mask).astype(int).tolist() == [[0, 0, 1, 0], [0, 0, 1, 0], [0, 1, 1, 0]]


@pytest.mark.parametrize(
    ("gray", "mask", "options", "message"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2), int), {}, "type float64 where uint8"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 3), int), {}, "do not fit"),
        (np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 2), int), {}, "do not fit"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 2), bool), {}, "mask of type bool"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 2), int), {"alpha": 1.1}, "alpha is 1.1"),
        (np.zeros((2, 2), np.uint8), np.full((2, 2), 191), {}, "8 colours for 191 classes"),
    ],
)
def test_wrong_slice(gray, mask, options, message):
    with pytest.raises(InputError, match=message):
        overlay(gray, mask, **options)


@pytest.fixture
def volume():
    image = np.random.default_rng(0).integers(0, 3000, (6, 7, 4)).astype(np.int16)
    mask = np.zeros(image.shape, np.uint8)
    mask[2:4, 2:5, 1] = 1
    mask[0, 0, 3] = 2
    return image, mask


def test_one_png_a_slice(tmp_path, volume):
    paths = draw_overlays(tmp_path / "o", *volume, class_colors=[RED, BLUE])
    assert [path.name for path in paths] == ["001.png", "002.png", "003.png", "004.png"]
    pictures = [np.asarray(Image.open(path)) for path in paths]
    assert all(picture.shape == (6, 7, 3) for picture in pictures)
    assert [bool((p[..., 0] != p[..., 2]).any()) for p in pictures] == [False, True, False, True]
    assert pictures[3][0, 0].tolist() == [0, 0, 200]  # a single pixel is all outline


def test_only_slices_with_findings(tmp_path, volume):
    paths = draw_overlays(tmp_path / "o", *volume, only_findings=True, names=["a", "b", "c", "d"])
    assert [path.name for path in paths] == ["b.png", "d.png"]
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["b.png", "d.png"]


def test_one_window_for_all_slices(tmp_path):
    # Slice 1 holds 0 and 100, slice 2 only 50: as a volume's values they are black, white and middle gray.
    image = np.stack([np.array([[0, 100], [0, 100]]), np.full((2, 2), 50)], axis=-1)
    paths = draw_overlays(tmp_path / "o", image, np.zeros(image.shape, np.uint8))
    first, second = (np.asarray(Image.open(path))[..., 0] for path in paths)
    assert first.tolist() == [[0, 255], [0, 255]]
    assert (second == 128).all()


@pytest.mark.parametrize("names", [["a", "b"], ["a", "a", "b", "c"]])
def test_wrong_names(tmp_path, volume, names):
    with pytest.raises(InputError, match="different names for 4 slices"):
        draw_overlays(tmp_path / "o", *volume, names=names)


def test_wrong_mask(tmp_path, volume):
    with pytest.raises(InputError, match="does not fit the image"):
        draw_overlays(tmp_path / "o", volume[0], volume[1][..., :3])
    assert not (tmp_path / "o").exists()
